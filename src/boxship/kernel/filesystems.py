"""Whole file systems, and names on them."""

import ctypes
import fcntl
import sys

from boxship.kernel.libc import LONG, POINTER, TEXT, encoded, function, system_call

FS_TOPDIR_FL = 0x00020000
"""Directories made in this one have nothing to do with each other: put them far apart (ext4)."""

_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2

_renameat2 = system_call("renameat2", {"x86_64": 316, "aarch64": 276}, LONG, TEXT, LONG, TEXT, LONG)
_getdents64 = system_call("getdents64", {"x86_64": 217, "aarch64": 61}, LONG, POINTER, LONG)
_TYPE = 18
_syncfs = function("syncfs", ctypes.c_int)


def syncfs(fd: int) -> None:
    """Write everything that is not yet on the disk of the file system ``fd`` is on; syncfs(2)."""
    _syncfs(fd)


def inode_flags(fd: int) -> int:
    """Return the attributes (``FS_*_FL``) of a file; FS_IOC_GETFLAGS, which reads an int."""
    answer = fcntl.ioctl(fd, _GET_FLAGS, bytes(4))
    return int.from_bytes(answer, sys.byteorder)


def set_inode_flags(fd: int, flags: int) -> None:
    """Set them; FS_IOC_SETFLAGS. OSError EOPNOTSUPP, ENOTTY: this file system does not have it."""
    fcntl.ioctl(fd, _SET_FLAGS, flags.to_bytes(4, sys.byteorder))


def tells_types(fd: int) -> bool:
    """Tell whether a directory, open at its beginning, says what its entries are (``d_type``).

    getdents64(2): after inode, offset (8 bytes each) and length (2) comes the type, 0 for unknown.
    Without it overlayfs cannot work on top. False at the end of the directory, too.
    """
    buffer = ctypes.create_string_buffer(1024)
    length = _getdents64(fd, ctypes.addressof(buffer), len(buffer))
    return length > _TYPE and buffer.raw[_TYPE] != 0


def exchange(first: str, second: str) -> None:
    """Let two names change places in one step; ``renameat2(2)`` with RENAME_EXCHANGE."""
    _renameat2(_AT_FDCWD, encoded(first), _AT_FDCWD, encoded(second), _RENAME_EXCHANGE, path=second)
