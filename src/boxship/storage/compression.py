"""Recognise and undo compression of a stream: gzip, zstd, bzip2, xz, or none.

Memory stays bounded whatever the ratio: each step gives at most one chunk. Streams may be made of
several members, one after the other; padding with zeros behind the last one is ignored.
"""

import io
from collections.abc import Callable, Iterator
from enum import Enum
from typing import IO, Protocol, cast

import zstandard

from boxship.storage.chunks import CHUNK, Buffer, ChunkReader

_LARGEST_ZSTD_WINDOW = 1 << 27
_ZSTD_SKIPPABLE = tuple(bytes((0x50 + n, 0x2A, 0x4D, 0x18)) for n in range(16))


class CompressionError(ValueError):
    """The compressed data is damaged or ends early."""


class Compression(Enum):
    """How a stream is compressed."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"
    BZIP2 = "bzip2"
    XZ = "xz"


_MAGIC = (
    (b"\x1f\x8b\x08", Compression.GZIP),
    (b"\x28\xb5\x2f\xfd", Compression.ZSTD),
    (b"BZh", Compression.BZIP2),
    (b"\xfd7zXZ\0", Compression.XZ),
    *((magic, Compression.ZSTD) for magic in _ZSTD_SKIPPABLE),
)


def detect(start: bytes) -> Compression:
    """Tell from the first bytes (six suffice)."""
    for magic, compression in _MAGIC:
        if start.startswith(magic):
            return compression
    return Compression.NONE


def decompressed(source: ChunkReader) -> Iterator[Buffer]:
    """Yield the plain bytes of a stream in any of the known forms."""
    compression = detect(source.peek(6))
    if compression is Compression.NONE:
        return source.rest()
    if compression is Compression.ZSTD:
        return _zstd(source)
    return _members(source, _decompressor(compression))


class _Decompressor(Protocol):
    """The interface that bz2, lzma and isal share."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: Buffer, max_length: int = -1) -> bytes: ...


def _decompressor(compression: Compression) -> Callable[[], _Decompressor]:
    # Imported when needed: a Python may be built without bz2 or lzma, and few images use them.
    if compression is Compression.GZIP:
        from isal import igzip_lib  # noqa: PLC0415

        return lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    if compression is Compression.BZIP2:
        from bz2 import BZ2Decompressor  # noqa: PLC0415

        return BZ2Decompressor
    from lzma import FORMAT_XZ, LZMADecompressor  # noqa: PLC0415

    return lambda: LZMADecompressor(format=FORMAT_XZ)


def _members(source: ChunkReader, new: Callable[[], _Decompressor]) -> Iterator[Buffer]:
    data: Buffer = source.some()
    while data:
        member = new()
        while not member.eof:
            yield _step(member, data)
            data = source.some() if member.needs_input and not member.eof else b""
            if not data and member.needs_input and not member.eof:
                raise CompressionError("the compressed stream ends early")
        data = member.unused_data.lstrip(b"\0") or _skip_zeros(source)


def _step(member: _Decompressor, data: Buffer) -> bytes:
    try:
        return member.decompress(data, CHUNK)
    except Exception as error:
        # zlib.error, isal's own, LZMAError, OSError: each library has its own class.
        raise CompressionError(f"damaged compressed stream: {error}") from error


def _skip_zeros(source: ChunkReader) -> bytes:
    for piece in source.rest():
        if rest := bytes(piece).lstrip(b"\0"):
            return rest
    return b""


class _Readable(io.RawIOBase):
    """A ChunkReader as a file object, which is what zstandard reads from."""

    def __init__(self, source: ChunkReader) -> None:
        self._source = source

    def read(self, size: int = -1) -> bytes:
        return bytes(self._source.some(size if size > 0 else CHUNK))


def _zstd(source: ChunkReader) -> Iterator[Buffer]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_LARGEST_ZSTD_WINDOW)
    readable = cast(IO[bytes], _Readable(source))
    reader = decompressor.stream_reader(readable, read_size=CHUNK, read_across_frames=True)
    try:
        while piece := reader.read(CHUNK):
            yield piece
    except zstandard.ZstdError as error:
        raise CompressionError(f"damaged compressed stream: {error}") from error
