"""Delete a directory tree, however deep it is.

What containers and archives make may be deeper than Python's stack, and than the longest path the
kernel takes. So nothing is descended into twice: directories found in a directory are moved up
beside it, and wait for their turn there.
"""

import contextlib
import os
import shutil

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def delete_tree(path: str) -> None:
    """Delete ``path`` and what is in it; what cannot be deleted stays, as does the way to it."""
    try:
        shutil.rmtree(path, ignore_errors=True)
    except RecursionError:
        with contextlib.suppress(OSError):
            _flatten(path)
        shutil.rmtree(path, ignore_errors=True)


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
