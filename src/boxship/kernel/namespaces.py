"""Namespaces, and what lives in them: host name and loopback interface."""

import _socket
import ctypes
import fcntl
import os
import struct

from boxship.kernel.libc import TEXT, encoded, function

CLONE_FLAGS = {
    "time": 0x00000080,
    "mnt": 0x00020000,
    "cgroup": 0x02000000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
"""The kernel's names (as in ``/proc/PID/ns``) to CLONE_NEW* bits."""

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1

_unshare = function("unshare", ctypes.c_int)
_setns = function("setns", ctypes.c_int, ctypes.c_int)
_sethostname = function("sethostname", TEXT, ctypes.c_size_t)
_setdomainname = function("setdomainname", TEXT, ctypes.c_size_t)


def unshare(flags: int) -> None:
    """``unshare(2)`` with CLONE_NEW* bits."""
    _unshare(flags)


def setns(fd: int, flags: int) -> None:
    """``setns(2)``; ``fd`` is a namespace, or a pidfd with any number of CLONE_NEW* bits."""
    _setns(fd, flags)


def sethostname(name: str) -> None:
    """``sethostname(2)``."""
    raw = encoded(name)
    _sethostname(raw, len(raw))


def setdomainname(name: str) -> None:
    """``setdomainname(2)``."""
    raw = encoded(name)
    _setdomainname(raw, len(raw))


def loopback_up() -> None:
    """Bring ``lo`` of our network namespace up; the kernel gives it 127.0.0.1 and ::1."""
    request = struct.pack("16sh14x", b"lo", 0)
    endpoint = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        answer = fcntl.ioctl(endpoint, _SIOCGIFFLAGS, request)
        (flags,) = struct.unpack_from("h", answer, 16)
        fcntl.ioctl(endpoint, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))
    finally:
        endpoint.close()


def number_of(pidfd: int) -> int:
    """Return a process's number as the mounted /proc has it, whatever pid namespace we are in."""
    with open(f"/proc/self/fdinfo/{pidfd}", "rb", buffering=0) as info:
        return int(info.read(4096).partition(b"Pid:")[2].split(None, 1)[0])


def differs(pidfd: int, kind: str) -> bool:
    """Tell whether a process is in another namespace of ``kind`` than we; no if there is none.

    ``kind`` as in ``/proc/PID/ns``.
    """
    try:
        theirs = os.stat(f"/proc/{number_of(pidfd)}/ns/{kind}")
    except FileNotFoundError:
        return False
    ours = os.stat(f"/proc/self/ns/{kind}")
    return (theirs.st_dev, theirs.st_ino) != (ours.st_dev, ours.st_ino)


def open_namespace(path: str) -> int:
    """Open a namespace file such as ``/proc/1/ns/net``."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
