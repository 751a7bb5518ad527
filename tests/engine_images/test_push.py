"""What goes out on a push, and what need not: against a registry in memory."""

import asyncio
import contextlib
import errno
import gzip
import json
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.distribution.cancel import Cancel
from boxship.distribution.errors import (
    BadRegistryAnswerError,
    RegistryDeniedError,
    RegistryUnauthorizedError,
    RegistryUnavailableError,
    TransferCancelledError,
)
from boxship.distribution.registries import Registries
from boxship.distribution.settings import Retries
from boxship.engine.images.layersources import KEPT_HERE, LayerSource
from boxship.engine.images.pushing import Pusher, PushRequest
from boxship.model.image import (
    LayerTransfer,
    PushBegun,
    TransferDigest,
    TransferEvent,
    TransferPhase,
)
from boxship.oci import reference
from boxship.oci.digest import Digest
from boxship.oci.image import DOCKER_LAYER_TYPE, DOCKER_MANIFEST_TYPE
from boxship.oci.platform import Platform
from boxship.storage.blobs import Incoming
from boxship.storage.chunks import Buffer
from boxship.storage.recipe import DamagedLayerError
from support.fakeregistry import FakeRegistry, FakeRepository, untroubled
from support.shop import Shop, docker_archive, run, sample
from support.tars import Member, tar

pytestmark = pytest.mark.privileged

HOST = "registry.test:5000"
LOW = tar(Member("low", b"lower layer " * 5000))
HIGH = tar(Member("high", b"upper layer"))
IMAGE = sample(LOW, HIGH)
QUICK = Retries(attempts=3, first=0.01, longest=0.02)


@dataclass
class Desk:
    """A store with the image as `app:1`, and a registry beside it."""

    shop: Shop
    registry: FakeRegistry

    def __post_init__(self) -> None:
        self.shop.scope.registries = cast(Registries, self.registry)
        self.pusher = Pusher(self.shop.scope, at_most=5, retries=QUICK)

    def push(self, name: str = "app:1", platform: Platform | None = None) -> list[TransferEvent]:
        """Everything that was told; the push begins when the list is asked for."""

        async def gather() -> list[TransferEvent]:
            request = PushRequest(reference.parse(f"{HOST}/{name}"), platform)
            return [event async for event in self.pusher.push(request)]

        return run(gather())

    def repository(self, path: str = "app") -> FakeRepository:
        return self.registry.repository(reference.parse(f"{HOST}/{path}"))

    def manifest(self, path: str = "app", tag: str = "1") -> dict[str, object]:
        document: dict[str, object] = json.loads(self.repository(path).manifests[tag].data)
        return document

    def tag(self, source: str, repository: str, tag: str = "") -> None:
        run(self.shop.images.tag(f"{HOST}/{source}", f"{HOST}/{repository}", tag))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    shop = Shop(tmp_path / "data")
    shop.load(docker_archive((IMAGE, [f"{HOST}/app:1"])))
    desk = Desk(shop, FakeRegistry())
    yield desk
    desk.shop.close()


def phases(events: Iterable[TransferEvent]) -> list[tuple[str, TransferPhase]]:
    """What was told of layers, without the progress in numbers."""
    told = [(e.layer, e.phase) for e in events if isinstance(e, LayerTransfer)]
    return [pair for n, pair in enumerate(told) if pair not in told[:n]]


def test_the_image_is_there_and_readable(desk: Desk) -> None:
    events = desk.push()
    repository = desk.repository()
    stored = repository.manifests["1"]
    manifest = json.loads(stored.data)
    assert stored.media_type == manifest["mediaType"] == DOCKER_MANIFEST_TYPE
    assert manifest["config"]["digest"] == IMAGE.id
    assert repository.blobs[Digest.parse(IMAGE.id)] == IMAGE.config
    layers = [repository.blobs[Digest.parse(layer["digest"])] for layer in manifest["layers"]]
    assert [gzip.decompress(layer) for layer in layers] == [LOW, HIGH]
    assert [layer["size"] for layer in manifest["layers"]] == [len(layer) for layer in layers]
    assert {layer["mediaType"] for layer in manifest["layers"]} == {DOCKER_LAYER_TYPE}
    assert events[0] == PushBegun(f"{HOST}/app")
    assert events[-1] == TransferDigest(str(stored.digest), "1", len(stored.data))


