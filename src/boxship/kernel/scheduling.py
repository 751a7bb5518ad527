"""When and where a process runs: scheduler, priorities, memory nodes, personality."""

import ctypes
import struct

from boxship.kernel.libc import LONG, POINTER, function, system_call

_IOPRIO_WHO_PROCESS = 1
_SCHED_ATTR = struct.Struct("=IIQiIQQQ")
_BITS = 64

_sched_setattr = system_call("sched_setattr", {"x86_64": 314, "aarch64": 274}, LONG, POINTER, LONG)
_ioprio_set = system_call("ioprio_set", {"x86_64": 251, "aarch64": 30}, LONG, LONG, LONG)
_ioprio_get = system_call("ioprio_get", {"x86_64": 252, "aarch64": 31}, LONG, LONG)
_set_mempolicy = system_call("set_mempolicy", {"x86_64": 238, "aarch64": 237}, LONG, POINTER, LONG)
_personality = function("personality", ctypes.c_ulong)


def sched_setattr(  # noqa: PLR0917 - the kernel's own structure
    policy: int, flags: int, nice: int, priority: int, runtime: int, deadline: int, period: int
) -> None:
    """``sched_setattr(2)`` for ourselves; times in nanoseconds."""
    packed = _SCHED_ATTR.pack(
        _SCHED_ATTR.size, policy, flags, nice, priority, runtime, deadline, period
    )
    buffer = ctypes.create_string_buffer(packed, len(packed))
    _sched_setattr(0, ctypes.addressof(buffer), 0)


def ioprio_set(value: int) -> None:
    """``ioprio_set(2)`` for ourselves: class << 13 | priority."""
    _ioprio_set(_IOPRIO_WHO_PROCESS, 0, value)


def ioprio_get(pid: int = 0) -> int:
    """``ioprio_get(2)`` of a process."""
    return _ioprio_get(_IOPRIO_WHO_PROCESS, pid)


def set_mempolicy(mode: int, nodes: tuple[int, ...]) -> None:
    """``set_mempolicy(2)``."""
    if not nodes:
        _set_mempolicy(mode, None, 0)
        return
    words = max(nodes) // _BITS + 1
    mask = (ctypes.c_uint64 * words)()
    for node in nodes:
        mask[node // _BITS] |= 1 << node % _BITS
    # The kernel takes one off the number of bits it is given.
    _set_mempolicy(mode, ctypes.addressof(mask), words * _BITS + 1)


def personality(persona: int) -> None:
    """``personality(2)``."""
    _personality(persona)
