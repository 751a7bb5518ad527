"""Project quotas: whose a file is besides its owner, and how much that project may hold."""

from __future__ import annotations

import ctypes
import fcntl
import struct

from boxship.kernel.libc import LONG, POINTER, system_call

_GET_ATTRIBUTES, _SET_ATTRIBUTES = 0x801C581F, 0x401C5820
_ATTRIBUTES = struct.Struct("=IIIII8x")
"""``struct fsxattr``: flags, extent size, number of extents, project, extent size of copies."""
_INHERIT = 0x200

_PROJECTS = 2
_LIMIT, _STATE = 0x5804, 0x5805
_ENFORCED = 1 << 5
_STATE_BYTES = 80
_HARD = 1 << 3
_BLOCK = 512
_LIMITS = struct.Struct("=bbHIQQ88x")
"""``struct fs_disk_quota``: version, kind, which fields, project, hard and soft limit in blocks."""

_quotactl_fd = system_call("quotactl_fd", 443, LONG, LONG, LONG, POINTER)


def project_of(fd: int) -> int:
    """Return the project of a file; FS_IOC_FSGETXATTR. OSError ENOTTY: there are none here."""
    answer = fcntl.ioctl(fd, _GET_ATTRIBUTES, bytes(_ATTRIBUTES.size))
    return int(_ATTRIBUTES.unpack(answer)[3])


def set_project(directory: int, project: int) -> None:
    """Give a directory, and whatever will be made in it, to a project; FS_IOC_FSSETXATTR."""
    answer = fcntl.ioctl(directory, _GET_ATTRIBUTES, bytes(_ATTRIBUTES.size))
    flags, size, _, _, copies = _ATTRIBUTES.unpack(answer)
    wanted = _ATTRIBUTES.pack(flags | _INHERIT, size, 0, project, copies)
    fcntl.ioctl(directory, _SET_ATTRIBUTES, wanted)


def enforces_projects(fd: int) -> bool:
    """Tell whether limits of projects hold on the file system of ``fd``; quotactl_fd(2).

    OSError: it has no quotas, or the kernel is older than Linux 5.14.
    """
    state = ctypes.create_string_buffer(_STATE_BYTES)
    _quotactl_fd(fd, _command(_STATE), 0, ctypes.addressof(state))
    (flags,) = struct.unpack_from("=H", state.raw, 2)
    return bool(flags & _ENFORCED)


def limit_project(fd: int, project: int, size: int) -> None:
    """Let a project hold no more than ``size`` bytes; 0: as much as there is.

    On ext4 it does not hold for those who have CAP_SYS_RESOURCE.
    """
    blocks = -(-size // _BLOCK)
    wanted = _LIMITS.pack(1, _PROJECTS, _HARD, project, blocks, 0)
    buffer = ctypes.create_string_buffer(wanted)
    _quotactl_fd(fd, _command(_LIMIT), project, ctypes.addressof(buffer))


def _command(number: int) -> int:
    return number << 8 | _PROJECTS
