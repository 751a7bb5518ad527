"""Two names that change places all the time, as whoever owns their directory can make them do."""

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator
from pathlib import Path

_EXCHANGE = 2


@contextlib.contextmanager
def exchanging(one: Path, other: Path) -> Iterator[None]:
    """Have a process exchange two names as fast as it can while the ``with`` lasts."""
    libc = ctypes.CDLL(None)
    names = os.fsencode(one), os.fsencode(other)
    pid = os.fork()
    if pid == 0:
        while True:
            libc.renameat2(-100, names[0], -100, names[1], _EXCHANGE)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
