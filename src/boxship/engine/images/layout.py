"""What an image archive says it holds: pure reading of its JSON documents.

Two layouts, which ``docker save`` of today writes into one archive::

    Docker's   manifest.json             [{"Config": path, "RepoTags": […], "Layers": [path…]}]
    OCI's      index.json, oci-layout    {"manifests": [descriptor…]} → manifest → config, layers
               blobs/sha256/<hex>                                     → index → manifests

``manifest.json`` counts if it is there; but it can't tell of platforms, so an image of it that an
OCI index lists brings its siblings along. Of an index all platforms are found that the archive
carries; attestations are left out.
"""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec

from boxship.base.errors import InvalidArgumentError
from boxship.oci import platform, reference
from boxship.oci.digest import Digest, DigestError
from boxship.oci.image import (
    INDEX_TYPES,
    Descriptor,
    Image,
    Index,
    MalformedImageError,
    Manifest,
    decode,
)
from boxship.oci.platform import Platform
from boxship.oci.reference import InvalidReferenceError, Reference

Documents = Mapping[str, bytes]
"""The archive's small files by normalised path."""

_CONTAINERD_NAME = "io.containerd.image.name"
_OCI_NAME = "org.opencontainers.image.ref.name"
_DEEPEST = 4
_MOST_IMAGES = 5_000
_MOST_NAMES = 20_000


class MalformedArchiveError(InvalidArgumentError):
    """The archive is not an image archive, or a broken one."""


