"""The manifests and indexes that a push writes. Pure.

An image that was pulled keeps its manifest: when all layers went out in the very form it lists, its
bytes are repeated, and with them its digest. If a layer had to be compressed anew the manifest
is made again, in the family it was of: what was OCI stays OCI, with its annotations. An image that
came without a manifest (loaded, imported, committed) gets Docker's schema 2, byte for byte as
dockerd writes it, since every registry and every client takes that.

(dockerd turns everything into schema 2. That loses annotations and changes a digest for nothing.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from boxship.oci.digest import Digest
from boxship.oci.image import (
    DOCKER_CONFIG_TYPE,
    DOCKER_INDEX_TYPE,
    DOCKER_LAYER_TYPE,
    DOCKER_MANIFEST_TYPE,
    GZIP_LAYER_TYPE,
    INDEX_TYPE,
    MANIFEST_TYPE,
    Descriptor,
    Index,
    Manifest,
    PlatformDocument,
    decode,
    encode,
)
from boxship.oci.platform import Platform


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or an index, ready to be stored under its digest or a tag."""

    media_type: str
    data: bytes

    @property
    def digest(self) -> Digest:
        return Digest.of(self.data)


@dataclass(frozen=True, slots=True)
class PushedLayer:
    """A layer as it is in the target repository: its compressed form."""

    digest: Digest
    size: int
    media_type: str


def is_oci(original: bytes | None) -> bool:
    """Tell whether a manifest is of the OCI family."""
    return original is not None and _media_type(original, Manifest) == MANIFEST_TYPE


def described(data: bytes) -> Document:
    """Return a manifest as it came."""
    return Document(_media_type(data, Manifest), data)


def manifest(
    config: bytes, layers: Sequence[PushedLayer], original: bytes | None = None
) -> Document:
    """Describe an image. ``layers`` lowest first; ``original`` is the manifest it was pulled by."""
    if original is None:
        return _docker(config, layers)
    media_type = _media_type(original, Manifest)
    listed = [layer.digest for layer in decode(original, Manifest).layers or ()]
    if listed == [str(layer.digest) for layer in layers]:
        return Document(media_type, original)
    if media_type != MANIFEST_TYPE:
        return _docker(config, layers)
    return _oci(layers, msgspec.json.decode(original))


@dataclass(frozen=True, slots=True)
class Entry:
    """One platform of an index; ``source`` is the manifest it was pulled by, if it was."""

    platform: Platform
    document: Document
    source: Digest | None = None


def index(entries: Sequence[Entry], original: bytes | None = None) -> Document:
    """List manifests. ``original`` is the index that the platforms were pulled by.

    If that lists just these manifests, it is repeated as it is. Otherwise what it said of each is
    kept, and its entries of what isn't here are left out.
    """
    listed = (decode(original, Index).manifests or ()) if original is not None else ()
    pushed = {str(entry.document.digest) for entry in entries}
    if original is not None and {descriptor.digest for descriptor in listed} == pushed:
        return Document(_media_type(original, Index), original)
    is_docker = all(entry.document.media_type == DOCKER_MANIFEST_TYPE for entry in entries)
    media_type = DOCKER_INDEX_TYPE if is_docker else INDEX_TYPE
    before = {descriptor.digest: descriptor for descriptor in listed}
    made = tuple(_listed(entry, before.get(str(entry.source))) for entry in entries)
    return Document(media_type, encode(Index(made, 2, media_type)))


def layer_type(oci: bool) -> str:
    """Return the media type of a layer compressed with gzip."""
    return GZIP_LAYER_TYPE if oci else DOCKER_LAYER_TYPE


def _listed(entry: Entry, before: Descriptor | None) -> Descriptor:
    """Make an index's entry; what an earlier one said beyond digest and size is kept."""
    platform, document = entry.platform, entry.document
    target = PlatformDocument(platform.architecture, platform.os, platform.variant)
    return replace(
        before or Descriptor("", "", 0, platform=target),
        media_type=document.media_type,
        digest=str(document.digest),
        size=len(document.data),
    )


def _docker(config: bytes, layers: Sequence[PushedLayer]) -> Document:
    document = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST_TYPE,
        "config": _entry(DOCKER_CONFIG_TYPE, len(config), Digest.of(config)),
        "layers": [_entry(DOCKER_LAYER_TYPE, layer.size, layer.digest) for layer in layers],
    }
    # Indented by three, and the size before the digest: these bytes are hashed.
    return Document(
        DOCKER_MANIFEST_TYPE, msgspec.json.format(msgspec.json.encode(document), indent=3)
    )


def _oci(layers: Sequence[PushedLayer], plain: dict[str, Any]) -> Document:
    """Put other layers into a manifest and keep the rest of it, known or not."""
    entries = [_entry(_oci_layer_type(layer), layer.size, layer.digest) for layer in layers]
    return Document(MANIFEST_TYPE, msgspec.json.encode({**plain, "layers": entries}))


def _oci_layer_type(layer: PushedLayer) -> str:
    return GZIP_LAYER_TYPE if layer.media_type == DOCKER_LAYER_TYPE else layer.media_type


def _entry(media_type: str, size: int, digest: Digest) -> dict[str, str | int]:
    return {"mediaType": media_type, "size": size, "digest": str(digest)}


def _media_type(data: bytes, kind: type[Manifest] | type[Index]) -> str:
    """OCI lets a document leave its media type out; Docker's always have it."""
    found = decode(data, kind).media_type
    return found or (MANIFEST_TYPE if kind is Manifest else INDEX_TYPE)
