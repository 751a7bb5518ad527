"""ADD of a tar archive, plain or compressed: what is in it, in place of itself."""

import errno
import os
from collections.abc import Iterator

from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.files.owning import Ids
from boxship.storage.chunks import CHUNK, Buffer, ChunkReader, TruncatedError
from boxship.storage.compression import CompressionError
from boxship.storage.extracting import Extraction, extract
from boxship.storage.layers import plain
from boxship.storage.tar.header import TarError
from boxship.storage.tar.reader import TarReader
from boxship.storage.tree import Path

_BY_THE_ARCHIVE = frozenset(
    {errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}
    | {errno.EINVAL, errno.EXDEV, errno.EMLINK}
)
"""What comes about when it contradicts itself or the tree."""


def is_archive(file: int) -> bool:
    """Tell whether an open file begins as a tar, plain or compressed, whatever its name."""
    try:
        with plain(_chunks(file)) as stream:
            return TarReader(ChunkReader(stream)).next() is not None
    except (TarError, CompressionError, TruncatedError, EOFError):
        return False
    finally:
        os.lseek(file, 0, os.SEEK_SET)


def unpack(file: int, root: int, place: Path, owner: Ids | None) -> None:
    """Unpack into the directory ``place`` below ``root``; ``owner``: everything is to be theirs.

    Names stay inside the root, whatever links the archive or the tree have.
    InvalidArgumentError: the archive is broken, or lies.
    """

    def owners(uid: int, gid: int) -> tuple[int, int]:
        return (uid, gid) if owner is None else (owner.uid, owner.gid)

    try:
        extract(root, place, _chunks(file), Extraction(owners))
    except OSError as error:
        if error.errno not in _BY_THE_ARCHIVE:
            raise
        raise InvalidArgumentError(f"Error processing tar file: {error}") from error


def _chunks(file: int) -> Iterator[Buffer]:
    while chunk := os.read(file, CHUNK):
        yield chunk
