"""The recipe of a layer: how to rebuild its tar, byte for byte, from the unpacked tree.

A tar is framing with payloads in between. The tree has the payloads already, so the recipe keeps
the framing and, for each payload, the file that holds it. ``recipe.zst`` is a zstd stream of ::

    "boxship recipe 1\\n"
    "L" length:u32 bytes                              framing
    "F" length:u32 path  size:u64                     a file's bytes, from its start
    "S" length:u32 path  count:u32 (offset:u64 length:u64)*   a sparse file's data
    "E"                                               the end

(little-endian; paths are real paths below ``diff/``). A payload whose file was replaced later in
the same tar was moved to ``shadow/<n>``; ``shadow.index`` maps its number (payloads count from 0)
to the path below the layer's directory: ``number "\\0" path "\\0"`` each.

Rejected: keeping the tar beside the tree (twice the disk), and making headers anew from the tree
(no two tar writers agree on them, so digests would break).
"""

import contextlib
import errno
import os
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

import zstandard

from boxship.base.errors import InternalError
from boxship.storage.chunks import CHUNK, Buffer, ChunkReader, TruncatedError
from boxship.storage.payloads import PayloadPaths
from boxship.storage.tar.header import Extent
from boxship.storage.tree import RootedTree, split

_MAGIC = b"boxship recipe 1\n"
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_PAIR = struct.Struct("<QQ")
_LEVEL = 1  # headers compress 15 to 1 at any level; the fastest costs nearly nothing
_FLUSH = 1 << 18
_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""We have run out of something; that says nothing about the layer."""
_ZEROS = memoryview(bytes(CHUNK))


class DamagedLayerError(InternalError):
    """What is on disk no longer gives the tar it was made from."""


class _Payload(NamedTuple):
    """What a file holds of the tar: its path below ``diff/``, and beginnings and lengths in it."""

    path: bytes
    extents: tuple[Extent, ...]


class RecipeWriter:
    """Writes a recipe while the layer is being unpacked."""

    def __init__(self, target: BinaryIO) -> None:
        self._stream = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).stream_writer(
            target, closefd=False
        )
        self._parts: list[Buffer] = [_MAGIC]
        self._size = 0
        self._payloads = PayloadPaths()

    def framing(self, data: Buffer) -> None:
        """Bytes to be repeated as they are."""
        if len(data):
            self._put(b"L" + _U32.pack(len(data)), bytes(data))

    def file(self, path: bytes, size: int) -> None:
        """A payload that is a whole file."""
        self._payloads.add(path)
        self._put(b"F" + _U32.pack(len(path)), path, _U64.pack(size))

    def sparse(self, path: bytes, extents: Iterable[Extent]) -> None:
        """A payload that is the data of a sparse file."""
        self._payloads.add(path)
        packed = b"".join(_PAIR.pack(*extent) for extent in extents)
        count = _U32.pack(len(packed) // _PAIR.size)
        self._put(b"S" + _U32.pack(len(path)), path, count, packed)

    def forget(self, path: bytes) -> dict[int, bytes]:
        """Forget the payloads at and below ``path``; return their numbers and paths below it."""
        return self._payloads.forget(path)

    def finish(self) -> None:
        """Write the end; what is missing it is not a recipe."""
        self._parts.append(b"E")
        self._flush()
        self._stream.flush(zstandard.FLUSH_FRAME)

    def _put(self, *parts: bytes) -> None:
        self._parts.extend(parts)
        self._size += sum(map(len, parts))
        if self._size >= _FLUSH:
            self._flush()

    def _flush(self) -> None:
        self._stream.write(b"".join(self._parts))
        self._parts.clear()
        self._size = 0


def write_shadows(path: str, shadows: dict[int, bytes]) -> None:
    """Write ``shadow.index``."""
    with open(path, "wb") as stream:
        for index, location in shadows.items():
            stream.write(b"%d\0%s\0" % (index, location))


def read_shadows(path: str) -> dict[int, bytes]:
    """Read ``shadow.index``; a missing file means no shadows."""
    try:
        with open(path, "rb") as stream:
            parts = stream.read().split(b"\0")
    except FileNotFoundError:
        return {}
    return {int(parts[at]): parts[at + 1] for at in range(0, len(parts) - 1, 2)}


def rebuild(layer: str) -> Iterator[Buffer]:
    """Yield the tar of the layer in directory ``layer``, in pieces of very different sizes.

    The bytes are not verified here: hash them. Raise DamagedLayerError when files are missing or
    shorter than they were.
    """
    with _damage_named(layer), RootedTree(layer) as tree, _opened(layer) as stream:
        shadows = read_shadows(os.path.join(layer, "shadow.index"))
        yield from _replay(_read_recipe(stream), tree, shadows)


def outline(layer: str) -> Iterator[Buffer]:
    """Yield the tar with zeros in the place of payloads, which takes the recipe alone.

    Raise DamagedLayerError.
    """
    with _damage_named(layer), _opened(layer) as stream:
        for piece in _instructions(_read_recipe(stream)):
            if isinstance(piece, bytes):
                yield piece
            else:
                yield from _zeros(sum(length for _, length in piece.extents))


def _opened(layer: str) -> BinaryIO:
    return open(os.path.join(layer, "recipe.zst"), "rb")


@contextlib.contextmanager
def _damage_named(layer: str) -> Iterator[None]:
    try:
        yield
    except (OSError, TruncatedError, zstandard.ZstdError) as error:
        if isinstance(error, OSError) and error.errno in _OURS:
            raise
        raise DamagedLayerError(f"{layer}: {error}") from error


def _zeros(count: int) -> Iterator[Buffer]:
    while count:
        yield _ZEROS[:count]
        count -= min(count, CHUNK)


def _read_recipe(stream: BinaryIO) -> ChunkReader:
    decompressor = zstandard.ZstdDecompressor()
    source = ChunkReader(decompressor.read_to_iter(stream, write_size=CHUNK))
    if source.up_to(len(_MAGIC)) != _MAGIC:
        raise DamagedLayerError("not a recipe this version knows")
    return source


def _instructions(source: ChunkReader) -> Iterator[bytes | _Payload]:
    while (code := source.exactly(1)) != b"E":
        (length,) = _U32.unpack(source.exactly(4))
        text = source.exactly(length)
        if code == b"L":
            yield text
        elif code == b"F":
            (size,) = _U64.unpack(source.exactly(8))
            yield _Payload(text, ((0, size),))
        else:
            (count,) = _U32.unpack(source.exactly(4))
            pairs = _PAIR.iter_unpack(source.exactly(count * _PAIR.size))
            yield _Payload(text, tuple((start, size) for start, size in pairs))


def _replay(source: ChunkReader, tree: RootedTree, shadows: dict[int, bytes]) -> Iterator[Buffer]:
    number = 0
    for piece in _instructions(source):
        if isinstance(piece, bytes):
            yield piece
        else:
            path = shadows.get(number, b"diff/" + piece.path)
            number += 1
            yield from _read(tree, path, piece.extents)


def _read(tree: RootedTree, path: bytes, extents: Iterable[Extent]) -> Iterator[Buffer]:
    parts = split(path)
    directory = tree.directory(parts[:-1], make=False)
    fd = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory.fd)
    try:
        for start, length in extents:
            at, end = start, start + length
            while at < end:
                piece = os.pread(fd, min(CHUNK, end - at), at)
                if not piece:
                    raise DamagedLayerError(f"{os.fsdecode(path)} is shorter than it was")
                at += len(piece)
                yield piece
    finally:
        os.close(fd)
