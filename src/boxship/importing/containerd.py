"""Images and containers' files in containerd's stores, which dockerd uses instead of its own.

So it does where ``containerd-snapshotter`` is switched on, and from Docker 29 on where nothing was
there before. The stores lie below ``<root>/containerd/daemon`` if dockerd starts containerd itself,
else where the machine's containerd has them::

    <containerd>/
      io.containerd.metadata.v1.bolt/meta.db          v1/moby/images/<name>/target/digest
      io.containerd.content.v1.content/blobs/sha256/  manifests, configs and layers, as registries
                                                      have them
      io.containerd.snapshotter.v1.overlayfs/
        metadata.db                                   v1/snapshots/moby/<n>/<container>/id: uvarint
        snapshots/<id>/fs/                            what a container has written

(containerd, core/metadata/buckets.go and core/snapshots/storage/bolt.go.) What dockerd calls an
image's id is the digest of a manifest, or of an index of several; here it is that of a config.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from boxship.base.errors import UnavailableError
from boxship.importing.boltdb import DamagedDatabaseError, buckets, pairs
from boxship.importing.inventory import FoundImage, LeftOut
from boxship.importing.root import OVERLAYFS, DockerRoot
from boxship.importing.tarsplit import DamagedLayerError
from boxship.oci import platform, reference
from boxship.oci.image import (
    INDEX_TYPE,
    INDEX_TYPES,
    MANIFEST_TYPE,
    Descriptor,
    Image,
    Index,
    MalformedImageError,
    Manifest,
)
from boxship.oci.image import decode as decode_document
from boxship.oci.reference import InvalidReferenceError
from boxship.storage.chunks import CHUNK
from boxship.storage.tar.writer import file_header, padding

_IMAGES = (b"v1", b"moby", b"images")
_SNAPSHOTS = (b"v1", b"snapshots")
_UNNAMED = "moby-dangling@"
_NAME = "io.containerd.image.name"


@dataclass(frozen=True, slots=True)
class _Variant:
    """An image for one platform: its manifest's digest, its config's, and its layers'."""

    manifest: str
    config: str
    image: Image
    layers: tuple[Descriptor, ...]


def found(root: DockerRoot, left: list[LeftOut]) -> Iterator[FoundImage]:
    """Yield the images. UnavailableError: the database cannot be read."""
    if not root.uses_containerd:
        return
    by_target: dict[str, FoundImage] = {}
    for name, target in _targets(root):
        try:
            image = by_target.get(target) or _image(root, target)
            names = () if name.startswith(_UNNAMED) else (reference.parse(name).familiar,)
            by_target[target] = replace(image, names=tuple(sorted((*image.names, *names))))
        except (OSError, MalformedImageError, InvalidReferenceError) as error:
            left.append(LeftOut("image", name, f"it cannot be read: {error}"))
    yield from by_target.values()


def _targets(root: DockerRoot) -> Iterator[tuple[str, str]]:
    """Yield names, as they stand there, and the digests that they mean."""
    data = _database(root.containerd_metadata)
    try:
        for name in buckets(data, *_IMAGES):
            target = dict(pairs(data, *_IMAGES, name, b"target"))
            yield name.decode(errors="replace"), target.get(b"digest", b"").decode()
    except DamagedDatabaseError as error:
        raise UnavailableError(f"{root.containerd_metadata} cannot be read: {error}") from error


