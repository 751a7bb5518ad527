"""Image archives and documents that mean harm: refused in words, and nothing of them stays."""

import json
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from boxship.base.errors import BoxshipError, InvalidArgumentError, NotFoundError
from boxship.engine.images.catalog import ImageRecord, understand
from boxship.engine.images.fetching import chosen, layers_of
from boxship.engine.images.layout import MalformedArchiveError, images_of
from boxship.oci.digest import Digest
from boxship.oci.image import (
    CONFIG_TYPE,
    INDEX_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    Image,
    Index,
    MalformedImageError,
    Manifest,
    decode,
)
from boxship.oci.platform import Platform
from support.hostile import archives, documents, spoiled
from support.shop import Shop, archive, descriptor, run, sample, sha
from support.tars import Member, hard_link, symlink, tar

privileged = pytest.mark.privileged
quietly = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

IMAGE = sample(tar(Member("a", b"a")), tar(Member("b", b"b")), Labels={"x": "y"}, Env=["A=b"])
CONFIG = json.loads(IMAGE.config)
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": MANIFEST_TYPE,
    "config": descriptor(IMAGE.config, CONFIG_TYPE),
    "layers": [descriptor(layer, LAYER_TYPE) for layer in IMAGE.layers],
}
MANIFEST_BLOB = json.dumps(MANIFEST).encode()
PLATFORM = {"architecture": "amd64", "os": "linux"}
INDEX = {
    "schemaVersion": 2,
    "mediaType": INDEX_TYPE,
    "manifests": [descriptor(MANIFEST_BLOB, MANIFEST_TYPE, platform=PLATFORM)],
}
DOCKER = [
    {
        "Config": f"blobs/sha256/{IMAGE.id[7:]}",
        "RepoTags": ["app:1", "quay.io/app:2"],
        "Layers": [f"blobs/sha256/{sha(layer)}" for layer in IMAGE.layers],
    }
]
BLOBS = {f"blobs/sha256/{sha(blob)}": blob for blob in (IMAGE.config, MANIFEST_BLOB, *IMAGE.layers)}
HOST = Platform("linux", "amd64")


@privileged
@given(text=spoiled(DOCKER))
@quietly
def test_a_spoiled_manifest_json(shop: Shop, text: bytes) -> None:
    survives(shop, archive({"manifest.json": text, **BLOBS}))


@privileged
@given(text=spoiled(INDEX))
@quietly
def test_a_spoiled_index_json(shop: Shop, text: bytes) -> None:
    survives(shop, archive({"index.json": text, **BLOBS}))


@privileged
@given(text=spoiled(CONFIG))
@quietly
def test_a_spoiled_config(shop: Shop, text: bytes) -> None:
    item = DOCKER[0] | {"Config": "config.json"}
    files = {"config.json": text, "manifest.json": json.dumps([item]).encode(), **BLOBS}
    survives(shop, archive(files))


@privileged
@given(data=archives())
@quietly
def test_any_tar_is_no_image(shop: Shop, data: bytes) -> None:
    survives(shop, data)


def survives(shop: Shop, packed: bytes) -> None:
    """Loading works, and so does all that looks at it; or it is refused and leaves nothing."""
    try:
        shop.load(packed)
    except (InvalidArgumentError, NotFoundError) as error:
        assert str(error)
        assert shop.disk() == {}
        assert shop.tags() == {}
        return
    for image in shop.tags():
        assert shop.images.inspect(image).id == image
        shop.images.history(image)
        shop.images.layers(image)
        assert shop.save(image)
    assert shop.images.disk_usage().count == len(shop.tags())
    for image in shop.tags():
        run(shop.images.remove(image, force=True))
    assert shop.disk() == {}


