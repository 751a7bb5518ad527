"""A process that does nothing: a user namespace is born with a process in it.

A thread of a larger program can't enter a new user namespace, so somebody else has to. The child
here is a fork of a program with other threads, whose locks may be held by threads that it does not
have; therefore it makes a few system calls that need hardly any of them. Should it be stuck all
the same, it has done nothing yet: its parent kills it and forks another.
"""

from __future__ import annotations

import ctypes
import os

from boxship.kernel.libc import LONG
from boxship.kernel.namespaces import CLONE_FLAGS
from boxship.kernel.processes import fork_into

_PR_SET_PDEATHSIG, _SIGKILL = 1, 9
# PyDLL keeps the interpreter's lock, which nobody else could give back to the child.
_libc = ctypes.PyDLL(None, use_errno=True)
_prctl, _pause, _setns, _unshare = _libc.prctl, _libc.pause, _libc.setns, _libc.unshare
_prctl.argtypes = [ctypes.c_int, LONG, LONG, LONG, LONG]


def fork_idle(namespaces: int, inside: int = -1) -> int:
    """Return the pid of a child in new ``namespaces`` (CLONE_NEW* bits), asleep.

    ``inside`` is a user namespace that the child enters first; then it is there with the call's
    return, but in the new ones a moment later, if at all, or it exits with the error's number. It
    goes when it is killed, or with the thread that called; its parent has to wait for it.
    """
    parent = os.getpid()
    # A child that has something to do needs the interpreter's lock as only ``os.fork`` leaves it.
    pid = os.fork() if inside >= 0 else fork_into(namespaces=namespaces)
    if pid:
        return pid
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if inside >= 0 and (_setns(inside, CLONE_FLAGS["user"]) or _unshare(namespaces)):
        os._exit(ctypes.get_errno())
    while os.getppid() in {parent, 0}:
        _pause()
    os._exit(1)
