"""Capabilities and what cannot be undone: no_new_privs and seccomp filters."""

import ctypes
import errno
import os

from boxship.kernel.libc import LONG, POINTER, function, system_call
from boxship.kernel.processes import prctl

_PR_SET_KEEPCAPS = 8
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_PR_CAP_AMBIENT_CLEAR_ALL = 4

_CAPABILITY_VERSION_3 = 0x20080522
_SECCOMP_SET_MODE_FILTER = 1

_seccomp = system_call("seccomp", {"x86_64": 317, "aarch64": 277}, LONG, LONG, POINTER)


_NO_ID = 0xFFFFFFFF


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


_SETS = ctypes.c_uint32 * 6
"""effective, permitted, inheritable of capabilities 0-31, then the same of 32-63."""


class _SockFprog(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


_capget = function("capget", ctypes.POINTER(_Header), _SETS)
_capset = function("capset", ctypes.POINTER(_Header), _SETS)

# Not the library's functions, whose int is negative for the upper half of all ids.
_setfsuid = system_call("setfsuid", {"x86_64": 122, "aarch64": 151}, LONG)
_setfsgid = system_call("setfsgid", {"x86_64": 123, "aarch64": 152}, LONG)


def set_filesystem_ids(uid: int, gid: int) -> None:
    """``setfsuid(2)``, ``setfsgid(2)``: whom new files belong to. Raise OSError when refused.

    Away from user 0 the effective set loses the capabilities that have to do with files.
    """
    _setfsgid(gid)
    _setfsuid(uid)
    # They answer with what it was before, and -1 as an id changes nothing.
    if (_setfsuid(_NO_ID), _setfsgid(_NO_ID)) != (uid, gid):
        raise OSError(errno.EPERM, f"setfsuid: {os.strerror(errno.EPERM)}")


def capget() -> tuple[int, int, int]:
    """Return our effective, permitted and inheritable capabilities as bit masks."""
    sets = _SETS()
    _capget(_Header(_CAPABILITY_VERSION_3, 0), sets)
    effective, permitted, inheritable = (sets[n] | sets[n + 3] << 32 for n in range(3))
    return effective, permitted, inheritable


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """Set our capabilities."""
    low = (mask & 0xFFFFFFFF for mask in (effective, permitted, inheritable))
    high = (mask >> 32 for mask in (effective, permitted, inheritable))
    _capset(_Header(_CAPABILITY_VERSION_3, 0), _SETS(*low, *high))


def bounding_has(capability: int) -> bool:
    """Tell whether the bounding set has it; raise OSError EINVAL when the kernel has no such."""
    return bool(prctl(_PR_CAPBSET_READ, capability))


def bounding_drop(capability: int) -> None:
    """Take a capability out of the bounding set for good."""
    prctl(_PR_CAPBSET_DROP, capability)


def set_keep_capabilities(keep: bool) -> None:
    """Keep the permitted set when the user id changes from 0 to another."""
    prctl(_PR_SET_KEEPCAPS, int(keep))


def ambient_clear() -> None:
    """Empty the ambient set."""
    prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)


def ambient_raise(capability: int) -> None:
    """Add a capability, which must be permitted and inheritable, to the ambient set."""
    prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def set_no_new_privileges() -> None:
    """From here on, exec grants nothing: no setuid, no file capabilities."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def seccomp_set_filter(program: bytes, flags: int) -> int:
    """Put a BPF program of 8-byte instructions before every system call from now on.

    Return the listener's descriptor when ``flags`` ask for one, else 0.
    """
    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = _SockFprog(len(program) // 8, ctypes.addressof(buffer))
    return _seccomp(_SECCOMP_SET_MODE_FILTER, flags, ctypes.addressof(fprog))
