"""Rebuild a layer's tar from dockerd's record of it, ``tar-split.json.gz``, and its files.

The record is a line of JSON for each piece, in order::

    {"type":2,"payload":"<base64>"}            bytes that are in no file: headers, padding, the end
    {"type":1,"name":"etc/passwd","size":9}    the contents of a file; without a size there are none
    {"type":1,"name_raw":"<base64>","size":9}  the same, of a name that is not UTF-8

(github.com/vbatts/tar-split, tar/storage.) The result is not verified here: whoever takes it in
computes its digest. Links in a layer are followed within it, never out of it.
"""

import gzip
import os
import zlib
from collections.abc import Iterator

import msgspec

from boxship.base.errors import InternalError
from boxship.base.files import opened
from boxship.kernel.paths import RESOLVE_IN_ROOT, openat2
from boxship.storage.chunks import CHUNK

_FILE, _SEGMENT = 1, 2


class DamagedLayerError(InternalError):
    """A layer's files, or the record of them, are not what they were."""


class Piece(msgspec.Struct, frozen=True):
    """A line of the record."""

    type: int
    name: str = ""
    name_raw: bytes = b""
    size: int = 0
    payload: bytes | None = None

    @property
    def path(self) -> bytes:
        """A file's name below the layer's directory."""
        return self.name_raw or self.name.encode()


_DECODER = msgspec.json.Decoder(Piece)


def pieces(record: str) -> Iterator[Piece]:
    """Read the file ``record``. DamagedLayerError."""
    try:
        with gzip.open(record) as lines:
            for line in lines:
                yield _DECODER.decode(line)
    except (OSError, EOFError, zlib.error, msgspec.MsgspecError) as error:
        raise DamagedLayerError(f"{record} cannot be read: {error}") from error


def tar_size(record: str) -> int:
    """Return how many bytes the tar has. DamagedLayerError."""
    return sum(len(p.payload or b"") if p.type == _SEGMENT else p.size for p in pieces(record))


def tar(record: str, directory: str) -> Iterator[bytes]:
    """Yield the tar of a layer whose files are in ``directory``. DamagedLayerError."""
    with opened(directory, os.O_RDONLY | os.O_DIRECTORY) as tree:
        for piece in pieces(record):
            if piece.type == _SEGMENT:
                yield piece.payload or b""
            elif piece.type == _FILE and piece.size:
                yield from _contents(tree, directory, piece)


def _contents(tree: int, directory: str, piece: Piece) -> Iterator[bytes]:
    name = os.fsdecode(piece.path)
    where = f"{directory}/{name}"
    try:
        fd = openat2(tree, name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, RESOLVE_IN_ROOT)
    except OSError as error:
        raise DamagedLayerError(f"{where}: {error.strerror}") from error
    try:
        left = piece.size
        while left:
            chunk = os.read(fd, min(left, CHUNK))
            if not chunk:
                raise DamagedLayerError(f"{where} is {left} bytes shorter than it was")
            left -= len(chunk)
            yield chunk
    except OSError as error:
        raise DamagedLayerError(f"{where}: {error.strerror}") from error
    finally:
        os.close(fd)
