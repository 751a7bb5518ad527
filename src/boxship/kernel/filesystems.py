"""Whole file systems."""

import ctypes

from boxship.kernel.libc import function

_syncfs = function("syncfs", ctypes.c_int)


def syncfs(fd: int) -> None:
    """Write everything that is not yet on the disk of the file system ``fd`` is on; syncfs(2)."""
    _syncfs(fd)
