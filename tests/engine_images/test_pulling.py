"""Pulling from a registry in memory: what comes, what is told, and what a fault leaves behind."""

import asyncio
import gzip
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
import zstandard

from boxship.base.errors import BoxshipError, InvalidArgumentError, NotFoundError
from boxship.distribution.cancel import Cancel
from boxship.distribution.errors import (
    BadRegistryAnswerError,
    RateLimitedError,
    RegistryDeniedError,
    RegistryUnavailableError,
)
from boxship.engine.images import pulling
from boxship.engine.images.pulling import PullRequest
from boxship.engine.settings import TransferLimits
from boxship.model.image import (
    ImagePrune,
    ImageQuery,
    LayerTransfer,
    Pulled,
    TransferBegun,
    TransferDigest,
    TransferEvent,
    TransferPhase,
)
from boxship.oci import platform, reference
from boxship.oci.digest import Digest
from boxship.oci.platform import Platform
from boxship.oci.reference import parse
from boxship.storage.layers import MalformedLayerError
from support.remote import Gate, RemoteImages, failing
from support.shop import Sample, Shop, run, sample
from support.tars import Member, tar

pytestmark = pytest.mark.privileged

BASE, APP = tar(Member("base", os.urandom(5000))), tar(Member("app", b"app"))
IMAGE = sample(BASE, APP)
HOST = platform.host()
OTHER = Platform("linux", "s390x")
NAME = "reg:5000/lib/app:1"


@pytest.fixture
def remote(shop: Shop) -> Iterator[RemoteImages]:
    made = RemoteImages()
    shop.images.set_registries(made, TransferLimits(downloads=2))
    yield made
    made.close()


def request(name: str, of: Platform | None = None) -> PullRequest:
    return PullRequest(parse(name), of)


async def events(shop: Shop, name: str, of: Platform | None = None) -> list[TransferEvent]:
    return [event async for event in shop.images.pull(request(name, of))]


def pull(shop: Shop, name: str = NAME, of: Platform | None = None) -> list[TransferEvent]:
    return run(events(shop, name, of))


def phases(told: list[TransferEvent], layer: str) -> list[TransferPhase]:
    found = [e.phase for e in told if isinstance(e, LayerTransfer) and e.layer == layer]
    return [phase for n, phase in enumerate(found) if n == 0 or found[n - 1] is not phase]


def assert_nothing_is_left(shop: Shop) -> None:
    assert shop.disk() == {}
    assert shop.tags() == {}
    assert len(shop.scope.pulls) == 0


def test_an_image_comes_with_name_digest_and_all_that_is_to_be_remembered(
    shop: Shop, remote: RemoteImages
) -> None:
    digest = remote.add(NAME, IMAGE)
    told = pull(shop)
    base = remote.layer_digest(BASE)
    assert told[0] == TransferBegun("lib/app", "1")
    assert phases(told, base) == [
        TransferPhase.WAITING_TO_PULL,
        TransferPhase.DOWNLOADING,
        TransferPhase.VERIFYING,
        TransferPhase.DOWNLOADED,
        TransferPhase.EXTRACTING,
        TransferPhase.PULLED,
    ]
    size = len(remote.content.blobs[base])
    assert LayerTransfer(base, TransferPhase.DOWNLOADING, size, size) in told
    assert told[-2:] == [TransferDigest(digest), Pulled(NAME, IMAGE.id, newer=True)]
    found = shop.images.inspect(NAME)
    assert (found.id, found.tags, found.digests) == (
        IMAGE.id,
        (NAME,),
        (f"reg:5000/lib/app@{digest}",),
    )
    assert found.config_json == IMAGE.config
    (source,) = shop.scope.sources.of(Digest.of(BASE))
    assert (str(source.digest), source.size, source.repository) == (base, size, "reg:5000/lib/app")
    (variant,) = shop.scope.catalog.variants_of(parse(NAME))
    assert (variant.platform, str(variant.manifest), variant.index) == (HOST, digest, None)
    assert shop.storage.blobs.read(variant.manifest)
    assert len(shop.scope.pulls) == 0
    assert [(e.action, e.actor) for e in shop.events.history()] == [("pull", NAME)]
    again = shop.reopened()
    assert again.images.inspect(NAME).digests == found.digests
    assert again.scope.catalog.variants_of(parse(NAME)) == (variant,)
    again.close()


