"""Opening files without being led astray by links: ``openat2(2)``, Linux 5.6."""

import ctypes
import os

from boxship.kernel.libc import LONG, POINTER, TEXT, encoded, system_call

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

_RACE_RETRIES = 128

_openat2 = system_call("openat2", 437, LONG, TEXT, POINTER, LONG)


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def openat2(directory: int, path: str, flags: int, resolve: int, mode: int = 0) -> int:
    """Open ``path`` from ``directory`` under the RESOLVE_* rules; close-on-exec.

    The kernel answers EAGAIN when something was renamed while it walked ``..``, as a container
    may provoke on purpose: try again a bounded number of times.
    """
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    raw, size = encoded(path), ctypes.sizeof(how)
    for _ in range(_RACE_RETRIES):
        try:
            return _openat2(directory, raw, ctypes.addressof(how), size, path=path)
        except BlockingIOError as error:
            last = error
    raise last
