"""Pipes between a process and its shim: making them, and writing to one that may be full."""

import os
from collections import deque
from dataclasses import dataclass
from select import EPOLLOUT
from typing import Final

from boxship.runtime.messages import Stdio
from boxship.runtime.shim.attachment import STDERR, STDOUT
from boxship.runtime.shim.loop import Callback, Loop

_DEV_NULL: Final = "/dev/null"


@dataclass(frozen=True, slots=True)
class Ends:
    """Descriptors of one process's streams.

    ``child`` are its 0, 1 and 2, close-on-exec here. ``inlet`` (-1: none) is written, ``outlets``
    (descriptor → STDOUT or STDERR) are read; these are non-blocking.
    """

    child: tuple[int, int, int]
    inlet: int
    outlets: dict[int, int]


def open_pipes(stdio: Stdio) -> Ends:
    """Return the streams of a process without a terminal; with one, there are none yet.

    Called in the starter: what it leaves open is closed by its exit.
    """
    if stdio.tty:
        return Ends((-1, -1, -1), -1, {})
    inlet = -1
    if stdio.open_stdin:
        stdin, inlet = os.pipe()
        os.set_blocking(inlet, False)
    else:
        stdin = os.open(_DEV_NULL, os.O_RDONLY | os.O_CLOEXEC)
    outlets = {}
    ends = []
    for stream in (STDOUT, STDERR):
        outlet, end = os.pipe()
        os.set_blocking(outlet, False)
        outlets[outlet] = stream
        ends.append(end)
    return Ends((stdin, ends[0], ends[1]), inlet, outlets)


def terminal_ends(master: int) -> Ends:
    """Return the streams of a process whose pty's master is ``master``."""
    os.set_blocking(master, False)
    # A second number for the same pty: reading and writing are watched apart.
    inlet = os.dup(master)
    return Ends((-1, -1, -1), inlet, {master: STDOUT})


class Inlet:
    """A process's standard input. Owns ``fd``; what the process does not read yet is queued."""

    def __init__(self, fd: int, loop: Loop, on_unblocked: Callback) -> None:
        self._fd = fd
        self._loop = loop
        self._on_unblocked = on_unblocked
        self._queue: deque[bytes] = deque()
        self._closing = False

    @property
    def blocked(self) -> bool:
        """Whether something is queued."""
        return bool(self._queue)

    def write(self, data: bytes) -> None:
        """Write, or queue what the process does not take now. Input that nobody reads is lost."""
        if self._fd < 0 or self._closing:
            return
        self._queue.append(data)
        if len(self._queue) == 1:
            self._flush()

    def end(self) -> None:
        """Close when everything queued has been read."""
        self._closing = True
        if not self._queue:
            self.close()

    def close(self) -> None:
        """Close now; what is queued is lost."""
        self._queue.clear()
        if self._fd >= 0:
            self._loop.forget(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _flush(self) -> None:
        while self._queue:
            try:
                sent = os.write(self._fd, self._queue[0])
            except BlockingIOError:
                self._loop.watch(self._fd, EPOLLOUT, self._on_event)
                return
            except OSError:  # nobody reads any more
                self.close()
                return
            rest = self._queue.popleft()[sent:]
            if rest:
                self._queue.appendleft(rest)
        self._loop.forget(self._fd)
        if self._closing:
            self.close()

    def _on_event(self, events: int) -> None:
        self._flush()
        if not self._queue:
            self._on_unblocked(events)
