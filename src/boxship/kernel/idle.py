"""A process that does nothing: a user namespace is born with a process in it.

A thread of a larger program can't enter a new user namespace, so somebody else has to. The child
here is a fork of a program with other threads, whose locks may be held by threads that it does not
have; therefore it makes two system calls that need none of them, and its parent depends on nothing
that it does.
"""

from __future__ import annotations

import ctypes
import os

from boxship.kernel.libc import LONG
from boxship.kernel.processes import fork_into

_PR_SET_PDEATHSIG, _SIGKILL = 1, 9
# PyDLL keeps the interpreter's lock, which nobody else could give back to the child.
_libc = ctypes.PyDLL(None)
_prctl, _pause = _libc.prctl, _libc.pause
_prctl.argtypes = [ctypes.c_int, LONG, LONG, LONG, LONG]


def fork_idle(namespaces: int) -> int:
    """Return the pid of a child born in new ``namespaces`` (CLONE_NEW* bits), asleep.

    It goes when it is killed, or with the thread that called; its parent has to wait for it.
    """
    parent = os.getpid()
    pid = fork_into(namespaces=namespaces)
    if pid:
        return pid
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    while os.getppid() in {parent, 0}:
        _pause()
    os._exit(1)
