"""What an image archive says it holds: pure reading of its JSON documents.

Two layouts, which ``docker save`` of today writes into one archive::

    Docker's   manifest.json             [{"Config": path, "RepoTags": […], "Layers": [path…]}]
    OCI's      index.json, oci-layout    {"manifests": [descriptor…]} → manifest → config, layers
               blobs/sha256/<hex>

``manifest.json`` counts if it is there. Of an OCI index of platforms the image for this machine is
taken, or the first if there is none for it; attestations are left out.
"""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from boxship.base.errors import InvalidArgumentError
from boxship.oci import platform, reference
from boxship.oci.digest import Digest, DigestError
from boxship.oci.image import (
    INDEX_TYPES,
    Descriptor,
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


class MalformedArchiveError(InvalidArgumentError):
    """The archive is not an image archive, or a broken one."""


class ManifestItem(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    """One image of ``manifest.json``."""

    config: str
    repo_tags: tuple[str, ...] | None = None
    layers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ArchiveImage:
    """One image of an archive: its config document, where its layers are, and its names."""

    config: bytes
    layers: tuple[str, ...]
    names: tuple[Reference, ...]


def images_of(documents: Documents, host: Platform) -> list[ArchiveImage]:
    """Find the images. Raise MalformedArchiveError."""
    try:
        if "manifest.json" in documents:
            return list(_docker(documents))
        if "index.json" in documents:
            return _merged(_oci(documents, host))
    except (MalformedImageError, DigestError, InvalidReferenceError) as error:
        raise MalformedArchiveError(f"invalid image archive: {error}") from error
    raise MalformedArchiveError("invalid image archive: neither manifest.json nor index.json in it")


def _docker(documents: Documents) -> Iterator[ArchiveImage]:
    try:
        items = msgspec.json.decode(documents["manifest.json"], type=tuple[ManifestItem, ...])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedArchiveError(f"invalid image archive: manifest.json: {error}") from error
    for item in items:
        names = []
        for text in item.repo_tags or ():
            name = reference.parse(text)
            if not name.tag:
                raise MalformedArchiveError(f'invalid tag "{text}"')
            names.append(name)
        layers = tuple(posixpath.normpath(path).lstrip("/") for path in item.layers or ())
        yield ArchiveImage(_document(documents, item.config), layers, tuple(names))


def _oci(documents: Documents, host: Platform) -> Iterator[ArchiveImage]:
    index = decode(documents["index.json"], Index)
    for descriptor in index.manifests or ():
        name = _name(descriptor)
        manifest = _manifest(documents, descriptor, host, _DEEPEST)
        if manifest is not None:
            config = _document(documents, _path(manifest.config))
            layers = tuple(_path(layer) for layer in manifest.layers or ())
            yield ArchiveImage(config, layers, (name,) if name else ())


def _manifest(
    documents: Documents, descriptor: Descriptor, host: Platform, depth: int
) -> Manifest | None:
    """Follow a descriptor to a manifest, through an index to the best one for ``host``."""
    if not _is_image(descriptor):
        return None
    if descriptor.media_type not in INDEX_TYPES:
        return decode(_document(documents, _path(descriptor)), Manifest)
    if not depth:
        raise MalformedArchiveError("invalid image archive: indexes are nested too deeply")
    index = decode(_document(documents, _path(descriptor)), Index)
    # An index may list platforms that the archive does not carry.
    carried = [child for child in index.manifests or () if _path(child) in documents]
    for child in sorted(carried, key=lambda child: not _runs(host, child)):
        found = _manifest(documents, child, host, depth - 1)
        if found is not None:
            return found
    return None


def _runs(host: Platform, descriptor: Descriptor) -> bool:
    wanted = descriptor.platform
    if wanted is None:
        return True
    return host.runs(platform.platform(wanted.os, wanted.architecture, wanted.variant))


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
    merged: dict[bytes, ArchiveImage] = {}
    for image in images:
        before = merged.get(image.config)
        names = (before.names if before else ()) + image.names
        merged[image.config] = ArchiveImage(image.config, image.layers, names)
    return list(merged.values())


def _path(descriptor: Descriptor) -> str:
    digest = Digest.parse(descriptor.digest)
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _document(documents: Documents, path: str) -> bytes:
    found = documents.get(posixpath.normpath(path).lstrip("/"))
    if found is None:
        raise MalformedArchiveError(f"invalid image archive: {path} is missing")
    return found
