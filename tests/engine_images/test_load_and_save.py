"""Archives in and out: both layouts, exact bytes, and nothing half made."""

import asyncio
import gzip
import json
import tarfile
from collections.abc import AsyncIterator

import pytest
import zstandard

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.model.image import ImageQuery, LoadedImage, LoadingLayer
from boxship.oci.digest import Digest
from boxship.oci.image import INDEX_TYPE, LAYER_TYPE, MANIFEST_TYPE
from support.shop import (
    Sample,
    Shop,
    archive,
    chunks,
    descriptor,
    docker_archive,
    files_of,
    oci_archive,
    run,
    sample,
    sha,
)
from support.tars import Member, directory, hard_link, symlink, tar

pytestmark = pytest.mark.privileged

BASE = tar(directory("etc"), Member("etc/os", b"x" * 3000))
APP = tar(Member("app", b"app" * 10_000))
IMAGE = sample(BASE, APP)


def oci_manifest(image: Sample, layers: list[bytes] | None = None) -> bytes:
    return json.dumps(
        {
            "schemaVersion": 2,
            "config": descriptor(image.config, "application/vnd.oci.image.config.v1+json"),
            "layers": [descriptor(layer, LAYER_TYPE) for layer in layers or image.layers],
        }
    ).encode()


@pytest.mark.parametrize("manifest_first", [True, False])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
@pytest.mark.parametrize("step", [97, 100_000])
def test_a_docker_archive(shop: Shop, manifest_first: bool, pack: object, step: int) -> None:
    assert callable(pack)
    packed = pack(docker_archive((IMAGE, ["app:1", "app:2"]), manifest_first=manifest_first))
    shop.load(packed, step=step)
    assert shop.tags() == {IMAGE.id: ("app:1", "app:2")}
    detail = shop.images.inspect("app:1")
    assert detail.config_json == IMAGE.config
    assert detail.size == 3000 + 30_000
    assert shop.actions() == ["load"]


def test_an_image_without_names_is_told_by_its_id(shop: Shop) -> None:
    assert shop.loaded(docker_archive((IMAGE, []))) == [(IMAGE.id, "")]
    assert shop.images.resolve(IMAGE.id[:15]).id == Digest.parse(IMAGE.id)


def test_several_images_share_their_layers(shop: Shop) -> None:
    other = sample(BASE, created="2025-01-01T00:00:00Z")
    told = shop.loaded(docker_archive((IMAGE, ["a:1"]), (other, ["b:1"])))
    assert told == [(IMAGE.id, "a:1"), (other.id, "b:1")]
    assert len(shop.disk()["layers/sha256"]) == 2
    sizes = {i.tags[0]: i.shared_size for i in shop.images.list(ImageQuery(shared_size=True))}
    assert sizes == {"a:1": 3000, "b:1": 3000}


def test_repeated_layers_as_links(shop: Shop) -> None:
    twice = sample(BASE, APP, BASE)
    manifest = [{"Config": "c.json", "RepoTags": None, "Layers": ["1/l", "2/l", "3/l"]}]
    data = tar(
        Member("1/l", BASE),
        Member("2/l", APP),
        symlink("3/l", "../4/l"),
        hard_link("4/l", "1/l"),
        Member("c.json", twice.config),
        Member("manifest.json", json.dumps(manifest).encode()),
    )
    assert shop.loaded(data) == [(twice.id, "")]
    assert b"".join(shop.storage.layers.tar(Digest.of(BASE))) == BASE


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_an_oci_layout(shop: Shop, pack: object) -> None:
    assert callable(pack)
    layers = [pack(layer) for layer in IMAGE.layers]
    manifest = oci_manifest(IMAGE, layers)
    named = {"annotations": {"io.containerd.image.name": "docker.io/library/app:1"}}
    bare = {"annotations": {"org.opencontainers.image.ref.name": "2"}}
    index = [descriptor(manifest, MANIFEST_TYPE, **more) for more in (named, bare)]
    told = shop.loaded(oci_archive(index, [IMAGE.config, manifest, *layers]))
    assert told == [(IMAGE.id, "app:1")]


def test_of_several_platforms_the_one_for_this_machine(shop: Shop) -> None:
    foreign = sample(tar(Member("foreign", b"x")))
    manifests = {"s390x": oci_manifest(foreign), "amd64": oci_manifest(IMAGE)}
    manifests["arm64"] = manifests["amd64"]
    platforms = [
        descriptor(manifest, MANIFEST_TYPE, platform={"os": "linux", "architecture": name})
        for name, manifest in manifests.items()
    ]
    unknown = {"os": "unknown", "architecture": "unknown"}
    platforms.append(descriptor(b"attestation", MANIFEST_TYPE, platform=unknown))
    inner = json.dumps({"schemaVersion": 2, "manifests": platforms}).encode()
    blobs = [inner, *manifests.values(), IMAGE.config, *IMAGE.layers]
    name = {"annotations": {"org.opencontainers.image.ref.name": "quay.io/app:1"}}
    told = shop.loaded(oci_archive([descriptor(inner, INDEX_TYPE, **name)], blobs))
    assert told == [(IMAGE.id, "quay.io/app:1")]


