"""Directories that only root can have made and can change: what is in them is believed."""

import os

_OTHERS_WRITE = 0o022


def is_owned(path: str) -> bool:
    """Tell whether ``path``, and each directory on the way to it, is root's alone."""
    while True:
        status = os.lstat(path)
        if status.st_uid != 0 or status.st_mode & _OTHERS_WRITE:
            return False
        if path == "/":
            return True
        path = os.path.dirname(path)


def make_owned(path: str) -> bool:
    """Make a directory, 0755 whatever the umask is, with its parents; return ``is_owned``."""
    if not os.path.isdir(path):
        make_owned(os.path.dirname(path))
        try:
            os.mkdir(path, 0o755)
            os.chmod(path, 0o755)
        except FileExistsError:
            pass
    return is_owned(path)
