"""ADD of a tar archive, plain or compressed: what is in it, in place of itself."""

import errno
import os
from collections.abc import Iterator

from boxship.base.errors import InvalidArgumentError
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

_AS_THE_ARCHIVE_SAYS = Extraction(owners=lambda uid, gid: (uid, gid))


def is_archive(file: int) -> bool:
    """Tell whether an open file begins as a tar, plain or compressed, whatever its name."""
    try:
        with plain(_chunks(file)) as stream:
            return TarReader(ChunkReader(stream)).next() is not None
    except (TarError, CompressionError, TruncatedError, EOFError):
        return False
    finally:
        os.lseek(file, 0, os.SEEK_SET)


def unpack(file: int, root: int, place: Path) -> None:
    """Unpack into the directory ``place`` below ``root``, with the owners that the archive says.

    Names stay inside the root, whatever links the archive or the tree have.
    InvalidArgumentError: the archive is broken, or lies.
    """
    try:
        extract(root, place, _chunks(file), _AS_THE_ARCHIVE_SAYS)
    except OSError as error:
        if error.errno not in _BY_THE_ARCHIVE:
            raise
        raise InvalidArgumentError(f"Error processing tar file: {error}") from error


def _chunks(file: int) -> Iterator[Buffer]:
    while chunk := os.read(file, CHUNK):
        yield chunk
