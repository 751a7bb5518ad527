"""Contexts that come as a tar: the body of ``POST /build``, unpacked where a build can read it.

Unpacking can't leave the directory, whatever names and links the archive has (``extracting.py``).
The directory lies in the store's ``tmp``, so what a daemon that is killed leaves of it goes at the
next start.
"""

import errno
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from boxship.base.errors import InvalidArgumentError, UnavailableError
from boxship.base.files import opened
from boxship.engine.build.temporary import temporary
from boxship.engine.images.bridge import consume
from boxship.storage.chunks import Buffer
from boxship.storage.extracting import Extraction, extract
from boxship.storage.storage import Storage

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_BY_THE_ARCHIVE = frozenset(
    {errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}
    | {errno.EINVAL, errno.EPERM, errno.EXDEV, errno.EMLINK}
)
"""What an archive that contradicts itself brings about in a directory that is empty at first."""
_OF_ROOT = Extraction(owners=lambda uid, gid: (0, 0))
"""As BuildKit's clients send them: who owns a file at the client means nothing here."""


class Uploads:
    """Takes archives in, each into a directory of its own."""

    def __init__(self, storage: Storage) -> None:
        self._root = storage.root
        self._disposal = storage.disposal

    @asynccontextmanager
    async def unpacked(self, archive: AsyncIterator[bytes]) -> AsyncIterator[str]:
        """Unpack a tar, plain or compressed; the directory is there as long as the context is.

        InvalidArgumentError: it is no tar, or a damaged one; UnavailableError: the disk is full.
        What ``archive`` raises is raised here.
        """
        try:
            async with temporary(self._root, self._disposal) as path:
                os.chmod(path, 0o755)  # steps of any user have it mounted
                await consume(archive, lambda chunks: _unpack(path, chunks))
                yield path
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise UnavailableError(
                    f"the build context does not fit on the disk: {error.strerror}"
                ) from error
            raise


def _unpack(path: str, chunks: Iterator[Buffer]) -> None:
    with opened(path, os.O_RDONLY | os.O_DIRECTORY) as fd:
        try:
            extract(fd, (), chunks, _OF_ROOT)
        except OSError as error:
            if error.errno not in _BY_THE_ARCHIVE:
                raise
            raise InvalidArgumentError(f"Error processing tar file: {error}") from error
