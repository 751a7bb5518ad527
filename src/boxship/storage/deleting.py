"""Delete a directory tree, however deep it is.

What containers and archives make may be deeper than Python's stack, than the longest path the
kernel takes, and than the number of files a process may have open. So a directory is opened anew
by its path, in pieces, whenever it is its turn. Where even that takes too long, directories found
in a directory are moved up beside it, and wait for their turn there.
"""

import contextlib
import errno
import os
from collections.abc import Callable

from boxship.storage.stack import open_directory
from boxship.storage.tree import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_Failed = Callable[[OSError], object]


def delete_tree(path: str) -> None:
    """Delete ``path`` and what is in it; what cannot be deleted stays, as does the way to it."""
    failures: set[int | None] = set()
    above, name = os.path.split(os.path.abspath(path))
    with contextlib.suppress(OSError):
        parent = os.open(above, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _delete(parent, os.fsencode(name), lambda error: failures.add(error.errno))
            if errno.ENAMETOOLONG in failures:
                _flatten(path)
                _delete(parent, os.fsencode(name), lambda _: None)
        finally:
            os.close(parent)


def delete_within(parent: int, name: bytes) -> None:
    """Delete directory ``name`` of an open one, while others may be at work in it. OSError.

    Nothing is moved, since overlayfs cannot move directories of its layers; and nothing is opened
    that could turn out to be no directory.
    """

    def failed(error: OSError) -> None:
        raise error

    _delete(parent, name, failed)


def _delete(parent: int, name: bytes, failed: _Failed) -> None:
    pending: list[tuple[Path, bool]] = [((name,), False)]
    while pending:
        path, emptied = pending.pop()
        try:
            directory = open_directory(parent, path[:-1] if emptied else path)
        except OSError as error:
            failed(error)
            continue
        try:
            if emptied:
                os.rmdir(path[-1], dir_fd=directory)
            else:
                pending.append((path, True))
                pending += [((*path, inner), False) for inner in _delete_files(directory, failed)]
        except OSError as error:
            failed(error)
        finally:
            os.close(directory)


def _delete_files(directory: int, failed: _Failed) -> list[bytes]:
    """Delete what is no directory; return the names of those that are."""
    left = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                left.append(os.fsencode(entry.name))
                continue
            try:
                os.unlink(entry.name, dir_fd=directory)
            except OSError as error:
                failed(error)
    return left


def _flatten(path: str) -> None:
    """Leave in ``path`` only directories with nothing but files in them, and delete these files."""
    top = os.open(path, _DIRECTORY)
    try:
        waiting = [name for name in os.listdir(top) if _is_directory(name, top)]
        count = 0
        while waiting:
            name = waiting.pop()
            directory = os.open(name, _DIRECTORY, dir_fd=top)
            try:
                for inner in os.listdir(directory):
                    if not _is_directory(inner, directory):
                        os.unlink(inner, dir_fd=directory)
                        continue
                    count += 1
                    waiting.append(f".deleting-{os.getpid()}-{count}")
                    os.rename(inner, waiting[-1], src_dir_fd=directory, dst_dir_fd=top)
            finally:
                os.close(directory)
            os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)


def _is_directory(name: str, parent: int) -> bool:
    try:
        os.close(os.open(name, _DIRECTORY | os.O_PATH, dir_fd=parent))
    except OSError:
        return False
    return True
