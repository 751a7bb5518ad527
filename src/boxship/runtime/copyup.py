"""Copy a directory's content into a new file system before it is mounted over that directory."""

import os
import stat

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20


def copy_tree(source: int, target: int) -> None:
    """Copy everything below the directory ``source`` into the directory ``target``.

    Owners, modes and times are kept; the top directory's own mode and owner are copied too. Links
    are copied, never followed. Sockets are left out: nobody could be listening on a copy.
    """
    readable = os.open(".", _DIRECTORY, dir_fd=source)
    writable = os.open(".", _DIRECTORY, dir_fd=target)
    try:
        _copy_content(readable, writable)
        _copy_attributes(os.fstat(readable), writable)
    finally:
        os.close(readable)
        os.close(writable)


def _copy_content(source: int, target: int) -> None:
    for name in os.listdir(source):
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFDIR:
            os.mkdir(name, 0o700, dir_fd=target)
            inner_source = os.open(name, _DIRECTORY, dir_fd=source)
            inner_target = os.open(name, _DIRECTORY, dir_fd=target)
            try:
                _copy_content(inner_source, inner_target)
                _copy_attributes(status, inner_target)
            finally:
                os.close(inner_source)
                os.close(inner_target)
        elif kind == stat.S_IFREG:
            _copy_file(source, target, name, status)
        elif kind == stat.S_IFLNK:
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
        elif kind != stat.S_IFSOCK:
            os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target)
            os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)


def _copy_file(source: int, target: int, name: str, status: os.stat_result) -> None:
    # What was a file a moment ago may be a FIFO by now, which must not hold us up.
    flags = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    reading = os.open(name, flags | os.O_RDONLY, dir_fd=source)
    try:
        writing = os.open(name, flags | os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=target)
        try:
            while os.sendfile(writing, reading, None, _CHUNK):
                pass
            _copy_attributes(status, writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _copy_attributes(status: os.stat_result, fd: int) -> None:
    os.fchown(fd, status.st_uid, status.st_gid)
    os.fchmod(fd, stat.S_IMODE(status.st_mode))
    os.utime(fd, ns=(status.st_atime_ns, status.st_mtime_ns))
