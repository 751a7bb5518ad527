"""What every container finds at the bottom of its file system: places to mount things on.

Docker gives each container a layer of its own between image and writable part, with the mount
points it needs, so that ``docker diff`` of a container that has done nothing is empty and a commit
of it adds nothing. They are always the same; so one directory, below the image's layers, serves all
containers: what an image brings along covers it, and a start copies nothing up.

::

    .dockerenv                          by which programs tell that they are in a container
    dev/  dev/console  dev/pts/  dev/shm/  proc/  sys/
    etc/  etc/hostname  etc/hosts  etc/resolv.conf
    etc/mtab -> /proc/mounts
"""

import os
import shutil

STUBS = "stubs"
"""Its name in the data root."""

_DIRECTORIES = ("dev", "dev/pts", "dev/shm", "etc", "proc", "sys")
_FILES = (".dockerenv", "dev/console", "etc/hostname", "etc/hosts", "etc/resolv.conf")
_LINKS = {"etc/mtab": "/proc/mounts"}
_MODE = 0o755


def make_stubs(path: str) -> None:
    """Make the directory ``path``, whole or not at all; one that is there already stays."""
    if os.path.isdir(path):
        return
    making = f"{path}.{os.getpid()}"
    shutil.rmtree(making, ignore_errors=True)
    os.mkdir(making)
    os.chmod(making, _MODE)
    _furnish(making)
    try:
        os.rename(making, path)
    except OSError:
        shutil.rmtree(making)  # somebody was faster
        if not os.path.isdir(path):
            raise


def _furnish(root: str) -> None:
    for name in _DIRECTORIES:
        os.mkdir(os.path.join(root, name))
        os.chmod(os.path.join(root, name), _MODE)
    for name in _FILES:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        fd = os.open(os.path.join(root, name), flags, _MODE)
        os.fchmod(fd, _MODE)
        os.close(fd)
    for name, target in _LINKS.items():
        os.symlink(target, os.path.join(root, name))
