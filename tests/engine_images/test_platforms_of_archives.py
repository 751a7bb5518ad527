"""Archives in every layout and compression, with several platforms; and pushes of those."""

import bz2
import gzip
import json
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import zstandard

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.distribution.registries import Registries
from boxship.engine.images.pushing import PushRequest
from boxship.model.image import LoadedImage, TransferDigest
from boxship.oci import platform, reference
from boxship.oci.digest import Digest
from boxship.oci.image import INDEX_TYPE, MANIFEST_TYPE
from boxship.oci.platform import Platform
from support.fakeregistry import FakeRegistry
from support.shop import Sample, Shop, archive, chunks, descriptor, files_of, oci_archive, run, sha
from support.tars import Member, directory, symlink, tar

pytestmark = pytest.mark.privileged

HOST = platform.host()
OTHER = Platform("linux", "s390x")
BASE = tar(Member("base", b"b" * 20_000))
NAME = "registry.test:5000/multi:1"
Pack = Callable[[bytes], bytes]
PACKS: dict[str, Pack] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def image(target: Platform, content: bytes) -> Sample:
    layers = (BASE, tar(Member("own", content)))
    config = {
        "architecture": target.architecture,
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha(layer)}" for layer in layers]},
        "x-unknown": [1, {"two": None}],
    }
    return Sample(layers, json.dumps(config).encode())


OURS, THEIRS = image(HOST, b"ours"), image(OTHER, b"theirs")


def manifest(of: Sample, pack: Pack, **more: Any) -> bytes:
    layer_type = "application/vnd.oci.image.layer.v1.tar"
    suffix = {gzip.compress: "+gzip", zstandard.compress: "+zstd"}.get(pack, "")
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": descriptor(of.config, "application/vnd.oci.image.config.v1+json"),
            "layers": [descriptor(pack(layer), layer_type + suffix) for layer in of.layers],
            **more,
        }
    ).encode()


def family(pack: Pack = gzip.compress, *, without: tuple[Sample, ...] = ()) -> bytes:
    """An OCI layout whose index has two platforms and an attestation; some are not carried."""
    entries, blobs = [], []
    for target, of in ((OTHER, THEIRS), (HOST, OURS)):
        document = manifest(of, pack, annotations={"of": str(target)})
        said = {"os": "linux", "architecture": target.architecture}
        entries.append(descriptor(document, MANIFEST_TYPE, platform=said))
        if of not in without:
            blobs += [document, of.config, *map(pack, of.layers)]
    unknown = {"os": "unknown", "architecture": "unknown"}
    entries.append(descriptor(b"attestation", MANIFEST_TYPE, platform=unknown))
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries}
    top = json.dumps(index).encode()
    named = {"annotations": {"io.containerd.image.name": NAME}}
    return oci_archive([descriptor(top, INDEX_TYPE, **named)], [top, *blobs])


def load(shop: Shop, data: bytes, *platforms: Platform) -> list[tuple[str, str]]:
    async def gather() -> list[tuple[str, str]]:
        events = shop.images.load(chunks(data), platforms)
        return [(e.id, e.reference) async for e in events if isinstance(e, LoadedImage)]

    return run(gather())


def save(shop: Shop, *platforms: Platform) -> bytes:
    async def gather() -> bytes:
        return b"".join([bytes(piece) async for piece in shop.images.save([NAME], platforms)])

    return run(gather())


def variants(shop: Shop) -> dict[str, str]:
    found = shop.scope.catalog.variants_of(reference.parse(NAME))
    return {str(variant.platform): str(variant.image_id) for variant in found}


@pytest.fixture
def registry(shop: Shop) -> FakeRegistry:
    fake = FakeRegistry()
    shop.registries.close()
    shop.scope.registries = cast(Registries, fake)
    return fake