def _database(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UnavailableError(f"{path} cannot be read: {error}") from error


def _image(root: DockerRoot, target: str) -> FoundImage:
    variants = list(_variants(root, target))
    if not variants:
        raise FileNotFoundError(f"no platform of {target} is complete")
    here = platform.host()
    chosen = next((each for each in variants if here.asks_for(each.image.platform)), variants[0])
    layers = tuple(map(str, chosen.image.diff_ids))
    return FoundImage(chosen.config, OVERLAYFS, layers, target=target)


def _variants(root: DockerRoot, target: str) -> Iterator[_Variant]:
    """Yield what is whole of a manifest, or of the manifests of an index."""
    for digest in _manifests(root, target):
        try:
            manifest = decode_document(_blob(root, digest), Manifest)
            image = decode_document(_blob(root, manifest.config.digest), Image)
        except FileNotFoundError:
            continue  # an index lists platforms that nobody has pulled
        layers = tuple(manifest.layers or ())
        if all(os.path.exists(root.blob(layer.digest)) for layer in layers) and image.diff_ids:
            yield _Variant(digest, manifest.config.digest, image, layers)


def _manifests(root: DockerRoot, target: str) -> Iterator[str]:
    index = decode_document(_blob(root, target), Index)
    if not index.manifests:
        yield target
        return
    for child in index.manifests:
        if child.media_type in INDEX_TYPES:
            yield from _manifests(root, child.digest)
        elif child.platform is None or child.platform.os != "unknown":
            yield child.digest


def _blob(root: DockerRoot, digest: str) -> bytes:
    with open(root.blob(digest), "rb") as file:
        return file.read()


# ── handing over ─────────────────────────────────────────────────────────────────────────────────


def image_entries(
    root: DockerRoot, image: FoundImage, names: tuple[str, ...], wanted: frozenset[str]
) -> Iterator[bytes]:
    """Yield an OCI layout's entries: all platforms that are whole, of the layers those ``wanted``.

    The end of the archive is for the caller. DamagedLayerError.
    """
    try:
        sent = {image.target}
        yield from _document(root, image.target)
        for variant in _variants(root, image.target):
            for digest in (variant.manifest, variant.config):
                if digest not in sent:
                    sent.add(digest)
                    yield from _document(root, digest)
            own = variant.config != image.id
            for layer, diff_id in zip(variant.layers, variant.image.diff_ids, strict=False):
                if layer.digest not in sent and (own or str(diff_id) in wanted):
                    sent.add(layer.digest)
                    yield from _layer(root, layer.digest)
        yield from _index(root, image, names)
    except (OSError, MalformedImageError) as error:
        raise DamagedLayerError(f"{image.target} cannot be read: {error}") from error


def _document(root: DockerRoot, digest: str) -> Iterator[bytes]:
    yield from _file(_path(digest), _blob(root, digest))


def _layer(root: DockerRoot, digest: str) -> Iterator[bytes]:
    path = root.blob(digest)
    size = os.stat(path).st_size
    yield file_header(_path(digest), size)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
    yield padding(size)


def _index(root: DockerRoot, image: FoundImage, names: tuple[str, ...]) -> Iterator[bytes]:
    data = _blob(root, image.target)
    document = decode_document(data, Index)
    media_type = document.media_type or (INDEX_TYPE if document.manifests else MANIFEST_TYPE)
    plain = {"mediaType": media_type, "digest": image.target, "size": len(data)}
    named = [{**plain, "annotations": {_NAME: str(reference.parse(name))}} for name in names]
    index = {"schemaVersion": 2, "manifests": named or [plain]}
    yield from _file("index.json", json.dumps(index).encode())
    yield from _file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _file(name: str, data: bytes) -> Iterator[bytes]:
    yield file_header(name, len(data))
    yield data
    yield padding(len(data))


def container_tree(root: DockerRoot, container_id: str) -> str:
    """Return the directory of what a container has written. DamagedLayerError: there is none."""
    data = _database(root.snapshotter("metadata.db"))
    try:
        for name in buckets(data, *_SNAPSHOTS):
            if name.rpartition(b"/")[2] == container_id.encode():
                number = dict(pairs(data, *_SNAPSHOTS, name)).get(b"id", b"\0")
                return root.snapshotter("snapshots", str(_uvarint(number)), "fs")
    except DamagedDatabaseError as error:
        raise DamagedLayerError(f"containerd's snapshots cannot be read: {error}") from error
    raise DamagedLayerError(f"containerd has no snapshot of container {container_id}")


def _uvarint(data: bytes) -> int:
    """Read a number of Go's encoding/binary: seven bits a byte, the lowest first."""
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(data))
