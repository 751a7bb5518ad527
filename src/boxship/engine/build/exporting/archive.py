"""A bundle as an OCI layout, with what ``docker load`` of any age takes beside it."""

import os
from collections.abc import Generator, Iterable, Iterator, Sequence

import msgspec

from boxship.engine.build.exporting.bundle import Bundle, PackedImage, Plain
from boxship.engine.build.exporting.packing import PackedLayer
from boxship.engine.images.layout import ManifestItem
from boxship.oci.digest import Digest
from boxship.oci.image import INDEX_TYPE
from boxship.oci.reference import Reference
from boxship.storage.chunks import Buffer, coalesced
from boxship.storage.layers import LayerStore
from boxship.storage.tar import writer

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


def documents(
    bundle: Bundle, images: Sequence[PackedImage], names: Sequence[Reference], *, docker: bool
) -> dict[str, bytes]:
    """Return the files beside the blobs; ``docker`` adds ``manifest.json`` of the first image."""
    found = {"index.json": msgspec.json.encode(_index(bundle, names)), "oci-layout": _LAYOUT}
    if docker:
        image = images[0]
        item = ManifestItem(
            config=_blob(Digest.of(image.config)),
            repo_tags=tuple(name.familiar for name in names) or None,
            layers=tuple(_blob(layer.digest) for layer in image.layers),
        )
        found["manifest.json"] = msgspec.json.encode([item])
    return dict(sorted(found.items()))


def stream(
    bundle: Bundle, files: dict[str, bytes], layers: LayerStore
) -> Generator[Buffer, None, None]:
    """Write a tar; blocking. The same bundle gives the same bytes."""
    yield from coalesced(_pieces(bundle, files, layers))


def write(bundle: Bundle, files: dict[str, bytes], layers: LayerStore, directory: str) -> None:
    """Write the layout into a directory; blocking."""
    os.makedirs(f"{directory}/blobs/sha256")
    for digest, content in bundle.blobs.items():
        _write(f"{directory}/{_blob(digest)}", _chunks(content, layers))
    for name, data in files.items():
        _write(f"{directory}/{name}", (data,))


def _write(path: str, chunks: Iterable[Buffer]) -> None:
    with open(path, "wb") as file:
        for chunk in chunks:
            file.write(chunk)


def _index(bundle: Bundle, names: Sequence[Reference]) -> Plain:
    top = {
        "mediaType": bundle.top.media_type,
        "digest": str(bundle.top.digest),
        "size": len(bundle.top.data),
    }
    entries = [
        top
        | {
            "annotations": {
                "io.containerd.image.name": str(name),
                "org.opencontainers.image.ref.name": name.tag,
                **bundle.annotations,
            }
        }
        for name in names
    ]
    unnamed = top | ({"annotations": dict(bundle.annotations)} if bundle.annotations else {})
    return {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries or [unnamed]}


def _blob(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _chunks(content: bytes | PackedLayer, layers: LayerStore) -> Iterable[Buffer]:
    return (content,) if isinstance(content, bytes) else content.chunks(layers)


def _pieces(bundle: Bundle, files: dict[str, bytes], layers: LayerStore) -> Iterator[Buffer]:
    yield writer.directory_header("blobs/")
    yield writer.directory_header("blobs/sha256/")
    for digest, content in sorted(bundle.blobs.items(), key=lambda blob: blob[0].hex):
        size = len(content) if isinstance(content, bytes) else content.size
        yield writer.file_header(_blob(digest), size)
        yield from _chunks(content, layers)
        yield writer.padding(size)
    for name, data in files.items():
        yield writer.file_header(name, len(data))
        yield data
        yield writer.padding(len(data))
    yield writer.END
