"""Write images as one archive that everybody reads: Docker's manifest.json and an OCI layout.

::

    blobs/                     directory
    blobs/sha256/              directory
    blobs/sha256/<hex>         configs, layers (plain tars) and manifests, sorted
    index.json                 one descriptor per name
    manifest.json              one item per image
    oci-layout
    repositories               {"name": {"tag": top layer}}, for readers from before manifest.json

What is written depends on the images and names alone: saving twice gives the same bytes. The layout
is decided first (:func:`arrange`, pure) and then streamed.
"""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from boxship.engine.images.catalog import KnownImage
from boxship.engine.images.layout import ManifestItem
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
from boxship.oci.reference import Reference
from boxship.storage.chunks import Buffer
from boxship.storage.layers import LayerStore, coalesced
from boxship.storage.tar import writer

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


@dataclass(frozen=True, slots=True)
class SavedImage:
    """An image to be saved, with what the archive needs of it."""

    known: KnownImage
    config: bytes
    names: tuple[Reference, ...]
    layer_sizes: tuple[int, ...]
    """Sizes of the layers' tars."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The files of an archive: documents in memory, layers by their digest and size."""

    blobs: dict[Digest, bytes | int]
    documents: tuple[tuple[str, bytes], ...]


def arrange(images: Iterable[SavedImage]) -> Arrangement:
    """Decide what the archive holds."""
    blobs: dict[Digest, bytes | int] = {}
    descriptors: list[Descriptor] = []
    items: list[ManifestItem] = []
    repositories: dict[str, dict[str, str]] = {}
    for image in images:
        manifest = _manifest(image)
        digest = Digest.of(manifest)
        blobs |= dict(zip(image.known.layers, image.layer_sizes, strict=True))
        blobs |= {image.known.id: image.config, digest: manifest}
        descriptors += _descriptors(image, digest, len(manifest))
        items.append(_item(image))
        for name in image.names:
            top = chain_id(image.known.layers)
            repositories.setdefault(name.familiar_name, {})[name.tag] = top.hex if top else ""
    index = Index(tuple(descriptors), media_type=INDEX_TYPE)
    documents = {
        "index.json": encode(index),
        "manifest.json": msgspec.json.encode(items),
        "oci-layout": _LAYOUT,
    }
    if repositories:
        documents["repositories"] = msgspec.json.encode(repositories, order="deterministic")
    return Arrangement(dict(sorted(blobs.items())), tuple(documents.items()))


def stream(arrangement: Arrangement, layers: LayerStore) -> Generator[Buffer, None, None]:
    """Write the archive. Blocking. Raises DamagedLayerError if a layer cannot be rebuilt."""
    yield from coalesced(_pieces(arrangement, layers))


def _pieces(arrangement: Arrangement, layers: LayerStore) -> Iterator[Buffer]:
    yield writer.directory_header("blobs/")
    yield writer.directory_header("blobs/sha256/")
    for digest, content in arrangement.blobs.items():
        name = f"blobs/{digest.algorithm}/{digest.hex}"
        if isinstance(content, bytes):
            yield from _file(name, content)
        else:
            yield writer.file_header(name, content)
            yield from layers.tar(digest)
            yield writer.padding(content)
    for name, content in arrangement.documents:
        yield from _file(name, content)
    yield writer.END


def _file(name: str, content: bytes) -> Iterator[Buffer]:
    yield writer.file_header(name, len(content))
    yield content
    yield writer.padding(len(content))


def _manifest(image: SavedImage) -> bytes:
    config = Descriptor(CONFIG_TYPE, str(image.known.id), len(image.config))
    layers = tuple(
        Descriptor(LAYER_TYPE, str(layer), size)
        for layer, size in zip(image.known.layers, image.layer_sizes, strict=True)
    )
    return encode(Manifest(config, layers, media_type=MANIFEST_TYPE))


def _descriptors(image: SavedImage, digest: Digest, size: int) -> list[Descriptor]:
    annotations: list[dict[str, str] | None] = [
        {
            "io.containerd.image.name": str(name),
            "org.opencontainers.image.ref.name": name.tag,
        }
        for name in image.names
    ]
    return [
        Descriptor(MANIFEST_TYPE, str(digest), size, annotations=annotation)
        for annotation in annotations or [None]
    ]


def _item(image: SavedImage) -> ManifestItem:
    return ManifestItem(
        config=f"blobs/sha256/{image.known.id.hex}",
        repo_tags=tuple(name.familiar for name in image.names) or None,
        layers=tuple(f"blobs/{layer.algorithm}/{layer.hex}" for layer in image.known.layers),
    )
