"""Undo a creation that its creator does not live to finish, whatever ended it.

A creator that is killed (SIGKILL included) can remove nothing, and its container's init can
remove nothing either, being in another root by then. So before anything is made, a fork is put
aside that waits on a pipe: a byte says that all went well, the pipe's end that the creator died.
"""

import os
import signal
from collections.abc import Callable


class Guard:
    """``undo`` is called in another process, if the ``with`` is left by death; not by an error."""

    def __init__(self, undo: Callable[[], None]) -> None:
        reading, writing = os.pipe()
        self._writing = writing
        self._pid = os.fork()
        if self._pid == 0:
            _watch(reading, writing, undo)
        os.close(reading)

    def dismiss(self) -> None:
        """All is well, or has been undone. Called twice is no error."""
        if self._writing < 0:
            return
        os.write(self._writing, b"d")
        os.close(self._writing)
        self._writing = -1
        os.waitpid(self._pid, 0)


def _watch(reading: int, writing: int, undo: Callable[[], None]) -> None:
    try:
        os.close(writing)
        # Out of reach of who kills the creator's whole process group, or types ^C.
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if not os.read(reading, 1):
            undo()
    finally:
        os._exit(0)