class ManifestItem(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    """One image of ``manifest.json``."""

    config: str
    repo_tags: tuple[str, ...] | None = None
    layers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ArchiveImage:
    """One image of an archive: its config document, where its layers are, and its names.

    ``manifest`` is there if an OCI layout brought it, ``platform`` and ``index`` if an index named
    it for that platform.
    """

    config: bytes
    layers: tuple[str, ...]
    names: tuple[Reference, ...]
    manifest: bytes | None = None
    platform: Platform | None = None
    index: bytes | None = None


def images_of(documents: Documents) -> list[ArchiveImage]:
    """Find the images. Raise MalformedArchiveError."""
    try:
        if "manifest.json" in documents:
            return list(_with_siblings(_docker(documents), documents))
        if "index.json" in documents:
            return _merged(_oci(_Verified(documents)))
    except (MalformedImageError, DigestError, InvalidReferenceError) as error:
        raise MalformedArchiveError(f"invalid image archive: {error}") from error
    raise MalformedArchiveError("invalid image archive: neither manifest.json nor index.json in it")


def _docker(documents: Documents) -> Iterator[ArchiveImage]:
    try:
        items = msgspec.json.decode(documents["manifest.json"], type=tuple[ManifestItem, ...])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedArchiveError(f"invalid image archive: manifest.json: {error}") from error
    _check_amount(len(items), sum(len(item.repo_tags or ()) for item in items))
    found: dict[str, ArchiveImage] = {}
    for item in items:
        names = []
        for text in item.repo_tags or ():
            name = reference.parse(text)
            if not name.tag:
                raise MalformedArchiveError(f'invalid tag "{text}"')
            names.append(name)
        layers = tuple(posixpath.normpath(path).lstrip("/") for path in item.layers or ())
        before = found.get(item.config) or ArchiveImage(
            _document(documents, item.config), layers, ()
        )
        found[item.config] = replace(before, names=(*before.names, *names))
    yield from found.values()


def _with_siblings(images: Iterator[ArchiveImage], documents: Documents) -> Iterator[ArchiveImage]:
    """Give an image that an OCI index lists the other platforms of that index as well."""
    listed = list(_oci(_Verified(documents))) if "index.json" in documents else []
    families = {image.config: image.index for image in listed if image.index is not None}
    for image in images:
        index = families.get(image.config)
        if index is None:
            yield image
            continue
        for sibling in listed:
            if sibling.index == index:
                yield replace(sibling, names=image.names)


def _oci(blobs: "_Verified") -> Iterator[ArchiveImage]:
    top = decode(blobs.documents["index.json"], Index)
    _check_amount(0, len(top.manifests or ()))
    seen: set[tuple[str, Reference | None]] = set()
    for descriptor in top.manifests or ():
        name = _name(descriptor)
        if (descriptor.digest, name) in seen or not _is_image(descriptor):
            continue
        seen.add((descriptor.digest, name))
        names = (name,) if name else ()
        if descriptor.media_type not in INDEX_TYPES:
            yield _image(blobs, descriptor, names)
            continue
        index = blobs.read(descriptor)
        for child in _children(blobs, descriptor, _DEEPEST, set()):
            image = _image(blobs, child, names)
            yield replace(image, platform=_platform(child, image), index=index)


def _children(
    blobs: "_Verified", index: Descriptor, depth: int, seen: set[tuple[str, str]]
) -> Iterator[Descriptor]:
    """Yield the manifests of an index that the archive carries; it may list others.

    Each is followed once for a platform, however often and on however many ways it is listed.
    """
    if not depth:
        raise MalformedArchiveError("invalid image archive: indexes are nested too deeply")
    for child in blobs.index(index).manifests or ():
        key = (child.digest, str(child.platform))
        if key in seen or not _is_image(child) or _path(child) not in blobs.documents:
            continue
        seen.add(key)
        _check_amount(len(seen), 0)
        if child.media_type in INDEX_TYPES:
            yield from _children(blobs, child, depth - 1, seen)
        elif _path(blobs.manifest(child).config) in blobs.documents:
            yield child


def _image(
    blobs: "_Verified", descriptor: Descriptor, names: tuple[Reference, ...]
) -> ArchiveImage:
    manifest = blobs.manifest(descriptor)
    layers = tuple(_path(layer) for layer in manifest.layers or ())
    return ArchiveImage(blobs.read(manifest.config), layers, names, blobs.read(descriptor))


class _Verified:
    """The documents of a layout by their descriptors: each is hashed and decoded once."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self._found: dict[str, bytes] = {}
        self._manifests: dict[str, Manifest] = {}
        self._indexes: dict[str, Index] = {}

    def read(self, descriptor: Descriptor) -> bytes:
        """Return the bytes. Raise MalformedArchiveError if they are not what is described."""
        found = self._found.get(descriptor.digest)
        if found is None:
            found = self._found[descriptor.digest] = _blob(self.documents, descriptor)
        return found

    def manifest(self, descriptor: Descriptor) -> Manifest:
        found = self._manifests.get(descriptor.digest)
        if found is None:
            found = self._manifests[descriptor.digest] = decode(self.read(descriptor), Manifest)
        return found

    def index(self, descriptor: Descriptor) -> Index:
        found = self._indexes.get(descriptor.digest)
        if found is None:
            found = self._indexes[descriptor.digest] = decode(self.read(descriptor), Index)
        return found


def _check_amount(images: int, names: int) -> None:
    """Refuse what nobody can have meant, before it costs memory and time."""
    if images > _MOST_IMAGES or names > _MOST_NAMES:
        raise MalformedArchiveError(
            f"invalid image archive: more than {_MOST_IMAGES} images or {_MOST_NAMES} names"
        )


def _platform(descriptor: Descriptor, image: ArchiveImage) -> Platform:
    said = descriptor.platform
    if said is None or not said.architecture:
        return decode(image.config, Image).platform
    return platform.platform(said.os, said.architecture, said.variant)


def _is_image(descriptor: Descriptor) -> bool:
    """Attestations stand beside images, for a platform ``unknown/unknown``."""
    return descriptor.platform is None or descriptor.platform.os != "unknown"


def _name(descriptor: Descriptor) -> Reference | None:
    """Read the name an index gives; a bare tag, as some tools write, is not enough for one."""
    annotations = descriptor.annotations or {}
    text = annotations.get(_CONTAINERD_NAME) or annotations.get(_OCI_NAME, "")
    if not text or (":" not in text and "/" not in text):
        return None
    name = reference.parse(text).with_default_tag()
    return None if name.digest else name


def _merged(images: Iterator[ArchiveImage]) -> list[ArchiveImage]:
    """An index has an entry per name: gather the names of the same image."""
    merged: dict[tuple[bytes, bytes | None], ArchiveImage] = {}
    for image in images:
        key = (image.config, image.index)
        before = merged.get(key)
        added = [n for n in image.names if before is None or n not in before.names]
        merged[key] = replace(before or image, names=(*(before.names if before else ()), *added))
    return list(merged.values())


def _path(descriptor: Descriptor) -> str:
    digest = Digest.parse(descriptor.digest)
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _blob(documents: Documents, descriptor: Descriptor) -> bytes:
    """Return a document by its descriptor, verified."""
    path = _path(descriptor)
    data = _document(documents, path)
    if str(Digest.of(data, Digest.parse(descriptor.digest).algorithm)) != descriptor.digest:
        raise MalformedArchiveError(f"invalid image archive: {path} is not what its name says")
    return data


def _document(documents: Documents, path: str) -> bytes:
    found = documents.get(posixpath.normpath(path).lstrip("/"))
    if found is None:
        raise MalformedArchiveError(f"invalid image archive: {path} is missing")
    return found
