"""The narrow window through which setup steps reach the kernel, and its two sides.

``Kernel`` lists what ``apply.py`` may ask for. ``LINUX`` is the real one; tests pass a recorder
that notes calls and hands out numbers for descriptors, so that the order of a whole container's
set-up can be read as text without root.
"""

from __future__ import annotations

import os

from boxship.kernel import mounts, namespaces, paths, terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


class Kernel(Protocol):
    """Descriptors are plain integers, owned by the caller and given back through ``close``."""

    def unshare(self, flags: int) -> None: ...
    def setns(self, fd: int, flags: int) -> None: ...
    def sethostname(self, name: str) -> None: ...
    def setdomainname(self, name: str) -> None: ...
    def loopback_up(self) -> None: ...
    def mount(self, source: str, target: str, fstype: str, flags: int, data: str = "") -> None: ...
    def umount2(self, target: str, flags: int = 0) -> None: ...
    def chroot(self, path: str) -> None: ...
    def pivot_root(self, new_root: str, put_old: str) -> None: ...
    def open_tree(self, directory: int, path: str, flags: int) -> int: ...
    def move_mount(self, mount_fd: int, target_fd: int) -> None: ...
    def mount_setattr(
        self,
        mount_fd: int,
        set_bits: int = 0,
        clear_bits: int = 0,
        *,
        propagation: int = 0,
        flags: int = 0,
    ) -> None: ...
    def new_filesystem(
        self, fstype: str, source: str = "", options: tuple[str, ...] = (), attributes: int = 0
    ) -> int: ...
    def filesystem_magic(self, fd: int) -> int: ...
    def openat2(
        self, directory: int, path: str, flags: int, resolve: int, mode: int = 0
    ) -> int: ...
    def open(self, path: str, flags: int) -> int: ...
    def open_at(self, directory: int, name: str, flags: int, mode: int = 0) -> int: ...
    def close(self, fd: int) -> None: ...
    def fstat(self, fd: int) -> os.stat_result: ...
    def mkdir_at(self, directory: int, name: str, mode: int) -> None: ...
    def mknod_at(self, directory: int, name: str, mode: int, device: int) -> None: ...
    def chmod(self, fd: int, mode: int) -> None: ...
    def chown(self, fd: int, uid: int, gid: int) -> None: ...
    def symlink_at(self, content: str, directory: int, name: str) -> None: ...
    def readlink_at(self, directory: int, name: str) -> str: ...
    def write(self, fd: int, data: bytes) -> int: ...
    def chdir(self, path: str) -> None: ...
    def fchdir(self, fd: int) -> None: ...
    def open_peer(self, master: int) -> int: ...
    def set_window_size(self, fd: int, height: int, width: int) -> None: ...


class _Linux:
    """The system calls themselves."""

    unshare = staticmethod(namespaces.unshare)
    setns = staticmethod(namespaces.setns)
    sethostname = staticmethod(namespaces.sethostname)
    setdomainname = staticmethod(namespaces.setdomainname)
    loopback_up = staticmethod(namespaces.loopback_up)
    mount = staticmethod(mounts.mount)
    umount2 = staticmethod(mounts.umount2)
    pivot_root = staticmethod(mounts.pivot_root)
    open_tree = staticmethod(mounts.open_tree)
    move_mount = staticmethod(mounts.move_mount)
    mount_setattr = staticmethod(mounts.mount_setattr)
    new_filesystem = staticmethod(mounts.new_filesystem)
    filesystem_magic = staticmethod(mounts.filesystem_magic)
    openat2 = staticmethod(paths.openat2)
    close = staticmethod(os.close)
    fstat = staticmethod(os.fstat)
    write = staticmethod(os.write)
    chdir = staticmethod(os.chdir)
    chroot = staticmethod(os.chroot)
    fchdir = staticmethod(os.fchdir)
    open_peer = staticmethod(terminal.open_peer)
    set_window_size = staticmethod(terminal.set_window_size)

    @staticmethod
    def open(path: str, flags: int) -> int:
        return os.open(path, flags | os.O_CLOEXEC)

    @staticmethod
    def open_at(directory: int, name: str, flags: int, mode: int = 0) -> int:
        return os.open(name, flags | os.O_CLOEXEC, mode, dir_fd=directory)

    @staticmethod
    def mkdir_at(directory: int, name: str, mode: int) -> None:
        os.mkdir(name, mode, dir_fd=directory)

    @staticmethod
    def mknod_at(directory: int, name: str, mode: int, device: int) -> None:
        os.mknod(name, mode, device, dir_fd=directory)

    @staticmethod
    def chmod(fd: int, mode: int) -> None:
        # fchmod(2) refuses O_PATH descriptors; /proc/self/fd does not.
        os.chmod(f"/proc/self/fd/{fd}", mode)

    @staticmethod
    def chown(fd: int, uid: int, gid: int) -> None:
        os.chown(f"/proc/self/fd/{fd}", uid, gid)

    @staticmethod
    def symlink_at(content: str, directory: int, name: str) -> None:
        os.symlink(content, name, dir_fd=directory)

    @staticmethod
    def readlink_at(directory: int, name: str) -> str:
        return os.readlink(name, dir_fd=directory)


LINUX: Kernel = _Linux()