def push(shop: Shop, name: str = NAME, target: Platform | None = None) -> TransferDigest:
    async def gather() -> TransferDigest:
        request = PushRequest(reference.parse(name), target)
        *_, last = [event async for event in shop.images.push(request)]
        assert isinstance(last, TransferDigest)
        return last

    return run(gather())


@pytest.mark.parametrize(
    ("inner", "outer"), [*((inner, "plain") for inner in PACKS), *(("gzip", o) for o in PACKS)]
)
def test_every_compression_of_layers_and_of_the_archive(shop: Shop, inner: str, outer: str) -> None:
    layers = {f"{n}/layer.tar": PACKS[inner](layer) for n, layer in enumerate(OURS.layers)}
    item = {"Config": "c.json", "RepoTags": [NAME], "Layers": list(layers)}
    files = {**layers, "c.json": OURS.config, "manifest.json": json.dumps([item]).encode()}
    assert load(shop, PACKS[outer](archive(files))) == [(OURS.id, NAME)]
    assert shop.images.inspect(NAME).config_json == OURS.config


def test_the_layout_of_old_with_directories_versions_and_links(shop: Shop) -> None:
    twice = image(HOST, b"x")
    item = {"Config": "c.json", "RepoTags": [NAME], "Layers": ["aa/layer.tar", "bb/layer.tar"]}
    members = []
    for name, layer in (("aa", twice.layers[0]), ("cc", twice.layers[1])):
        members += [
            directory(f"{name}/"),
            Member(f"{name}/VERSION", b"1.0"),
            Member(f"{name}/json", b'{"id": "old"}'),
            Member(f"{name}/layer.tar", layer),
        ]
    data = tar(
        *members,
        directory("bb/"),
        symlink("bb/layer.tar", "../cc/layer.tar"),
        Member("c.json", twice.config),
        Member("manifest.json", json.dumps([item]).encode()),
        Member("repositories", b'{"multi": {"1": "bb"}}'),
        format=tarfile.USTAR_FORMAT,
    )
    assert load(shop, data) == [(twice.id, NAME)]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, bytes])
def test_all_platforms_that_are_carried_are_kept(shop: Shop, pack: Pack) -> None:
    told = load(shop, family(pack))
    assert [name for _, name in told] == [NAME]
    assert variants(shop) == {str(HOST): OURS.id, str(OTHER): THEIRS.id}
    assert str(shop.images.resolve(NAME).id) == OURS.id
    assert str(shop.images.resolve(NAME, OTHER).id) == THEIRS.id
    assert shop.images.inspect(THEIRS.id).config_json == THEIRS.config
    run(shop.images.remove(NAME))
    assert shop.disk() == {}


def test_platforms_that_are_asked_for(shop: Shop) -> None:
    assert load(shop, family(), OTHER) == [(THEIRS.id, NAME)]
    assert variants(shop) == {str(OTHER): THEIRS.id}


def test_a_platform_that_is_not_in_it(shop: Shop) -> None:
    with pytest.raises(NotFoundError, match=r"linux/riscv64\) not found: the archive has"):
        load(shop, family(), Platform("linux", "riscv64"))
    assert shop.disk() == {}


def test_what_an_index_lists_and_the_archive_lacks_is_left_out(shop: Shop) -> None:
    load(shop, family(without=(THEIRS,)))
    assert variants(shop) == {str(HOST): OURS.id}


def test_layers_that_are_missing_of_all_platforms_are_an_error(shop: Shop) -> None:
    files = files_of(family())
    for of in (OURS, THEIRS):
        files.pop(f"blobs/sha256/{sha(gzip.compress(of.layers[1]))}", None)
    with pytest.raises(InvalidArgumentError, match="is missing"):
        load(shop, archive(files))
    assert shop.disk() == {}


def test_a_document_that_is_not_what_its_name_says(shop: Shop) -> None:
    files = files_of(family())
    files[f"blobs/sha256/{sha(OURS.config)}"] = OURS.config.replace(b"x-unknown", b"x-changed")
    with pytest.raises(InvalidArgumentError, match="is not what its name says"):
        load(shop, archive(files))


