"""Debian's binary packages: an ``ar`` of ``debian-binary``, ``control.tar.*``, ``data.tar.*``."""

import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from tarfile import TarError, TarFile
from tarfile import open as open_tar
from typing import BinaryIO, cast

import zstandard

from boxship.bootstrap.errors import MalformedPackageError

_MAGIC = b"!<arch>\n"
_HEADER = 60


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the ``ar``: where its bytes are, and when it was made (Unix seconds)."""

    name: str
    offset: int
    size: int
    mtime: int


def members(stream: BinaryIO, what: str) -> tuple[Member, ...]:
    """List the members. Raise MalformedPackageError."""
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise MalformedPackageError(f"{what} is no Debian package")
    found: list[Member] = []
    while len(header := stream.read(_HEADER)) == _HEADER:
        name = header[:16].decode("ascii", "replace").strip().rstrip("/")
        try:
            mtime, size = int(header[16:28] or b"0"), int(header[48:58])
        except ValueError as error:
            raise MalformedPackageError(f"{what}: {error}") from error
        found.append(Member(name, stream.tell(), size, mtime))
        stream.seek(size + size % 2, 1)
    return tuple(found)


def built_at(path: str) -> int:
    """When the package was built (Unix seconds): its builder writes it into every member."""
    with open(path, "rb") as stream:
        return max((member.mtime for member in members(stream, path)), default=0)


@contextmanager
def data(path: str) -> Iterator[TarFile]:
    """Open the package's files as a stream to be read once, in order."""
    with open(path, "rb") as stream:
        for member in members(stream, path):
            if member.name.startswith("data.tar"):
                stream.seek(member.offset)
                suffix = member.name.removeprefix("data.tar").removeprefix(".")
                plain = cast("BinaryIO", _Plain(stream, member.size, _decompressor(suffix, path)))
                try:
                    with open_tar(fileobj=plain, mode="r|") as tar:
                        yield tar
                except (TarError, lzma.LZMAError, zlib.error, zstandard.ZstdError) as error:
                    raise MalformedPackageError(f"{path}: {error}") from error
                return
    raise MalformedPackageError(f"{path} has no data.tar")


Decompress = Callable[[bytes], bytes]

_DECOMPRESSORS: Mapping[str, Callable[[], Decompress]] = {
    "": lambda: lambda piece: piece,
    "gz": lambda: zlib.decompressobj(31).decompress,
    "xz": lambda: lzma.LZMADecompressor().decompress,
    "zst": lambda: zstandard.ZstdDecompressor().decompressobj().decompress,
}


def _decompressor(suffix: str, what: str) -> Decompress:
    make = _DECOMPRESSORS.get(suffix)
    if make is None:
        raise MalformedPackageError(f"{what}: unknown compression {suffix!r}")
    return make()


class _Plain:
    """The decompressed bytes of a member, as ``tarfile`` wants to read them."""

    _PIECE = 128 * 1024

    def __init__(self, stream: BinaryIO, size: int, decompress: Decompress) -> None:
        self._stream = stream
        self._left = size
        self._decompress = decompress
        self._ready = bytearray()

    def read(self, wanted: int) -> bytes:
        while len(self._ready) < wanted and self._left:
            piece = self._stream.read(min(self._PIECE, self._left))
            self._left = self._left - len(piece) if piece else 0
            if piece:
                self._ready += self._decompress(piece)
        taken = bytes(self._ready[:wanted])
        del self._ready[:wanted]
        return taken