def test_the_manifest_is_written_as_dockerd_writes_it(desk: Desk) -> None:
    desk.push()
    text = desk.repository().manifests["1"].data.decode()
    assert text.startswith('{\n   "schemaVersion": 2,\n   "mediaType": "application/vnd.docker.')
    assert f'"size": {len(IMAGE.config)},\n      "digest": "{IMAGE.id}"\n   }},\n' in text


def test_layers_are_told_of_from_the_top(desk: Desk) -> None:
    low, high = (str(Digest.of(layer)) for layer in (LOW, HIGH))
    told = phases(desk.push())
    preparing = [layer for layer, phase in told if phase is TransferPhase.PREPARING]
    assert preparing == [high, low]
    for layer in (low, high):
        assert [phase for name, phase in told if name == layer] == [
            TransferPhase.PREPARING,
            TransferPhase.PUSHING,
            TransferPhase.PUSHED,
        ]


def test_the_digest_is_a_name_of_the_image_afterwards(desk: Desk) -> None:
    desk.push()
    digest = desk.repository().manifests["1"].digest
    assert desk.shop.images.inspect(f"{HOST}/app:1").digests == (f"{HOST}/app@{digest}",)
    event = desk.shop.events.history()[-1]
    assert (event.action, event.actor) == ("push", f"{HOST}/app:1")
    assert event.attributes["name"] == f"{HOST}/app"
    desk.shop = desk.shop.reopened()
    assert desk.shop.images.inspect(f"{HOST}/app@{digest}").id == IMAGE.id


def test_a_second_push_moves_nothing_and_gives_the_same_digest(desk: Desk) -> None:
    first = desk.push()[-1]
    desk.registry.counts.clear()
    again = desk.push()
    assert again[-1] == first
    assert {phase for _, phase in phases(again)} == {
        TransferPhase.PREPARING,
        TransferPhase.PRESENT_THERE,
    }
    assert desk.registry.counts == {"head": 3}


def test_another_repository_of_the_registry_gets_the_layers_mounted(desk: Desk) -> None:
    desk.push()
    desk.tag("app:1", "team/other", "2")
    events = desk.push("team/other:2")
    mounted = [
        event.source
        for event in events
        if isinstance(event, LayerTransfer) and event.phase is TransferPhase.MOUNTED
    ]
    assert mounted == ["app", "app"]
    assert desk.manifest("team/other", "2") == desk.manifest()


@pytest.mark.parametrize(
    "error",
    [RegistryDeniedError("denied"), RegistryUnauthorizedError("no"), BadRegistryAnswerError("405")],
)
def test_where_nothing_may_be_mounted_from_it_is_uploaded(desk: Desk, error: Exception) -> None:
    desk.push()
    desk.tag("app:1", "team/other", "2")
    desk.registry.mounting = error
    desk.push("team/other:2")
    assert desk.manifest("team/other", "2") == desk.manifest()


@pytest.mark.parametrize(("told", "uploads"), [(0, 2), (7, 4)])
def test_the_size_that_a_registry_tells_does_not_get_into_the_manifest(
    desk: Desk, told: int, uploads: int
) -> None:
    desk.push()
    before = desk.manifest()
    desk.registry.telling = told
    desk.push()
    assert desk.manifest() == before
    assert desk.registry.counts["upload"] == uploads


def test_a_registry_that_lost_a_layer_gets_it_again(desk: Desk) -> None:
    desk.push()
    before = dict(desk.repository().blobs)
    desk.repository().blobs.clear()
    desk.push()
    assert desk.repository().blobs == before


def test_a_form_known_from_elsewhere_is_looked_for(desk: Desk) -> None:
    # The same bytes reached this repository without us, by a copy between registries.
    desk.push()
    run(desk.shop.images.tag(f"{HOST}/app:1", "elsewhere.test/app", "1"))
    elsewhere = desk.registry.repository(reference.parse("elsewhere.test/app"))
    elsewhere.blobs.update(desk.repository().blobs)
    request = PushRequest(reference.parse("elsewhere.test/app:1"))

    async def gather() -> list[TransferEvent]:
        return [event async for event in desk.pusher.push(request)]

    told = [phase for _, phase in phases(run(gather()))]
    assert told.count(TransferPhase.PRESENT_THERE) == 2
    assert TransferPhase.PUSHING not in told


