"""Standard input, output and error of a process that enters a container."""

import os
import stat

from boxship.kernel.mounts import filesystem_magic, new_filesystem
from boxship.kernel.paths import RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS, openat2

_NULL_DEVICE = os.makedev(1, 3)
_PIPEFS_MAGIC = 0x50495045
_SOCKFS_MAGIC = 0x534F434B


def place_stdio(stdio: tuple[int, int, int]) -> None:
    """Put the three on 0, 1, 2 whatever numbers they have now."""
    safe = [os.dup(fd) if fd < 3 else fd for fd in stdio]
    # os.dup gives the lowest free number, which may be one of the three again.
    while any(fd < 3 for fd in safe):
        safe = [os.dup(fd) if fd < 3 else fd for fd in safe]
    for number, fd in enumerate(safe):
        os.dup2(fd, number, inheritable=True)


def replace_null() -> None:
    """Have the container's own null device on 0, 1, 2 instead of the host's.

    What is done to the node through the descriptor (mode, owner, times) is done to the inode.
    """
    for number in (0, 1, 2):
        if is_null(number):
            own = _open_own_null()
            os.dup2(own, number, inheritable=True)
            os.close(own)


def is_null(fd: int) -> bool:
    """Tell whether it is a null device."""
    status = os.fstat(fd)
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == _NULL_DEVICE


def _open_own_null() -> int:
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS
        own = openat2(root, "dev/null", os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY, resolve)
    except OSError:
        return _pipe_without_writer()
    finally:
        os.close(root)
    if is_null(own):
        os.set_blocking(own, True)
        return own
    os.close(own)
    return _pipe_without_writer()


def _pipe_without_writer() -> int:
    """Return what reads as empty and takes nothing, as the next best to a null device."""
    reading, writing = os.pipe()
    os.close(writing)
    return reading


def open_null_of_its_own() -> int:
    """Return a null device whose node nobody else has or can reach; raise OSError."""
    place = new_filesystem("tmpfs", "null", ("nr_inodes=2",))
    try:
        os.mknod("null", stat.S_IFCHR | 0o666, _NULL_DEVICE, dir_fd=place)
        return os.open("null", os.O_RDWR | os.O_CLOEXEC, dir_fd=place)
    finally:
        os.close(place)


def give_stdio(stdio: tuple[int, int, int], uid: int, gid: int) -> None:
    """Let the user open /dev/stdout again, which leads to the inode behind the descriptor.

    -1 leaves the owner or the group as it is.
    Only pipes, sockets and our own pty: a /dev/null or a file of the host's is not ours to give.
    """
    for fd in stdio:
        if fd < 0:
            continue
        status = os.fstat(fd)
        if uid in (-1, status.st_uid) and gid in (-1, status.st_gid):
            continue
        anonymous = filesystem_magic(fd) in (_PIPEFS_MAGIC, _SOCKFS_MAGIC)
        pty = stat.S_ISCHR(status.st_mode) and 136 <= os.major(status.st_rdev) <= 143
        if anonymous or pty:
            os.fchown(fd, uid, gid)