def test_an_image_for_another_machine_is_taken_if_it_is_all_there_is(shop: Shop) -> None:
    foreign = oci_manifest(IMAGE)
    platform = {"os": "linux", "architecture": "s390x"}
    entry = descriptor(foreign, MANIFEST_TYPE, platform=platform)
    missing = descriptor(b"not in the archive", MANIFEST_TYPE)
    inner = json.dumps({"schemaVersion": 2, "manifests": [missing, entry]}).encode()
    blobs = [inner, foreign, IMAGE.config, *IMAGE.layers]
    assert shop.loaded(oci_archive([descriptor(inner, INDEX_TYPE)], blobs)) == [(IMAGE.id, "")]
    assert shop.loaded(oci_archive([entry], blobs)) == [(IMAGE.id, "")]


def test_a_name_moves_to_the_newer_image(shop: Shop) -> None:
    newer = sample(APP)
    shop.load(docker_archive((IMAGE, ["app:1"])))
    shop.load(docker_archive((newer, ["app:1"])))
    assert shop.tags() == {IMAGE.id: (), newer.id: ("app:1",)}


def test_loading_again_changes_nothing(shop: Shop) -> None:
    data = docker_archive((IMAGE, ["app:1"]))
    shop.load(data)
    before = shop.disk()
    assert shop.loaded(data) == [(IMAGE.id, "app:1")]
    assert shop.disk() == before


def test_progress_of_big_layers_is_told(shop: Shop) -> None:
    big = sample(tar(Member("big", b"x" * (12 << 20))))
    events = shop.load(docker_archive((big, ["big:1"])), step=1 << 20)
    progress = [event for event in events if isinstance(event, LoadingLayer)]
    assert progress[-1].current == progress[-1].total == len(big.layers[0])
    assert isinstance(events[-1], LoadedImage)


def test_layers_of_a_saved_archive_are_told_apart(shop: Shop) -> None:
    """Their paths begin alike, and clients show twelve characters."""
    big = sample(*(tar(Member(name, name.encode() * (5 << 20))) for name in "ab"))
    shop.load(docker_archive((big, ["big:1"])))
    saved = shop.save("big:1")
    run(shop.images.remove("big:1"))
    events = shop.load(saved, step=1 << 20)
    told = {event.layer for event in events if isinstance(event, LoadingLayer)}
    assert told == {f"sha256:{sha(layer)}" for layer in big.layers}


def test_everything_is_there_after_a_restart(shop: Shop) -> None:
    shop.load(docker_archive((IMAGE, ["app:1"])))
    saved = shop.save("app:1")
    shop.images.list(ImageQuery())
    again = shop.reopened()
    try:
        run(again.images.recover([]))
        assert again.tags() == {IMAGE.id: ("app:1",)}
        assert again.save("app:1") == saved
    finally:
        again.close()


def corrupt(name: str, data: bytes) -> bytes:
    """A good archive with one file replaced (or, by empty data, left out)."""
    files = files_of(docker_archive((IMAGE, ["app:1"])))
    found = next(path for path in files if path.endswith(name))
    files[found] = data
    return archive({path: content for path, content in files.items() if content})