def test_what_a_stranger_claims_of_a_layer_is_pushed_under_no_other_name(desk: Desk) -> None:
    # A manifest of his, for a layer that was here already, named a blob that nobody looked into.
    lie = gzip.compress(tar(Member("low", b"what the stranger wants to be run")))
    claim = LayerSource(
        Digest.of(LOW),
        Digest.of(lie),
        len(lie),
        DOCKER_LAYER_TYPE,
        f"{HOST}/stranger",
        claimed=True,
    )
    for path in ("stranger", "app"):
        desk.repository(path).blobs[claim.digest] = lie
    run(desk.shop.scope.sources.add([claim]))
    desk.push()
    assert str(claim.digest) not in json.dumps(desk.manifest())
    desk.tag("app:1", "stranger", "1")
    desk.push("stranger:1")
    assert str(claim.digest) in json.dumps(desk.manifest("stranger"))  # in his own he may


def test_all_tags(desk: Desk) -> None:
    desk.tag("app:1", "app", "2")
    events = desk.push("app")
    assert [e.tag for e in events if isinstance(e, TransferDigest)] == ["1", "2"]
    assert set(desk.repository().manifests) == {"1", "2"}
    assert desk.registry.counts["upload"] == 2


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("none:1", NotFoundError, f"An image does not exist locally with the tag: {HOST}/none"),
        ("app:7", NotFoundError, f"tag does not exist: {HOST}/app:7"),
        (f"app@sha256:{'a' * 64}", InvalidArgumentError, "cannot push a digest reference"),
    ],
)
def test_what_is_not_here_cannot_be_pushed(
    desk: Desk, name: str, error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as caught:
        desk.push(name)
    assert str(caught.value) == text


def test_a_platform_that_is_not_here_is_refused_at_once(desk: Desk) -> None:
    with pytest.raises(NotFoundError, match="does not match the specified platform"):
        desk.push("app:1", Platform("linux", "riscv64"))
    assert desk.registry.repositories == {}


def damage(shop: Shop, layer: bytes, name: str) -> None:
    diff = Path(shop.storage.layers.diff_directory(Digest.of(layer)))
    content = bytearray((diff / name).read_bytes())
    content[3] ^= 1
    (diff / name).write_bytes(content)


def test_a_damaged_layer_is_never_pushed(desk: Desk) -> None:
    damage(desk.shop, HIGH, "high")
    with pytest.raises(DamagedLayerError, match=Digest.of(HIGH).hex):
        desk.push()
    assert desk.repository().manifests == {}
    assert HIGH not in [gzip.decompress(b) for b in desk.repository().blobs.values() if b[0] == 31]


def test_an_upload_that_breaks_is_begun_again(desk: Desk) -> None:
    failures = iter([True, False, True, False])

    def breaking(chunks: Iterable[Buffer], cancel: Cancel) -> Iterator[Buffer]:
        rest = iter(chunks)
        yield next(rest)
        if next(failures, False):
            raise RegistryUnavailableError("connection reset")
        yield from rest

    desk.registry.uploading = breaking
    told = [phase for _, phase in phases(desk.push())]
    assert TransferPhase.RETRYING in told
    assert desk.manifest()["config"]


def test_a_registry_that_stays_away_ends_the_push(desk: Desk) -> None:
    def dead(chunks: Iterable[Buffer], cancel: Cancel) -> Iterator[Buffer]:
        desk.registry.note("attempt")
        raise RegistryUnavailableError("connection refused")
        yield b""

    desk.registry.uploading = dead
    with pytest.raises(RegistryUnavailableError, match="connection refused"):
        desk.push()
    assert 3 <= desk.registry.counts["attempt"] <= 6
    assert desk.repository().manifests == {}


@pytest.mark.parametrize(
    "error",
    [
        RegistryDeniedError("denied: requested access to the resource is denied"),
        RegistryUnauthorizedError("unauthorized: authentication required"),
    ],
)
def test_a_refusal_in_the_middle_is_told_and_not_repeated(desk: Desk, error: Exception) -> None:
    def refused(chunks: Iterable[Buffer], cancel: Cancel) -> Iterator[Buffer]:
        yield next(iter(chunks))
        raise error

    desk.registry.uploading = refused
    with pytest.raises(type(error), match=str(error)):
        desk.push()
    assert desk.registry.counts["upload"] <= 2
    assert desk.repository().manifests == {}
    desk.registry.uploading = untroubled
    desk.push()


def test_a_copy_that_cannot_be_kept_does_not_hinder_the_push(desk: Desk) -> None:
    class Full(Incoming):
        def write(self, chunk: Buffer) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    @contextlib.contextmanager
    def incoming() -> Iterator[Incoming]:
        with desk.shop.storage.root.temporary() as directory:
            full = Full(desk.shop.storage.root, directory)
            with contextlib.closing(full):
                yield full

    desk.shop.scope.keep_blobs = True
    desk.shop.storage.blobs.incoming = incoming  # type: ignore[method-assign]
    desk.push()
    assert desk.shop.scope.sources.kept_here() == set()


def test_what_had_arrived_before_a_failure_is_not_sent_again(desk: Desk) -> None:
    arrived = threading.Event()

    def only_small(chunks: Iterable[Buffer], cancel: Cancel) -> Iterator[Buffer]:
        data = b"".join(bytes(chunk) for chunk in chunks)
        if len(gzip.decompress(data)) == len(LOW):
            arrived.wait(5)
            raise RegistryDeniedError("no more")
        yield data

    desk.registry.uploading = only_small
    put = desk.shop.scope.sources.add

    async def add(sources: Iterable[LayerSource]) -> None:
        await put(sources)
        arrived.set()

    desk.shop.scope.sources.add = add  # type: ignore[method-assign]
    with pytest.raises(RegistryDeniedError):
        desk.push()
    reopened = Desk(desk.shop.reopened(), desk.registry)
    desk.registry.counts.clear()
    desk.registry.uploading = lambda chunks, cancel: chunks
    reopened.push()
    assert desk.registry.counts["upload"] == 1
    desk.shop = reopened.shop


def test_two_pushes_at_once_send_each_layer_once(desk: Desk) -> None:
    async def both() -> list[list[TransferEvent]]:
        async def one() -> list[TransferEvent]:
            request = PushRequest(reference.parse(f"{HOST}/app:1"))
            return [event async for event in desk.pusher.push(request)]

        return await asyncio.gather(one(), one())

    first, second = run(both())
    assert first[-1] == second[-1]
    assert desk.registry.counts["upload"] == 2


def test_closing_the_stream_ends_the_upload(desk: Desk) -> None:
    reached = threading.Event()
    ended = threading.Event()

    def stuck(chunks: Iterable[Buffer], cancel: Cancel) -> Iterator[Buffer]:
        reached.set()
        try:
            cancel.wait(30)
        except TransferCancelledError:
            ended.set()
            raise
        yield b""

    desk.registry.uploading = stuck

    async def leave() -> None:
        pushing = desk.pusher.push(PushRequest(reference.parse(f"{HOST}/app:1")))
        async for _ in pushing:
            if await asyncio.to_thread(reached.wait, 0.01):
                break
        await pushing.aclose()

    run(leave())
    assert ended.is_set()
    assert desk.repository().manifests == {}
    assert [t.name for t in threading.enumerate() if t.name.startswith("compress")] == []


def test_kept_blobs_are_sent_as_they_are(desk: Desk) -> None:
    desk.shop.scope.keep_blobs = True
    desk.push()
    kept = {s.digest for s in desk.shop.scope.sources.of(Digest.of(LOW)) if not s.repository}
    assert len(kept) == 1
    assert all(desk.shop.storage.blobs.verify(digest) for digest in kept)
    before = desk.repository().manifests["1"]
    desk.registry.repositories.clear()
    desk.registry.counts.clear()
    desk.push()
    assert desk.repository().manifests["1"] == before
    assert desk.registry.counts["upload"] == 0


def test_a_kept_blob_that_was_damaged_is_made_anew(desk: Desk) -> None:
    desk.shop.scope.keep_blobs = True
    desk.push()
    before = desk.repository().manifests["1"]
    for digest in desk.shop.scope.sources.kept_here():
        os.truncate(desk.shop.storage.root.blob(digest), 5)
    desk.registry.repositories.clear()
    desk.push()
    assert desk.repository().manifests["1"] == before
    assert all(map(desk.shop.storage.blobs.verify, desk.shop.scope.sources.kept_here()))


def test_kept_blobs_go_with_their_image(desk: Desk) -> None:
    desk.shop.scope.keep_blobs = True
    desk.push()
    assert [s for s in desk.shop.scope.sources.of(Digest.of(LOW)) if s.repository == KEPT_HERE]
    run(desk.shop.images.remove(f"{HOST}/app:1"))
    assert desk.shop.disk() == {}