# ── documents by themselves ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "good"),
    [(Image, CONFIG), (Manifest, MANIFEST), (Index, INDEX)],
    ids=["image", "manifest", "index"],
)  # fmt: skip
@given(data=st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_documents_are_read_or_refused(
    kind: type, good: dict[str, Any], data: st.DataObject
) -> None:
    text = data.draw(spoiled(good) | documents.map(lambda each: json.dumps(each).encode()))
    try:
        found = decode(text, kind)
        if isinstance(found, Image):
            understand(ImageRecord(IMAGE.id, 0, (), 0), text)
            layers_of(decode(MANIFEST_BLOB, Manifest), found)
        elif isinstance(found, Manifest):
            layers_of(found, decode(IMAGE.config, Image))
        elif isinstance(found, Index):
            chosen(found.manifests or (), HOST)
    except (MalformedImageError, BoxshipError) as error:
        assert str(error)


@pytest.mark.parametrize("kind", [Image, Manifest, Index])
@pytest.mark.parametrize(
    "text",
    [b"", b"null", b"[]", b"[" * 200_000, b'{"a":' * 200_000, b"\xff"],
    ids=["nothing", "null", "list", "deep-lists", "deep-objects", "not-utf-8"],
)
def test_what_is_no_document(kind: type, text: bytes) -> None:
    with pytest.raises(MalformedImageError):
        decode(text, kind)


# ── archives made to be expensive ────────────────────────────────────────────────────────────


def many_names() -> dict[str, bytes]:
    tags = ",".join(f'"a:{n}"' for n in range(700_000))
    item = f'{{"Config":"blobs/sha256/{IMAGE.id[7:]}","RepoTags":[{tags}],"Layers":[]}}'
    return {"manifest.json": f"[{item}]".encode()}


def many_images() -> dict[str, bytes]:
    big = json.dumps(CONFIG | {"padding": "x" * (4 << 20)}).encode()
    items = ",".join(['{"Config":"config.json","Layers":[]}'] * 50_000)
    return {"config.json": big, "manifest.json": f"[{items}]".encode()}


def many_indexes() -> dict[str, bytes]:
    """Each lists the next a thousand times: a billion ways to one manifest."""
    found = {}
    below = descriptor(MANIFEST_BLOB, MANIFEST_TYPE, platform=PLATFORM)
    for _ in range(4):
        text = json.dumps({"manifests": [below] * 1000}).encode()
        found[f"blobs/sha256/{sha(text)}"] = text
        below = descriptor(text, INDEX_TYPE)
    return found | {"index.json": json.dumps({"manifests": [below] * 1000}).encode()}


def many_large_manifests() -> dict[str, bytes]:
    """One of 6 MiB, listed 40,000 times."""
    text = json.dumps(MANIFEST | {"padding": "x" * (6 << 20)}).encode()
    listed = ",".join([json.dumps(descriptor(text, MANIFEST_TYPE))] * 40_000)
    index = f'{{"manifests":[{listed}]}}'.encode()
    return {f"blobs/sha256/{sha(text)}": text, "index.json": index}


def long_history() -> dict[str, bytes]:
    text = json.dumps(CONFIG | {"history": []})[:-2] + "{}," * 1_000_000 + "{}]}"
    item = DOCKER[0] | {"Config": "config.json"}
    return {"config.json": text.encode(), "manifest.json": json.dumps([item]).encode()}


@pytest.mark.parametrize(
    "made", [many_names, many_images, many_indexes, many_large_manifests, long_history]
)
def test_what_would_be_expensive_is_cheap(made: Callable[[], dict[str, bytes]]) -> None:
    files = {**BLOBS, **made()}
    begun = time.process_time()
    tracemalloc.start()
    try:
        try:
            found = images_of(files)
        except MalformedArchiveError:
            found = []
        for image in found:
            decode(image.config, Image)
    except MalformedImageError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 250 << 20
    assert time.process_time() - begun < 10


# ── single cases ─────────────────────────────────────────────────────────────────────────────


@privileged
@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(tar(symlink("manifest.json", "manifest.json")), id="link-to-itself"),
        pytest.param(
            tar(symlink("a", "b"), symlink("b", "a"), Member("manifest.json", b'[{"Config":"a"}]')),
            id="links-in-a-circle",
        ),
        pytest.param(
            tar(hard_link("c", "/etc/passwd"), Member("manifest.json", b'[{"Config":"c"}]')),
            id="host-link",
        ),
        pytest.param(
            tar(Member("manifest.json", b'[{"Config":"../../etc/passwd"}]')), id="host-path"
        ),
        pytest.param(tar(Member("manifest.json", b"[" * 100_000)), id="deep-json"),
        pytest.param(tar(Member("manifest.json", b"null")), id="null"),
        pytest.param(tar(Member("manifest.json", b"[]")), id="no-images"),
        pytest.param(tar(Member("index.json", b'{"manifests":null}')), id="empty-index"),
        pytest.param(tar(Member("manifest.json", b'[{"Config":"manifest.json"}]')), id="itself"),
        pytest.param(tar(), id="empty"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x1f\x8b\x08", id="cut-off-gzip"),
        pytest.param(b"PK\x03\x04" + bytes(600), id="zip"),
    ],
)  # fmt: skip
def test_single_cases(shop: Shop, packed: bytes) -> None:
    with pytest.raises(InvalidArgumentError):
        shop.load(packed)
    assert shop.disk() == {}


@privileged
def test_of_files_with_the_same_name_the_last_counts(shop: Shop) -> None:
    """As a tool that unpacked the archive first would see it."""
    other = sample(tar(Member("other", b"x")))
    files = [Member(name, data) for name, data in BLOBS.items()]
    first = Member("manifest.json", b"[]")
    last = Member("manifest.json", json.dumps(DOCKER).encode())
    assert shop.loaded(tar(first, *files, last))[0][0] == IMAGE.id
    assert other.id not in shop.tags()
    assert Digest.parse(IMAGE.id).hex in shop.disk()["blobs/sha256"]
