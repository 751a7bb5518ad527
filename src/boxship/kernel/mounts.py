"""Mounts: the descriptor-based calls of Linux 5.2 and later, and the two old ones still needed.

The old ``mount`` stays for overlay, whose option string goes beyond the 256 bytes one
``fsconfig`` value may have, and for propagation of whole trees.
"""

import ctypes
import os

from boxship.base.suppress import suppress
from boxship.kernel.libc import LONG, POINTER, TEXT, encoded, function, system_call

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
AT_SYMLINK_NOFOLLOW = 0x100

MS_RDONLY = 1
MS_NODEV = 4
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MNT_DETACH = 2

OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 0x4
MOVE_MOUNT_T_EMPTY_PATH = 0x40

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR_ATIME = 0x70
MOUNT_ATTR_RELATIME = 0x0
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_NODIRATIME = 0x80
MOUNT_ATTR_IDMAP = 0x100000
MOUNT_ATTR_NOSYMFOLLOW = 0x200000

PROC_SUPER_MAGIC = 0x9FA0
SYSFS_MAGIC = 0x62656572
DEVPTS_SUPER_MAGIC = 0x1CD1
CGROUP2_SUPER_MAGIC = 0x63677270

_FSOPEN_CLOEXEC = 1
_FSMOUNT_CLOEXEC = 1
_FSCONFIG_SET_FLAG = 0
_FSCONFIG_SET_STRING = 1
_FSCONFIG_CMD_CREATE = 6

_mount = function("mount", TEXT, TEXT, TEXT, ctypes.c_ulong, TEXT)
_umount2 = function("umount2", TEXT, ctypes.c_int)
_pivot_root = system_call("pivot_root", {"x86_64": 155, "aarch64": 41}, TEXT, TEXT)
_open_tree = system_call("open_tree", 428, LONG, TEXT, LONG)
_move_mount = system_call("move_mount", 429, LONG, TEXT, LONG, TEXT, LONG)
_fsopen = system_call("fsopen", 430, TEXT, LONG)
_fsconfig = system_call("fsconfig", 431, LONG, LONG, TEXT, TEXT, LONG)
_fsmount = system_call("fsmount", 432, LONG, LONG, LONG)
_mount_setattr = system_call("mount_setattr", 442, LONG, TEXT, LONG, POINTER, LONG)
_fstatfs = function("fstatfs", ctypes.c_int, POINTER)


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def mount(source: str, target: str, fstype: str, flags: int, data: str = "") -> None:
    """``mount(2)``; empty strings travel as NULL."""
    _mount(
        encoded(source) or None,
        encoded(target),
        encoded(fstype) or None,
        flags,
        encoded(data) or None,
        path=target,
    )


def umount2(target: str, flags: int = 0) -> None:
    """``umount2(2)``."""
    _umount2(encoded(target), flags, path=target)


def pivot_root(new_root: str, put_old: str) -> None:
    """``pivot_root(2)``."""
    _pivot_root(encoded(new_root), encoded(put_old), path=new_root)


def open_tree(directory: int, path: str, flags: int) -> int:
    """Return a close-on-exec descriptor of the mount at ``path``, or of a detached copy of it."""
    return _open_tree(directory, encoded(path), flags | OPEN_TREE_CLOEXEC, path=path)


def move_mount(mount_fd: int, target_fd: int) -> None:
    """Attach the mount ``mount_fd`` on top of what ``target_fd`` refers to; no path is walked."""
    _move_mount(mount_fd, b"", target_fd, b"", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)


def mount_setattr(
    mount_fd: int, set_bits: int = 0, clear_bits: int = 0, *, propagation: int = 0, flags: int = 0
) -> None:
    """Change attributes of the mount ``mount_fd``; ``flags`` may be AT_RECURSIVE."""
    attributes = _MountAttr(set_bits, clear_bits, propagation, 0)
    size = ctypes.sizeof(attributes)
    _mount_setattr(mount_fd, b"", flags | AT_EMPTY_PATH, ctypes.addressof(attributes), size)


def map_owners(mount_fd: int, user_namespace: int, flags: int = 0) -> None:
    """Show the files of a detached mount with the owners that a user namespace gives them."""
    attributes = _MountAttr(MOUNT_ATTR_IDMAP, 0, 0, user_namespace)
    size = ctypes.sizeof(attributes)
    _mount_setattr(mount_fd, b"", flags | AT_EMPTY_PATH, ctypes.addressof(attributes), size)


def new_filesystem(
    fstype: str, source: str = "", options: tuple[str, ...] = (), attributes: int = 0
) -> int:
    """Return a detached mount of a new file system: fsopen, fsconfig and fsmount.

    ``options`` are ``key=value`` or plain flags. The kernel's own words go into the error.
    """
    context = _fsopen(encoded(fstype), _FSOPEN_CLOEXEC, path=fstype)
    try:
        if source:
            _fsconfig(context, _FSCONFIG_SET_STRING, b"source", encoded(source), 0, path=fstype)
        for option in options:
            key, equals, value = option.partition("=")
            if equals:
                _fsconfig(context, _FSCONFIG_SET_STRING, encoded(key), encoded(value), 0)
            else:
                _fsconfig(context, _FSCONFIG_SET_FLAG, encoded(key), None, 0)
        _fsconfig(context, _FSCONFIG_CMD_CREATE, None, None, 0)
        return _fsmount(context, _FSMOUNT_CLOEXEC, attributes)
    except OSError as error:
        words = _context_log(context) or os.strerror(error.errno or 0)
        raise OSError(error.errno, f"mount {fstype}: {words}") from None
    finally:
        os.close(context)


def _context_log(context: int) -> str:
    """Read what the kernel logged for this mount, such as "e tmpfs: Bad value for 'size'"."""
    lines = []
    with suppress(OSError):
        while line := os.read(context, 4096):
            lines.append(line.decode("utf-8", "replace").strip()[2:])
    return "; ".join(lines)


def filesystem_magic(fd: int) -> int:
    """Return ``f_type`` of the file system ``fd`` lives on, such as PROC_SUPER_MAGIC."""
    buffer = ctypes.create_string_buffer(256)
    _fstatfs(fd, ctypes.addressof(buffer))
    return ctypes.c_long.from_buffer(buffer).value