def test_a_saved_family_is_loaded_as_one(shop: Shop, tmp_path: Path) -> None:
    load(shop, family())
    saved = save(shop)
    assert saved == save(shop)
    (item,) = json.loads(files_of(saved)["manifest.json"])
    assert item["Config"].endswith(OURS.id.removeprefix("sha256:"))
    other = Shop(tmp_path / "other")
    try:
        load(other, saved)
        assert variants(other) == variants(shop)
    finally:
        other.close()


def test_saving_one_platform(shop: Shop) -> None:
    load(shop, family())
    files = files_of(save(shop, OTHER))
    (item,) = json.loads(files["manifest.json"])
    assert item["Config"].endswith(THEIRS.id.removeprefix("sha256:"))
    assert f"blobs/sha256/{sha(OURS.config)}" not in files
    with pytest.raises(NotFoundError, match="does not provide the specified platform"):
        save(shop, Platform("linux", "riscv64"))


def test_with_kept_blobs_an_archive_comes_out_as_it_went_in(shop: Shop) -> None:
    shop.scope.keep_blobs = True
    data = family()
    load(shop, data)
    before, after = files_of(data), files_of(save(shop))
    blobs = {name for name in before if name.startswith("blobs/")}
    carried = {name for name in blobs if before[name] == after.get(name)}
    # All but the index: the attestation it names was not carried.
    assert len(blobs - carried) == 1
    run(shop.images.remove(NAME))
    assert shop.disk() == {}


def test_a_push_brings_all_platforms_and_an_index(shop: Shop, registry: FakeRegistry) -> None:
    load(shop, family())
    top = push(shop)
    stored = registry.repository(reference.parse(NAME)).manifests
    assert Digest.of(stored["1"].data) == Digest.parse(top.digest)
    index = json.loads(stored["1"].data)
    assert index["mediaType"] == INDEX_TYPE
    found = {entry["platform"]["architecture"]: entry for entry in index["manifests"]}
    assert set(found) == {HOST.architecture, OTHER.architecture}
    for target, of in ((HOST, OURS), (OTHER, THEIRS)):
        document = json.loads(stored[found[target.architecture]["digest"]].data)
        assert document["config"]["digest"] == of.id
        assert document["annotations"] == {"of": str(target)}
    assert push(shop) == top


def test_a_push_of_one_platform_is_a_manifest(shop: Shop, registry: FakeRegistry) -> None:
    load(shop, family())
    push(shop, NAME, OTHER)
    stored = registry.repository(reference.parse(NAME)).manifests
    assert set(stored) == {"1"}
    assert json.loads(stored["1"].data)["config"]["digest"] == THEIRS.id


def test_with_kept_blobs_a_push_repeats_the_manifests(shop: Shop, registry: FakeRegistry) -> None:
    shop.scope.keep_blobs = True
    load(shop, family(zstandard.compress))
    push(shop)
    stored = registry.repository(reference.parse(NAME)).manifests
    expected = {
        str(Digest.of(manifest(of, zstandard.compress, annotations={"of": str(target)})))
        for target, of in ((OTHER, THEIRS), (HOST, OURS))
    }
    assert set(stored) == expected | {"1"}
    assert registry.counts["upload"] == 0


def test_layers_made_anew_stay_in_the_family_of_their_manifest(
    shop: Shop, registry: FakeRegistry
) -> None:
    load(shop, family(zstandard.compress))
    push(shop, NAME, HOST)
    stored = registry.repository(reference.parse(NAME)).manifests["1"]
    document = json.loads(stored.data)
    assert stored.media_type == document["mediaType"] == MANIFEST_TYPE
    assert document["annotations"] == {"of": str(HOST)}
    types = {layer["mediaType"] for layer in document["layers"]}
    assert types == {"application/vnd.oci.image.layer.v1.tar+gzip"}
