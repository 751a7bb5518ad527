"""Copy what lies in a directory with all that it has: owner, mode, attributes, times, holes."""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator

_FICLONE = 0x40049409
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST = 1 << 30
_NOT_HERE = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS)
_OVERLAY = ("trusted.overlay.", "user.overlay.")

Range = tuple[int, int]


def copy_entry(
    source: int, name: bytes, found: os.stat_result, target: int, new_name: bytes
) -> None:
    """Copy one entry of the directory ``source`` to ``target``; a directory without its contents.

    A directory's times change again when something is put into it: see ``set_times``.
    """
    if stat.S_ISREG(found.st_mode):
        _copy_file(source, name, target, new_name)
    elif stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), new_name, dir_fd=target)
    elif stat.S_ISDIR(found.st_mode):
        os.mkdir(new_name, 0o700, dir_fd=target)
    else:
        os.mknod(new_name, found.st_mode, found.st_rdev, dir_fd=target)
    place = b"/proc/self/fd/%d/%s" % (target, new_name)
    os.chown(place, found.st_uid, found.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        os.chmod(place, stat.S_IMODE(found.st_mode))
    copy_attributes(b"/proc/self/fd/%d/%s" % (source, name), place)
    set_times(target, new_name, found)


def copy_attributes(source: bytes, target: bytes) -> None:
    """Copy extended attributes, but not overlayfs' own marks. The last name is not followed."""
    for key in os.listxattr(source, follow_symlinks=False):
        if not key.startswith(_OVERLAY):
            value = os.getxattr(source, key, follow_symlinks=False)
            os.setxattr(target, key, value, follow_symlinks=False)


def set_times(directory: int, name: bytes, found: os.stat_result) -> None:
    """Set access and modification time."""
    times = (found.st_atime_ns, found.st_mtime_ns)
    os.utime(name, ns=times, dir_fd=directory, follow_symlinks=False)


def copy_data(source: int, target: int) -> None:
    """Copy a file's bytes: shared blocks where the file system can, else data between holes."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
    else:
        return
    size = os.fstat(source).st_size
    transfer = _in_kernel
    for start, end in data_ranges(source, size):
        at = start
        while at < end:
            try:
                count = transfer(source, target, at, end - at)
            except OSError as error:
                if transfer is _through_memory or error.errno not in _NOT_HERE:
                    raise
                transfer = _through_memory
                continue
            if not count:
                break  # it has become shorter
            at += count
    os.ftruncate(target, size)


def data_ranges(fd: int, size: int) -> Iterator[Range]:
    """Yield where a file of ``size`` bytes has data: beginning and end of each range."""
    at = 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return
        at = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, at


def _in_kernel(source: int, target: int, at: int, count: int) -> int:
    return os.copy_file_range(source, target, min(count, _MOST), at, at)


def _through_memory(source: int, target: int, at: int, count: int) -> int:
    data = os.pread(source, min(count, 1 << 20), at)
    return os.pwrite(target, data, at)


def _copy_file(source: int, name: bytes, target: int, new_name: bytes) -> None:
    reading = os.open(name, _READ, dir_fd=source)
    try:
        writing = os.open(new_name, _CREATE, 0o600, dir_fd=target)
        try:
            copy_data(reading, writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)
