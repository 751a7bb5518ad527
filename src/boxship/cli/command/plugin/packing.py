"""A plugin's directory as a tar, with owners, modes and hard links, piece by piece."""

import os
import tarfile
import zlib
from collections.abc import Iterator
from io import BytesIO

from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.members import content

_PIECE = 1 << 20
_GZIP = 31  # zlib's name for it


def packed(directory: str, *, compress: bool = False) -> Iterator[bytes]:
    """Yield the archive. ExitError: a file goes or shrinks meanwhile."""
    if not compress:
        yield from _archive(directory)
        return
    stream = zlib.compressobj(wbits=_GZIP)
    for piece in _archive(directory):
        yield stream.compress(piece)
    yield stream.flush()


def _archive(directory: str) -> Iterator[bytes]:
    # It never writes: it tells names from inodes, and so finds hard links.
    with tarfile.TarFile(fileobj=BytesIO(), mode="w", format=tarfile.PAX_FORMAT) as names:
        for path in _walk(directory):
            try:
                yield from _entry(names, path, os.path.relpath(path, directory))
            except OSError as error:
                raise ExitError(FAILURE, f"cannot read {path}: {error.strerror}") from error
    yield bytes(2 * tarfile.BLOCKSIZE)


def _walk(directory: str) -> Iterator[str]:
    """Yield paths below, a directory before what is in it."""
    for entry in sorted(os.scandir(directory), key=lambda found: found.name):
        yield entry.path
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)


def _entry(names: tarfile.TarFile, path: str, name: str) -> Iterator[bytes]:
    info = names.gettarinfo(path, name)
    if info is None:  # a socket, which no archive can hold
        return
    info.uname = info.gname = ""
    yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    if not info.isreg():
        return
    yield from content(path, info.size)
