"""Undo a creation that its creator does not live to finish, whatever ended it.

A creator that is killed (SIGKILL included) can remove nothing, and its container's init can
remove nothing either, being in another root by then. So before anything is made, a fork is put
aside that waits for the creator's death, or for a byte that says that all went well. The pipe's
own end would not do as a sign of death: init inherits the pipe, and may outlive its creator.
"""

from __future__ import annotations

import os
import select

from boxship.base.suppress import suppress
from boxship.kernel import signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_DONE = b"d"


class Guard:
    """``undo`` is called in another process, if the ``with`` is left by death; not by an error."""

    def __init__(self, undo: Callable[[], None]) -> None:
        reading, writing = os.pipe()
        creator = os.pidfd_open(os.getpid())
        self._writing = writing
        self._pid = os.fork()
        if self._pid == 0:
            _watch(reading, creator, undo)
        os.close(reading)
        os.close(creator)

    def dismiss(self) -> None:
        """All is well, or has been undone. Called twice is no error."""
        if self._writing < 0:
            return
        with suppress(BrokenPipeError):  # somebody has killed the guard
            os.write(self._writing, _DONE)
        os.close(self._writing)
        self._writing = -1
        os.waitpid(self._pid, 0)

    def take_along(self, group: int) -> None:
        """Have a process group die with us; 0: none any more."""
        with suppress(BrokenPipeError):
            os.write(self._writing, b"%d\n" % group)


def _watch(reading: int, creator: int, undo: Callable[[], None]) -> None:
    try:
        # Out of reach of who kills the creator's whole process group, or types ^C.
        os.setsid()
        signals.signal(signals.SIGTERM, signals.SIG_IGN)
        poller = select.poll()
        poller.register(reading, select.POLLIN)
        poller.register(creator, select.POLLIN)
        os.set_blocking(reading, False)
        heard = b""
        dead = False
        while not dead and _DONE not in heard:
            dead = creator in dict(poller.poll())
            heard += _read_all(reading)
        if _DONE not in heard:
            _kill_last_group(heard)
            undo()
    finally:
        os._exit(0)


def _read_all(fd: int) -> bytes:
    try:
        return os.read(fd, 4096)
    except BlockingIOError:
        return b""


def _kill_last_group(heard: bytes) -> None:
    lines = heard.split()
    if lines and (group := int(lines[-1])):
        with suppress(ProcessLookupError):
            os.killpg(group, signals.SIGKILL)