def test_a_second_pull_moves_nothing_and_a_sibling_only_what_is_new(
    shop: Shop, remote: RemoteImages
) -> None:
    remote.add(NAME, IMAGE)
    pull(shop)
    told = pull(shop)
    assert [type(event) for event in told] == [TransferBegun, TransferDigest, Pulled]
    assert told[-1] == Pulled(NAME, IMAGE.id, newer=False)
    more = tar(Member("more", b"more"))
    remote.add("reg:5000/lib/app:2", sample(BASE, more))
    told = pull(shop, "reg:5000/lib/app:2")
    assert phases(told, remote.layer_digest(BASE)) == [TransferPhase.PRESENT]
    assert remote.fetched(BASE, APP, more) == [1, 1, 1]


def test_what_was_not_downloaded_is_known_from_hearsay(shop: Shop, remote: RemoteImages) -> None:
    remote.add(NAME, IMAGE)
    pull(shop)
    (seen,) = shop.scope.sources.of(Digest.of(BASE))
    assert not seen.claimed
    remote.add("reg:5000/evil/app:1", IMAGE, compress=lambda layer: gzip.compress(layer[::-1]))
    pull(shop, "reg:5000/evil/app:1")
    honest, claim = shop.scope.sources.of(Digest.of(BASE))
    assert honest == seen
    assert (claim.claimed, claim.repository) == (True, "reg:5000/evil/app")


def test_by_digest_the_image_has_a_digest_and_no_tag(shop: Shop, remote: RemoteImages) -> None:
    digest = remote.add(NAME, IMAGE)
    name = f"reg:5000/lib/app@{digest}"
    told = pull(shop, name)
    assert told[0] == TransferBegun("lib/app", name)
    found = shop.images.inspect(name)
    assert (found.tags, found.digests) == ((), (name,))


def test_all_tags(shop: Shop, remote: RemoteImages) -> None:
    remote.add("reg:5000/lib/app:1", IMAGE)
    remote.add("reg:5000/lib/app:2", sample(BASE))
    told = pull(shop, "reg:5000/lib/app")
    assert [e.tag for e in told if isinstance(e, TransferBegun)] == ["1", "2"]
    assert told[-1] == Pulled("reg:5000/lib/app", sample(BASE).id, newer=True)
    assert remote.fetched(BASE) == [1]


@pytest.mark.parametrize("odd", ["a b", "", "../x", "x\x1b[2J"])
def test_a_list_with_odd_tags_brings_nothing(shop: Shop, remote: RemoteImages, odd: str) -> None:
    remote.add("reg:5000/lib/app:1", IMAGE)
    remote.content.manifests[odd] = remote.content.manifests["1"]
    with pytest.raises(BadRegistryAnswerError) as raised:
        pull(shop, "reg:5000/lib/app")
    assert f"lists {odd!r} among the tags of reg:5000/lib/app" in str(raised.value)
    assert_nothing_is_left(shop)


