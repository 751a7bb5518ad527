"""A process's own circumstances: prctl, descriptors to close, keyring, exec."""

from __future__ import annotations

import ctypes
import os
import struct

from boxship.kernel import signals
from boxship.kernel.libc import LONG, POINTER, TEXT, encoded, function, system_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36

_CLOSE_RANGE_CLOEXEC = 4
_MAX_FD = 0xFFFFFFFF
_KEYCTL_JOIN_SESSION_KEYRING = 1

_prctl = function("prctl", ctypes.c_int, *[ctypes.c_ulong] * 4)
_close_range = system_call("close_range", 436, LONG, LONG, LONG)
_keyctl = system_call("keyctl", {"x86_64": 250, "aarch64": 219}, LONG, TEXT)
_rt_sigaction = system_call(
    "rt_sigaction", {"x86_64": 13, "aarch64": 134}, LONG, POINTER, POINTER, LONG
)
_pidfd_getfd = system_call("pidfd_getfd", 438, LONG, LONG, LONG)
_CLONE_PIDFD = 0x1000
_CLONE_PARENT = 0x8000
_CLONE_INTO_CGROUP = 0x200000000
_SYS_CLONE3 = 435
# PyDLL, not CDLL: the child must come back still holding the interpreter's lock.
_clone3 = ctypes.PyDLL(None, use_errno=True).syscall
_clone3.argtypes = [LONG, POINTER, LONG]
_clone3.restype = LONG
_execve = function("execve", TEXT, POINTER, POINTER)
_execveat = system_call(
    "execveat", {"x86_64": 322, "aarch64": 281}, LONG, TEXT, POINTER, POINTER, LONG
)


def prctl(option: int, second: int = 0, third: int = 0, fourth: int = 0, fifth: int = 0) -> int:
    """``prctl(2)``."""
    return _prctl(option, second, third, fourth, fifth)


def set_parent_death_signal(number: int) -> None:
    """Be sent signal ``number`` when the parent dies. Changing credentials undoes it."""
    prctl(_PR_SET_PDEATHSIG, number)


def set_dumpable(dumpable: bool) -> None:
    """Without it, nobody of lesser privilege can ptrace us or look into /proc/PID."""
    prctl(_PR_SET_DUMPABLE, int(dumpable))


def set_child_subreaper() -> None:
    """Become the parent of orphaned descendants."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def set_name(name: str) -> None:
    """Set the thread's name (``comm``), of which 15 bytes are kept."""
    buffer = ctypes.create_string_buffer(encoded(name))
    prctl(_PR_SET_NAME, ctypes.addressof(buffer))


def close_on_exec_from(first: int) -> None:
    """Mark every descriptor from ``first`` on close-on-exec (Linux 5.11)."""
    _close_range(first, _MAX_FD, _CLOSE_RANGE_CLOEXEC)


def close_from(first: int) -> None:
    """Close every descriptor from ``first`` on (Linux 5.9)."""
    _close_range(first, _MAX_FD, 0)


def join_session_keyring(name: str) -> None:
    """Join the session keyring ``name``, made when there is none that we may use."""
    _keyctl(_KEYCTL_JOIN_SESSION_KEYRING, encoded(name), path=name)


def execve(path: str, args: Sequence[str], env: Sequence[str]) -> None:
    """``execve(2)`` with an environment taken as it is, odd entries and all.

    ``os.execve`` wants a mapping, which loses order, duplicates and entries without ``=``.
    """
    _execve(encoded(path), _string_array(args), _string_array(env), path=path)


def execveat(fd: int, args: Sequence[str], env: Sequence[str]) -> None:
    """Execute the open file ``fd`` itself."""
    _execveat(fd, b"", _string_array(args), _string_array(env), 0x1000)


def _string_array(texts: Sequence[str]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(texts) + 1))(*map(encoded, texts), None)


def take_descriptor(pidfd: int, number: int) -> int:
    """Return a duplicate of another process's descriptor; ``pidfd_getfd(2)``, Linux 5.6."""
    return _pidfd_getfd(pidfd, number, 0)


def open_pidfd(pid: int) -> int:
    """Return a descriptor that means this very process, whatever becomes of its number."""
    return os.pidfd_open(pid)


def default_internal_signals() -> None:
    """Set the signals that the C library keeps for itself (32, 33) to their default.

    Its ``posix_spawn`` leaves them ignored, its ``sigaction`` does not let anybody at them, and a
    program with another C library may need them.
    """
    default = ctypes.create_string_buffer(32)  # SIG_DFL, no flags, empty mask
    for number in (32, 33):
        _rt_sigaction(number, ctypes.addressof(default), None, 8)


def fork_sibling() -> int:
    """Fork a child of our *parent*, which will reap it; return 0 there, its pid here.

    As with ``fork_into``, for single-threaded processes whose child soon executes.
    """
    return fork_into(sibling=True)


def fork_into(cgroup: int = -1, *, sibling: bool = False, namespaces: int = 0) -> int:
    """Fork by ``clone3(2)``; the child is born in the cgroup2 directory open as ``cgroup``.

    ``namespaces`` are CLONE_NEW* bits; a new user namespace owns the others made with it.

    Being born there costs nothing, while moving there waits for an RCU grace period, 6 to 10 ms.
    For single-threaded processes whose child soon executes: the interpreter's own preparations
    after a fork (locks, other threads) are left out.
    """
    return _fork(namespaces | (_CLONE_PARENT if sibling else 0), cgroup)


def fork_held(*, sibling: bool = False) -> tuple[int, int]:
    """Fork as ``fork_into`` does; return the child's pid and pidfd, (0, -1) in the child."""
    held = ctypes.c_int(-1)
    flags = _CLONE_PIDFD | (_CLONE_PARENT if sibling else 0)
    pid = _fork(flags, -1, ctypes.addressof(held))
    return (pid, held.value) if pid else (0, -1)


def _fork(flags: int, cgroup: int, held: int = 0) -> int:
    if cgroup >= 0:
        flags |= _CLONE_INTO_CGROUP
    # struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls,
    # set_tid, set_tid_size, cgroup. With CLONE_PARENT the exit signal is the caller's own.
    exit_signal = 0 if flags & _CLONE_PARENT else signals.SIGCHLD
    arguments = struct.pack("=11Q", flags, held, 0, 0, exit_signal, 0, 0, 0, 0, 0, max(cgroup, 0))
    buffer = ctypes.create_string_buffer(arguments, len(arguments))
    pid: int = _clone3(_SYS_CLONE3, ctypes.addressof(buffer), len(arguments))
    if pid < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"clone3: {os.strerror(code)}")
    return pid
