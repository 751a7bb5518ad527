"""Layers as blobs: compressed into a directory of the caller's, or as they are.

The same layer gives the same bytes on any machine. What is not compressed is not written at all:
the store gives a layer's tar whenever it is asked for.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.requests import Compression, LayerOptions
from boxship.oci.digest import Digest, new_hasher
from boxship.oci.image import DOCKER_LAYER_TYPE, GZIP_LAYER_TYPE, LAYER_TYPE, ZSTD_LAYER_TYPE
from boxship.storage.chunks import CHUNK, Buffer
from boxship.storage.compressing import gzipped, workers, zstd_compressed
from boxship.storage.layers import LayerStore


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """A layer as a blob. ``path`` is the file that has it; empty: the store gives it."""

    diff_id: Digest
    digest: Digest
    size: int
    media_type: str
    path: str = ""

    def chunks(self, layers: LayerStore) -> Iterator[Buffer]:
        """Yield the blob; blocking."""
        if not self.path:
            yield from layers.tar(self.diff_id)
            return
        with open(self.path, "rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk


def pack(
    store: LayerStore, layers: Iterable[Digest], options: LayerOptions, directory: str
) -> dict[Digest, PackedLayer]:
    """Return each layer's blob, by diff id; blocking.

    InvalidArgumentError: a level that there is not, or a form that nobody here can write.
    """
    if options.compression is Compression.NONE:
        return {layer: _plain(store, layer) for layer in layers}
    if options.compression is Compression.ESTARGZ:
        raise InvalidArgumentError("compression estargz: it must be gzip, zstd or uncompressed")
    media_type = ZSTD_LAYER_TYPE
    if options.compression is Compression.GZIP:
        media_type = GZIP_LAYER_TYPE if options.oci_types else DOCKER_LAYER_TYPE
    executor = workers()
    try:
        compress = _compressor(options, executor)
        found = {}
        for layer in dict.fromkeys(layers):
            path = os.path.join(directory, layer.hex)
            digest, size = _write(path, compress(store.tar(layer)))
            found[layer] = PackedLayer(layer, digest, size, media_type, path)
        return found
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _plain(store: LayerStore, layer: Digest) -> PackedLayer:
    return PackedLayer(layer, layer, store.get(layer).tar_size, LAYER_TYPE)


def _compressor(
    options: LayerOptions, executor: Executor
) -> Callable[[Iterable[Buffer]], Iterable[bytes]]:
    if options.compression is Compression.ZSTD:
        level = 3 if options.level is None else options.level
        if not 0 <= level <= 22:
            raise InvalidArgumentError(f"compression-level {level}: zstd has 0 to 22")
        return lambda chunks: zstd_compressed(chunks, level)
    return lambda chunks: gzipped(chunks, executor)


def _write(path: str, chunks: Iterable[bytes]) -> tuple[Digest, int]:
    hasher, size = new_hasher("sha256"), 0
    with open(path, "wb") as file:
        for chunk in chunks:
            hasher.update(chunk)
            size += len(chunk)
            file.write(chunk)
    return Digest("sha256", hasher.hexdigest()), size


def diff_ids(layers: Sequence[str]) -> tuple[Digest, ...]:
    """Return layers as digests."""
    return tuple(Digest.parse(layer) for layer in layers)
