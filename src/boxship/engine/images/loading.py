"""Read an image archive in one pass, unpacking its layers while they stream by.

Which files of an archive are layers is known only at its end, where the manifest usually stands.
Spooling everything to disk until then would write every byte twice. So each file is judged by its
first bytes: a tar, plain or compressed, is unpacked as a layer right away; small files are kept as
documents. What turns out not to be needed goes when the lease ends.

Blocking; runs in a thread.
"""

import posixpath
import re
from collections.abc import Callable, Iterator

from boxship.base.errors import InvalidArgumentError
from boxship.engine.images.layout import (
    ArchiveImage,
    MalformedArchiveError,
    images_of,
)
from boxship.oci import platform
from boxship.oci.digest import Digest
from boxship.oci.image import Image, MalformedImageError, decode
from boxship.storage.chunks import Buffer, ChunkReader, TruncatedError
from boxship.storage.compression import Compression, CompressionError, detect
from boxship.storage.layers import Layer, LayerStore, Lease, MalformedLayerError, plain
from boxship.storage.tar.header import (
    BLOCK,
    ZERO_BLOCK,
    Entry,
    Kind,
    TarError,
    parse_header,
)
from boxship.storage.tar.reader import TarReader

_LARGEST_DOCUMENT = 8 << 20
_ALL_DOCUMENTS = 64 << 20
_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})")

Progress = Callable[[str, int, int], None]
"""Called with a layer's name in the archive, bytes done and bytes in total."""


class LoadedArchive:
    """What one pass over an archive found."""

    def __init__(self, layers: LayerStore, lease: Lease, progress: Progress) -> None:
        self._layers = layers
        self._lease = lease
        self._progress = progress
        self._documents: dict[str, bytes] = {}
        self._document_bytes = 0
        self._found: dict[str, Layer] = {}
        self._broken: dict[str, MalformedLayerError] = {}
        self._links: dict[str, str] = {}

    def read(self, chunks: Iterator[Buffer]) -> None:
        """Read the archive. Raise MalformedArchiveError, MalformedLayerError or OSError."""
        try:
            with plain(chunks) as stream:
                archive = TarReader(ChunkReader(stream))
                while entry := archive.next():
                    archive.take_framing()
                    self._take(entry, archive)
                for _ in archive.tail():
                    pass
        except (TarError, TruncatedError, CompressionError) as error:
            raise MalformedArchiveError(f"invalid image archive: {error}") from error

    def images(self) -> list[tuple[ArchiveImage, list[Layer]]]:
        """Return the images with their layers, checked against each other."""
        found = images_of(self._documents, platform.host())
        if not found:
            raise MalformedArchiveError("the archive holds no image")
        return [(image, self._layers_of(image)) for image in found]

    def _take(self, entry: Entry, archive: TarReader) -> None:
        name = _normalised(entry.name)
        if entry.kind in (Kind.SYMLINK, Kind.HARD_LINK):
            self._links[name] = _link_target(name, entry)
        if entry.kind is not Kind.FILE or entry.extents is not None or not entry.size:
            return
        payload = ChunkReader(self._payload(name, entry, archive))
        start = payload.peek(BLOCK)
        if detect(start) is not Compression.NONE or _is_tar(start):
            try:
                self._found[name] = self._unpack(name, start, payload)
            except MalformedLayerError as error:
                self._broken[name] = error  # matters only if an image wants it
        elif entry.size <= _LARGEST_DOCUMENT:
            self._document_bytes += entry.size
            if self._document_bytes > _ALL_DOCUMENTS:
                raise MalformedArchiveError("invalid image archive: too many documents")
            self._documents[name] = payload.exactly(entry.size)

    def _payload(self, name: str, entry: Entry, archive: TarReader) -> Iterator[Buffer]:
        while piece := archive.read():
            yield piece
            self._progress(name, entry.size - archive.payload_left, entry.size)

    def _unpack(self, name: str, start: bytes, payload: ChunkReader) -> Layer:
        expected = None
        if (blob := _BLOB.fullmatch(name)) and detect(start) is Compression.NONE:
            expected = Digest("sha256", blob[1])
        return self._layers.unpack(payload.rest(), self._lease, expected=expected)

    def _layers_of(self, image: ArchiveImage) -> list[Layer]:
        try:
            config = decode(image.config, Image)
            diff_ids = config.diff_ids
        except MalformedImageError as error:
            raise MalformedArchiveError(f"invalid image archive: {error}") from error
        if config.os not in ("", "linux"):
            raise InvalidArgumentError(f"cannot load {config.os} image on linux")
        if len(diff_ids) != len(image.layers):
            raise MalformedArchiveError(
                f"invalid manifest, layers length mismatch: expected {len(diff_ids)}, "
                f"got {len(image.layers)}"
            )
        return [
            self._layer(path, diff_id, number)
            for number, (path, diff_id) in enumerate(zip(image.layers, diff_ids, strict=True))
        ]

    def _layer(self, path: str, diff_id: Digest, number: int) -> Layer:
        for _ in range(8):  # links to links, as old archives have for repeated layers
            path = self._links.get(path, path)
        layer = self._found.get(path)
        if path in self._broken:
            raise self._broken[path]
        if layer is None:
            self._lease.hold(diff_id)
            layer = self._layers.find(diff_id)
        if layer is None:
            raise MalformedArchiveError(f"invalid image archive: layer {path} is missing")
        if layer.digest != diff_id:
            raise MalformedArchiveError(
                f'invalid diffID for layer {number}: expected "{diff_id}", got "{layer.digest}"'
            )
        return layer


def _normalised(name: bytes) -> str:
    return posixpath.normpath("/" + name.decode(errors="surrogateescape")).lstrip("/")


def _link_target(name: str, entry: Entry) -> str:
    target = entry.link.decode(errors="surrogateescape")
    if entry.kind is Kind.SYMLINK:
        target = posixpath.join(posixpath.dirname("/" + name), target)
    return posixpath.normpath("/" + target).lstrip("/")


def _is_tar(start: bytes) -> bool:
    if len(start) < BLOCK:
        return False
    if start == ZERO_BLOCK:
        return True
    try:
        parse_header(start)
    except TarError:
        return False
    return True