def test_what_is_kept_and_too_large_for_a_document_is_not_read_as_one(
    shop: Shop, remote: RemoteImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.add(NAME, IMAGE)
    pull(shop)
    pull(shop)
    assert remote.content.asked[IMAGE.id] == 1
    monkeypatch.setattr(pulling, "LARGEST_DOCUMENT", len(IMAGE.config) - 1)
    pull(shop)
    assert remote.content.asked[IMAGE.id] == 2


@pytest.mark.parametrize(
    ("compress", "kind"),
    [
        (lambda data: data, "application/vnd.docker.image.rootfs.diff.tar"),
        (zstandard.compress, "application/vnd.oci.image.layer.v1.tar+zstd"),
        (lambda data: data, "application/vnd.oci.image.layer.v1.tar+gzip"),
        (gzip.compress, "application/vnd.oci.image.layer.v1.tar"),
    ],
)
def test_layers_are_what_their_first_bytes_say(
    shop: Shop, remote: RemoteImages, compress: object, kind: str
) -> None:
    assert callable(compress)
    remote.add(NAME, IMAGE, compress=compress, layer_type=kind)
    pull(shop)
    assert shop.images.resolve(NAME).layers == (Digest.of(BASE), Digest.of(APP))


def two_platforms(remote: RemoteImages) -> tuple[Sample, Sample, str]:
    here = sample(BASE, architecture=HOST.architecture, extra="here")
    document = json.loads(sample(APP).config) | {"architecture": OTHER.architecture}
    there = Sample((APP,), json.dumps(document).encode())
    digests = {
        "unknown/unknown": remote.add("reg:5000/lib/app:attestation", sample(b"\0" * 1024)),
        str(OTHER): remote.add("reg:5000/lib/app:there", there),
        str(HOST): remote.add("reg:5000/lib/app:here", here),
    }
    return here, there, remote.add_index(NAME, digests)


def test_of_an_index_the_host_s_image_comes_and_others_beside_it(
    shop: Shop, remote: RemoteImages
) -> None:
    here, there, index = two_platforms(remote)
    pull(shop)
    assert remote.fetched(APP) == [0]
    assert pull(shop, NAME, OTHER)[-1] == Pulled(NAME, there.id, newer=True)
    assert str(shop.images.resolve(NAME).id) == here.id
    assert str(shop.images.resolve(NAME, OTHER).id) == there.id
    found = shop.images.inspect(NAME)
    assert found.digests == (f"reg:5000/lib/app@{index}",)
    assert [image.id for image in shop.images.list(ImageQuery())] == [here.id]
    again = shop.reopened()
    assert str(again.images.resolve(NAME, OTHER).id) == there.id
    run(again.images.remove(NAME))
    assert again.tags() == {}
    assert again.disk() == {}
    again.close()


def test_a_platform_that_an_index_has_not(shop: Shop, remote: RemoteImages) -> None:
    two_platforms(remote)
    with pytest.raises(NotFoundError, match="no matching manifest for linux/arm64 in the manifest"):
        pull(shop, NAME, Platform("linux", "arm64"))
    assert_nothing_is_left(shop)


def test_a_single_image_for_another_platform_comes_and_is_not_what_was_asked_for(
    shop: Shop, remote: RemoteImages
) -> None:
    remote.add(NAME, IMAGE)
    said = f"{NAME} was found but does not match the specified platform: wanted {OTHER}, actual: "
    with pytest.raises(NotFoundError, match=said + "linux/amd64"):
        pull(shop, NAME, OTHER)
    assert list(shop.tags().values()) == [(NAME,)]


def test_what_is_not_there(shop: Shop, remote: RemoteImages) -> None:
    said = r"manifest for reg:5000/lib/app:1 not found: manifest unknown: manifest unknown"
    with pytest.raises(NotFoundError, match=said):
        pull(shop)


SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.mark.parametrize(
    ("document", "kind", "refusal"),
    [
        ({}, SCHEMA_1, (InvalidArgumentError, "schema 1 support has been removed")),
        ({}, "text/html", (BadRegistryAnswerError, "unsupported media type: 'text/html'")),
        ({"mediaType": SCHEMA_1}, INDEX, (BadRegistryAnswerError, "should be")),
        ({"manifests": [], "layers": []}, INDEX, (BadRegistryAnswerError, "at once")),
        ({"manifests": 5}, INDEX, (BadRegistryAnswerError, r"\$.manifests")),
        ({"manifests": []}, INDEX, (NotFoundError, "no matching manifest")),
    ],
)
def test_documents_that_are_no_image(
    shop: Shop,
    remote: RemoteImages,
    document: dict[str, object],
    kind: str,
    refusal: tuple[type[BoxshipError], str],
) -> None:
    remote.put(NAME, json.dumps(document).encode(), kind)
    error, said = refusal
    with pytest.raises(error, match=said):
        pull(shop)
    assert_nothing_is_left(shop)


def config_type(kind: str) -> dict[str, object]:
    return {"config": {"mediaType": kind, "digest": IMAGE.id, "size": 5}}


@pytest.mark.parametrize(
    ("manifest", "error", "said"),
    [
        ({"layers": []}, BadRegistryAnswerError, "don't match image configuration"),
        (
            config_type("application/vnd.helm"),
            InvalidArgumentError,
            r'remote "application/vnd.helm',
        ),
        ({"layers": None, "config": None}, BadRegistryAnswerError, "config"),
    ],
)
def test_manifests_that_are_no_image(
    shop: Shop,
    remote: RemoteImages,
    manifest: dict[str, object],
    error: type[BoxshipError],
    said: str,
) -> None:
    remote.add(NAME, IMAGE, **manifest)
    with pytest.raises(error, match=said):
        pull(shop)
    assert_nothing_is_left(shop)


def test_a_layer_of_a_type_that_nobody_knows(shop: Shop, remote: RemoteImages) -> None:
    remote.add(NAME, IMAGE, layer_type="application/vnd.oci.image.layer.v1.tar+gzip+encrypted")
    with pytest.raises(InvalidArgumentError, match=r"unsupported media type of layer sha256:"):
        pull(shop)
    assert_nothing_is_left(shop)


def test_an_image_for_another_system(shop: Shop, remote: RemoteImages) -> None:
    document = json.loads(IMAGE.config) | {"os": "windows"}
    remote.add(NAME, Sample(IMAGE.layers, json.dumps(document).encode()))
    with pytest.raises(InvalidArgumentError, match='operating system "windows"'):
        pull(shop)
    assert_nothing_is_left(shop)


def test_a_config_that_lies_about_a_layer(shop: Shop, remote: RemoteImages) -> None:
    swapped = Sample((APP, BASE), IMAGE.config)
    remote.add(NAME, swapped)
    with pytest.raises(MalformedLayerError, match="was announced"):
        pull(shop)
    assert_nothing_is_left(shop)


def test_a_blob_that_is_no_archive(shop: Shop, remote: RemoteImages) -> None:
    remote.add(NAME, IMAGE, compress=lambda data: gzip.compress(data)[:-20])
    with pytest.raises(MalformedLayerError, match="ends early"):
        pull(shop)
    assert_nothing_is_left(shop)


def test_a_lie_about_a_blob_leaves_nothing(shop: Shop, remote: RemoteImages) -> None:
    remote.add(NAME, IMAGE)
    lie = BadRegistryAnswerError("digest does not match")
    remote.content.faults[remote.layer_digest(APP)] = failing(lie)
    with pytest.raises(BadRegistryAnswerError):
        pull(shop)
    assert_nothing_is_left(shop)


def test_what_was_complete_stays_when_the_registry_goes_away(
    shop: Shop, remote: RemoteImages
) -> None:
    remote.add(NAME, IMAGE)
    bases_in = Gate()

    def go_away(cancel: object) -> None:
        bases_in(cancel)  # type: ignore[arg-type]
        raise RegistryUnavailableError("connection reset")

    remote.content.faults[remote.layer_digest(APP)] = go_away

    async def failing_pull() -> None:
        async for event in shop.images.pull(request(NAME)):
            if isinstance(event, LayerTransfer) and event.phase is TransferPhase.PULLED:
                bases_in.open()

    with pytest.raises(RegistryUnavailableError):
        run(failing_pull())
    assert shop.tags() == {}
    remote.content.faults.clear()
    again = shop.reopened()
    run(again.images.recover(()))
    again.images.set_registries(remote, TransferLimits(downloads=2))
    told = pull(again)
    assert phases(told, remote.layer_digest(BASE)) == [TransferPhase.PRESENT]
    assert remote.fetched(BASE, APP) == [1, 2]
    assert len(again.scope.pulls) == 0
    again.close()


def test_two_pulls_at_once_download_once(shop: Shop, remote: RemoteImages) -> None:
    remote.add(NAME, IMAGE)
    remote.add("reg:5000/lib/app:2", sample(BASE))
    gate = remote.content.faults[remote.layer_digest(BASE)] = Gate()

    async def both() -> None:
        first = asyncio.create_task(events(shop, NAME))
        await asyncio.to_thread(remote.content.opened.acquire, timeout=10)
        second = await started(shop.images.pull(request("reg:5000/lib/app:2")))
        gate.open()
        told = [event async for event in second]
        assert TransferPhase.PULLED in phases(told, remote.layer_digest(BASE))
        await first

    run(both())
    assert remote.fetched(BASE, APP) == [1, 1]
    assert len(shop.tags()) == 2


@pytest.mark.parametrize(
    ("error", "times"),
    [
        (RegistryDeniedError("denied: not for you"), 1),
        (RateLimitedError("toomanyrequests: log in"), 1),
        (BadRegistryAnswerError("this is no layer"), 2),
    ],
)
def test_what_another_may_not_have_or_found_elsewhere_is_no_answer_to_us(
    shop: Shop, remote: RemoteImages, error: Exception, times: int
) -> None:
    mine = "reg:5000/mine/app:2"
    remote.add(NAME, IMAGE)
    remote.add(mine, sample(BASE))
    gate, digest = Gate(), remote.layer_digest(BASE)

    def fault(cancel: Cancel) -> None:
        gate(cancel)
        if remote.content.asked[digest] <= times:
            raise error

    remote.content.faults[digest] = fault

    async def both() -> None:
        first = asyncio.create_task(events(shop, NAME))
        await asyncio.to_thread(remote.content.opened.acquire, timeout=10)
        second = await started(shop.images.pull(request(mine)))
        gate.open()
        assert isinstance([event async for event in second][-1], Pulled)
        with pytest.raises(BoxshipError, match=str(error).partition(":")[0]):
            await first

    run(both())
    assert list(shop.tags().values()) == [(mine,)]


async def started(pulling: AsyncIterator[TransferEvent]) -> AsyncIterator[TransferEvent]:
    """Read until a layer is on its way."""
    async for event in pulling:
        if isinstance(event, LayerTransfer) and event.phase is TransferPhase.DOWNLOADING:
            break
    return pulling


def test_a_pull_whose_client_goes_away_goes_on_if_another_waits(
    shop: Shop, remote: RemoteImages
) -> None:
    remote.add(NAME, IMAGE)
    gate = remote.content.faults[remote.layer_digest(BASE)] = Gate()

    async def both() -> None:
        async with aclosing(shop.images.pull(request(NAME))) as first:
            await started(first)
            second = shop.images.pull(request(NAME))
            await started(second)
        assert not gate.cancelled
        gate.open()
        assert [event async for event in second][-1] == Pulled(NAME, IMAGE.id, newer=True)

    run(both())
    assert remote.fetched(BASE) == [1]


def test_a_pull_that_nobody_waits_for_is_cancelled_and_leaves_nothing(
    shop: Shop, remote: RemoteImages
) -> None:
    remote.add(NAME, IMAGE)
    gate = remote.content.faults[remote.layer_digest(BASE)] = Gate()

    async def one() -> None:
        async with aclosing(shop.images.pull(request(NAME))) as first:
            await started(first)
        assert gate.cancelled

    run(one())
    assert_nothing_is_left(shop)


def test_no_more_layers_at_once_than_allowed(shop: Shop, remote: RemoteImages) -> None:
    layers = [tar(Member(f"f{n}", b"x" * 100)) for n in range(6)]
    remote.add(NAME, sample(*layers))
    gate, pair = Gate(), threading.Barrier(2)

    def together(cancel: Cancel) -> None:
        gate(cancel)
        pair.wait(10)

    remote.content.faults |= dict.fromkeys(map(remote.layer_digest, layers), together)

    async def opened_when_the_others_wait() -> int:
        waiting = 0
        async for event in shop.images.pull(request(NAME)):
            if isinstance(event, LayerTransfer) and event.phase is TransferPhase.WAITING:
                waiting += 1
                if waiting == 4:
                    gate.open()
        return waiting

    assert run(opened_when_the_others_wait()) == 4
    assert remote.content.most_at_once == 2


def test_the_same_layer_twice_in_an_image(shop: Shop, remote: RemoteImages) -> None:
    remote.add(NAME, sample(BASE, APP, BASE))
    pull(shop)
    assert len(shop.images.resolve(NAME).layers) == 3
    assert remote.fetched(BASE) == [1]


def test_a_tag_that_moves_leaves_the_old_image_with_its_digest(
    shop: Shop, remote: RemoteImages
) -> None:
    old = remote.add(NAME, IMAGE)
    pull(shop)
    remote.add(NAME, sample(BASE))
    assert pull(shop)[-1] == Pulled(NAME, sample(BASE).id, newer=True)
    found = shop.images.inspect(IMAGE.id)
    assert (found.tags, found.digests) == ((), (f"reg:5000/lib/app@{old}",))
    assert reference.parse(NAME) in shop.scope.catalog.names_of(Digest.parse(sample(BASE).id))


def test_what_an_abandoned_pull_left_goes_after_a_day(tmp_path: Path) -> None:
    """Its row is read at start-up, when it is too old already."""
    shop = Shop(tmp_path / "data")
    remote = RemoteImages()
    shop.images.set_registries(remote, TransferLimits(downloads=2))
    remote.add(NAME, IMAGE)
    gone = RegistryUnavailableError("gone")
    remote.content.faults[remote.layer_digest(APP)] = failing(gone)
    with pytest.raises(RegistryUnavailableError):
        pull(shop)
    assert shop.disk()["layers/sha256"] == [Digest.of(BASE).hex]
    shop.database.close()
    yesterday = Shop(tmp_path / "data")
    run(_aged(yesterday))
    again = yesterday.reopened()
    run(again.images.recover(()))
    assert again.disk() == {}
    again.close()
    remote.close()


async def _aged(shop: Shop) -> None:
    day = 24 * 3600 * 1_000_000_000 + 1
    await shop.database.write(lambda db: db.execute("UPDATE pulls SET at_ns = at_ns - ?", (day,)))


def test_a_list_tells_which_of_an_index_is_here(shop: Shop, remote: RemoteImages) -> None:
    here, there, _ = two_platforms(remote)
    pull(shop)
    (row,) = shop.images.list(ImageQuery(manifests=True))
    listed = {str(m.platform): m for m in row.manifests}
    assert {text: m.image_id for text, m in listed.items()} == {
        "unknown/unknown": "",
        str(OTHER): "",
        str(HOST): here.id,
    }
    assert listed[str(HOST)].unpacked_size == row.size
    pull(shop, NAME, OTHER)
    (row,) = shop.images.list(ImageQuery(manifests=True))
    assert {m.image_id for m in row.manifests} == {here.id, there.id, ""}
    assert shop.images.inspect(NAME, OTHER).id == there.id
    assert shop.images.list(ImageQuery())[0].manifests == ()


def test_a_list_tells_of_a_manifest_that_stands_alone(shop: Shop, remote: RemoteImages) -> None:
    digest = remote.add(NAME, IMAGE)
    pull(shop)
    (row,) = shop.images.list(ImageQuery(manifests=True))
    (manifest,) = row.manifests
    size = len(remote.content.manifests[digest].data)
    assert (manifest.digest, manifest.document_size, manifest.image_id) == (digest, size, IMAGE.id)
    with pytest.raises(NotFoundError, match="does not match the specified platform"):
        shop.images.inspect(NAME, OTHER)


def test_a_prune_takes_what_an_unfinished_pull_left(shop: Shop, remote: RemoteImages) -> None:
    remote.add(NAME, IMAGE)
    gone = RegistryUnavailableError("gone")
    shop.images.set_registries(remote, TransferLimits(downloads=2))

    def fail_behind_the_base(cancel: object) -> None:
        while shop.disk().get("layers/sha256") != [Digest.of(BASE).hex]:
            time.sleep(0.002)
        raise gone

    remote.content.faults[remote.layer_digest(APP)] = fail_behind_the_base
    with pytest.raises(RegistryUnavailableError):
        pull(shop)
    assert shop.disk()["layers/sha256"] == [Digest.of(BASE).hex]
    assert run(shop.images.prune(ImagePrune())).reclaimed > 0
    assert_nothing_is_left(shop)


def test_a_mirror_that_lies_is_asked_no_more_and_the_next_is(
    shop: Shop, remote: RemoteImages
) -> None:
    remote.add(NAME, IMAGE)
    base = remote.layer_digest(BASE)

    def lie_once(cancel: object) -> None:
        del remote.content.faults[base]
        raise BadRegistryAnswerError("digest does not match")

    remote.content.faults[base] = lie_once
    assert pull(shop)[-1] == Pulled(NAME, IMAGE.id, newer=True)
    assert remote.fetched(BASE) == [2]


def test_without_another_endpoint_it_is_the_lie_that_is_told(
    shop: Shop, remote: RemoteImages
) -> None:
    remote.add(NAME, IMAGE)
    base = remote.layer_digest(BASE)

    def lie(cancel: object) -> None:
        remote.content.faults[base] = failing(RegistryUnavailableError("no endpoint is left"))
        raise BadRegistryAnswerError("digest does not match")

    remote.content.faults[base] = lie
    with pytest.raises(BadRegistryAnswerError, match="digest does not match"):
        pull(shop)
    assert_nothing_is_left(shop)