CONFIG = f"{sha(IMAGE.config)}.json"
LAYER = f"{sha(APP)[:20]}/layer.tar"
BAD = {
    "empty": (b"", "manifest.json"),
    "text": (b"this is no archive at all", "invalid image archive"),
    "cut": (docker_archive((IMAGE, ["app:1"]))[:20_000], "unexpected EOF"),
    "no manifest": (corrupt("manifest.json", b""), "neither manifest.json nor index.json"),
    "bad manifest": (corrupt("manifest.json", b"[{]"), "manifest.json"),
    "other manifest": (corrupt("manifest.json", b'{"a": 1}'), "manifest.json"),
    "no images": (corrupt("manifest.json", b"[]"), "no image"),
    "no config": (corrupt(CONFIG, b""), "is missing"),
    "bad config": (corrupt(CONFIG, b'{"rootfs": 5}'), "rootfs"),
    "other system": (
        corrupt(CONFIG, IMAGE.config.replace(b'"linux"', b'"windows"')), "windows image on linux"
    ),
    "too few layers": (
        corrupt(CONFIG, sample(BASE).config), "layers length mismatch: expected 1, got 2"
    ),
    "layer is missing": (corrupt(LAYER, b""), "is missing"),
    "layer is another": (corrupt(LAYER, BASE), "invalid diffID for layer 1"),
    "layer is rubbish": (corrupt(LAYER, b"\x1f\x8b\x08" + b"x" * 600), "invalid layer archive"),
    "layer climbs out": (corrupt(LAYER, tar(Member("../x", b"1"))), "outside"),
    "bad name": (docker_archive((IMAGE, ["App:1"])), "must be lowercase"),
    "name without tag": (docker_archive((IMAGE, ["app"])), 'invalid tag "app"'),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_archives_are_refused_and_leave_nothing(shop: Shop, case: str) -> None:
    data, message = BAD[case]
    with pytest.raises(InvalidArgumentError, match=message):
        shop.load(data)
    assert shop.disk() == {}
    assert shop.tags() == {}
    assert shop.actions() == []


def test_a_blob_that_is_not_what_its_name_says(shop: Shop) -> None:
    manifest = oci_manifest(IMAGE)
    data = oci_archive([descriptor(manifest, MANIFEST_TYPE)], [IMAGE.config, manifest])
    files = files_of(data) | {
        f"blobs/sha256/{sha(BASE)}": APP,
        f"blobs/sha256/{sha(APP)}": BASE,
    }
    with pytest.raises(InvalidArgumentError, match="was announced"):
        shop.load(archive(files))
    assert shop.disk() == {}


def test_an_upload_that_breaks_off_leaves_nothing(shop: Shop) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield docker_archive((IMAGE, ["app:1"]))[:20_000]
        raise ConnectionResetError("the client is gone")

    async def load() -> None:
        async for _ in shop.images.load(broken()):
            pass

    with pytest.raises(ConnectionResetError):
        run(load())
    assert shop.disk() == {}


def test_a_cancelled_load_leaves_nothing(shop: Shop) -> None:
    async def load() -> None:
        reached = asyncio.Event()

        async def stalled() -> AsyncIterator[bytes]:
            yield docker_archive((IMAGE, ["app:1"]))[:20_000]
            reached.set()
            await asyncio.Event().wait()

        async def consume() -> None:
            async for _ in shop.images.load(stalled()):
                pass

        task = asyncio.ensure_future(consume())
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(load())
    assert shop.disk() == {}


def test_two_loads_at_once(shop: Shop) -> None:
    async def load() -> None:
        async def one(data: bytes) -> None:
            async for _ in shop.images.load(chunks(data, 3000)):
                pass

        first = docker_archive((IMAGE, ["app:1"]))
        second = docker_archive((IMAGE, ["app:2"]), manifest_first=True)
        await asyncio.gather(*(one(data) for data in (first, second, first, second)))

    run(load())
    assert shop.tags() == {IMAGE.id: ("app:1", "app:2")}
    assert len(shop.disk()["layers/sha256"]) == 2
    assert "tmp" not in shop.disk()


def test_saving_is_deterministic_and_can_be_loaded_again(shop: Shop) -> None:
    other = sample(APP, Labels={"a": "b"})
    shop.load(docker_archive((IMAGE, ["app:1", "quay.io/app:2"]), (other, [])))
    references = ["app:1", "quay.io/app:2", other.id[7:19]]
    data = shop.save(*references)
    assert data == shop.save(*references)
    files = files_of(data)
    assert files[f"blobs/sha256/{sha(BASE)}"] == BASE
    assert files[f"blobs/sha256/{sha(IMAGE.config)}"] == IMAGE.config
    items = json.loads(files["manifest.json"])
    assert [item.get("RepoTags") for item in items] == [["app:1", "quay.io/app:2"], None]
    for name, content in files.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{sha(content)}"

    for image in (IMAGE, other):
        run(shop.images.remove(image.id, force=True))
    assert shop.disk() == {}
    told = shop.loaded(data)
    assert told == [(IMAGE.id, "app:1"), (IMAGE.id, "quay.io/app:2"), (other.id, "")]
    assert shop.save(*references) == data
    del files["manifest.json"]
    assert shop.loaded(archive(files)) == told


def test_a_bare_repository_saves_all_its_tags(shop: Shop) -> None:
    shop.load(docker_archive((IMAGE, ["app:1", "app:2", "application:1"])))
    items = json.loads(files_of(shop.save("app"))["manifest.json"])
    assert [item["RepoTags"] for item in items] == [["app:1", "app:2"]]
    (item,) = json.loads(files_of(shop.save("app:2"))["manifest.json"])
    assert item["RepoTags"] == ["app:2"]


def test_saving_what_is_not_there_fails_at_once(shop: Shop) -> None:
    shop.load(docker_archive((IMAGE, ["app:1"])))
    with pytest.raises(NotFoundError, match="No such image: app:3"):
        shop.images.save(["app:1", "app:3"])


def test_saved_archives_are_plain_ustar(shop: Shop) -> None:
    shop.load(docker_archive((IMAGE, ["app:1"])))
    shop.place.joinpath("saved.tar").write_bytes(shop.save("app:1"))
    with tarfile.open(shop.place / "saved.tar") as opened:
        names = [member.name for member in opened]
    assert names == sorted(names)
    assert {"index.json", "manifest.json", "oci-layout", "repositories"} <= set(names)
