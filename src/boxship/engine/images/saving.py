"""Write images as one archive that everybody reads: Docker's manifest.json and an OCI layout.

::

    blobs/                     directory
    blobs/sha256/              directory
    blobs/sha256/<hex>         configs, layers and manifests, sorted
    index.json                 one descriptor per name; of several platforms it is that of an index
    manifest.json              one item per image; of several platforms the preferred one
    oci-layout
    repositories               {"name": {"tag": top layer}}, for readers from before manifest.json

Layers are plain tars. Only where all compressed layers of a pulled image were kept, they and its
manifest are repeated instead, so that digests stay.

What is written depends on the images and names alone: saving twice gives the same bytes. The layout
is decided first (:func:`arrange`, pure) and then streamed.
"""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from boxship.engine.images import manifests
from boxship.engine.images.catalog import KnownImage
from boxship.engine.images.layout import ManifestItem
from boxship.engine.images.manifests import Document
from boxship.oci.digest import Digest
from boxship.oci.image import (
    CONFIG_TYPE,
    INDEX_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    Descriptor,
    Index,
    Manifest,
    chain_id,
    encode,
)
from boxship.oci.platform import Platform
from boxship.oci.reference import Reference
from boxship.storage.chunks import Buffer, coalesced
from boxship.storage.storage import Storage
from boxship.storage.tar import writer

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


@dataclass(frozen=True, slots=True)
class SavedLayer:
    """A layer as a blob of the archive: its plain tar, or a compressed blob that was kept."""

    digest: Digest
    size: int
    is_kept: bool = False


@dataclass(frozen=True, slots=True)
class SavedImage:
    """One platform's image to be saved, with what the archive needs of it.

    ``manifest`` is repeated if it is given: the layers are then those that it lists. ``source`` is
    the manifest that the image was pulled by, for the index that names it.
    """

    known: KnownImage
    config: bytes
    layers: tuple[SavedLayer, ...]
    platform: Platform
    manifest: bytes | None = None
    source: Digest | None = None


@dataclass(frozen=True, slots=True)
class SavedNames:
    """What some names mean: an image, or several of which the first is the preferred one."""

    names: tuple[Reference, ...]
    images: tuple[SavedImage, ...]
    index: bytes | None = None
    """The index that they were pulled by."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The files of an archive: documents in memory, layers by their digest."""

    blobs: dict[Digest, bytes | SavedLayer]
    documents: tuple[tuple[str, bytes], ...]


def arrange(saved: Iterable[SavedNames]) -> Arrangement:
    """Decide what the archive holds."""
    blobs: dict[Digest, bytes | SavedLayer] = {}
    descriptors: list[Descriptor] = []
    items: list[ManifestItem] = []
    repositories: dict[str, dict[str, str]] = {}
    for family in saved:
        top = _top(family, blobs)
        descriptors += _descriptors(family.names, top)
        items.append(_item(family))
        chain = chain_id(family.images[0].known.layers)
        for name in family.names:
            repositories.setdefault(name.familiar_name, {})[name.tag] = chain.hex if chain else ""
    index = Index(tuple(descriptors), media_type=INDEX_TYPE)
    documents = {
        "index.json": encode(index),
        "manifest.json": msgspec.json.encode(items),
        "oci-layout": _LAYOUT,
    }
    if repositories:
        documents["repositories"] = msgspec.json.encode(repositories, order="deterministic")
    return Arrangement(dict(sorted(blobs.items())), tuple(documents.items()))


def stream(arrangement: Arrangement, storage: Storage) -> Generator[Buffer, None, None]:
    """Write the archive. Blocking. Raises DamagedLayerError if a layer cannot be rebuilt."""
    yield from coalesced(_pieces(arrangement, storage))


def _pieces(arrangement: Arrangement, storage: Storage) -> Iterator[Buffer]:
    yield writer.directory_header("blobs/")
    yield writer.directory_header("blobs/sha256/")
    for digest, content in arrangement.blobs.items():
        name = f"blobs/{digest.algorithm}/{digest.hex}"
        if isinstance(content, bytes):
            yield from _file(name, content)
            continue
        yield writer.file_header(name, content.size)
        yield from storage.blobs.chunks(digest) if content.is_kept else storage.layers.tar(digest)
        yield writer.padding(content.size)
    for name, content in arrangement.documents:
        yield from _file(name, content)
    yield writer.END


def _file(name: str, content: bytes) -> Iterator[Buffer]:
    yield writer.file_header(name, len(content))
    yield content
    yield writer.padding(len(content))


def _top(family: SavedNames, blobs: dict[Digest, bytes | SavedLayer]) -> Document:
    """Put a family's blobs with the others; return the document that its names stand for."""
    entries = []
    for image in family.images:
        document = _manifest(image)
        entries.append(manifests.Entry(image.platform, document, image.source))
        blobs |= {layer.digest: layer for layer in image.layers}
        blobs |= {image.known.id: image.config, document.digest: document.data}
    if len(entries) == 1:
        return entries[0].document
    top = manifests.index(entries, family.index)
    blobs[top.digest] = top.data
    return top


def _manifest(image: SavedImage) -> Document:
    if image.manifest is not None:
        return manifests.described(image.manifest)
    config = Descriptor(CONFIG_TYPE, str(image.known.id), len(image.config))
    layers = tuple(Descriptor(LAYER_TYPE, str(layer.digest), layer.size) for layer in image.layers)
    return Document(MANIFEST_TYPE, encode(Manifest(config, layers, media_type=MANIFEST_TYPE)))


def _descriptors(names: Iterable[Reference], top: Document) -> list[Descriptor]:
    annotations: list[dict[str, str] | None] = [
        {
            "io.containerd.image.name": str(name),
            "org.opencontainers.image.ref.name": name.tag,
        }
        for name in names
    ]
    return [
        Descriptor(top.media_type, str(top.digest), len(top.data), annotations=annotation)
        for annotation in annotations or [None]
    ]


def _item(family: SavedNames) -> ManifestItem:
    image = family.images[0]
    return ManifestItem(
        config=f"blobs/sha256/{image.known.id.hex}",
        repo_tags=tuple(name.familiar for name in family.names) or None,
        layers=tuple(f"blobs/{x.digest.algorithm}/{x.digest.hex}" for x in image.layers),
    )
