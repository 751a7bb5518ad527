"""A process of the container, init or exec, as its shim sees it: streams, clients, end.

Output is read in chunks; each goes to the attached clients and then to the log. While one of them
has too much to take already, nothing is read. A process has ended for good when it was reaped *and*
its output came to an end; somebody else who holds the pipe open may delay that for two seconds.
"""

import errno
import fcntl
import os
import struct
import termios
from collections.abc import Callable
from dataclasses import dataclass
from select import EPOLLET, EPOLLIN
from typing import Final, Protocol

from boxship.kernel.terminal import set_window_size
from boxship.runtime.shim.attachment import Client
from boxship.runtime.shim.loop import Loop, Timer
from boxship.runtime.shim.stdio import Inlet

_READ: Final = 64 * 1024
_DRAIN_SECONDS: Final = 2.0
_UNWATCHED: Final = -1


class Sink(Protocol):
    """Where output is kept."""

    def write(self, stream: int, data: bytes) -> None:
        """Keep ``data``."""
        ...

    def pending(self, stream: int) -> bytes:
        """Return what came in and does not stand in the log yet."""
        ...

    @property
    def congested(self) -> bool:
        """Whether no more can be kept just now."""
        ...


@dataclass(frozen=True, slots=True)
class Streams:
    """A process's streams as the shim has them; it owns the descriptors.

    ``inlet`` (-1: none) is written, ``outlets`` (descriptor → STDOUT or STDERR) are read.
    """

    tty: bool
    stdin_once: bool
    inlet: int
    outlets: dict[int, int]


@dataclass(frozen=True, slots=True)
class Notices:
    """What a process tells its supervisor."""

    ended: Callable[["Process"], None]
    """Reaped, and its output read to the end."""
    detached: Callable[["Process", Client, bool], None]
    """A client left the running process; by its detach keys or not."""


class Process:
    """Owns the descriptors of a running process. ``name`` is empty for init."""

    def __init__(
        self,
        name: str,
        pid: int,
        streams: Streams,
        *,
        loop: Loop,
        notices: Notices,
        sink: Sink | None = None,
    ) -> None:
        self.name = name
        self.pid = pid
        self._tty = streams.tty
        self._stdin_once = streams.stdin_once
        self.exit_code: int | None = None
        self.ended = False
        self.input_blocked = False
        self._loop = loop
        self._notices = notices
        self._sink = sink
        self._clients: list[Client] = []
        self._outlets = streams.outlets
        self._inlet: Inlet | None = None
        if streams.inlet >= 0:
            self._inlet = Inlet(streams.inlet, loop, self._input_unblocked)
        self._mask = _UNWATCHED
        self._timer: Timer | None = None
        self._watch_outlets()

    # ── clients ──────────────────────────────────────────────────────────────────────────────

    def attach(self, client: Client, *, hold: bool = False) -> None:
        """Let ``client`` take part. Held, it begins with what the log does not show yet."""
        self._clients.append(client)
        client.held = hold
        client.join(self, tty=self._tty)
        if hold and self._sink is not None:
            for stream in set(self._outlets.values()):
                if client.wants(stream):
                    client.send(stream, self._sink.pending(stream))

    def take_input(self, data: bytes) -> None:
        """Write to the process's standard input."""
        if self._inlet is not None:
            self._inlet.write(data)
            if self._inlet.blocked != self.input_blocked:
                self._input_unblocked(0)

    def input_ended(self, client: Client) -> None:
        """Close the process's input if it was for one client only; else the client leaves.

        The latter is what dockerd does: a client without input does not wait for output. Where
        input goes nowhere, its end means nothing.
        """
        if self._inlet is None:
            return
        if self._stdin_once and not self._tty:
            self._inlet.end()
        else:
            self.left(client, keys=False)
            client.finish()

    def left(self, client: Client, *, keys: bool) -> None:
        """Forget a client that takes part no longer."""
        if client in self._clients:
            self._clients.remove(client)
            self._watch_outlets()
            self._notices.detached(self, client, keys)

    def drained(self) -> None:
        """Read output again, unless somebody else is congested."""
        self._watch_outlets()

    def _input_unblocked(self, _events: int) -> None:
        self.input_blocked = self._inlet is not None and self._inlet.blocked
        for client in tuple(self._clients):
            client.settle()

    # ── terminal ─────────────────────────────────────────────────────────────────────────────

    def resize(self, height: int, width: int) -> None:
        """Set the terminal's size. Raise OSError, with ENOTTY, when there is none."""
        if not self._tty or not self._outlets:
            raise OSError(errno.ENOTTY, "the process has no terminal")
        set_window_size(next(iter(self._outlets)), height, width)

    # ── output ───────────────────────────────────────────────────────────────────────────────

    def _watch_outlets(self) -> None:
        """Watch output, unless a client or the log must catch up first.

        Once the process has ended, what nobody can add to any more is read nevertheless: so much
        a queue may exceed its limit, and the end need not wait for the client or the log's target.
        """
        full = self._sink is not None and self._sink.congested and self.exit_code is None
        if not full and not any(client.congested for client in self._clients):
            self._watch(EPOLLIN)
        else:
            self._watch(_UNWATCHED if self.exit_code is None else 0)

    def _watch(self, mask: int) -> None:
        if mask == self._mask:
            return
        self._mask = mask
        for fd in self._outlets:
            if mask == _UNWATCHED:
                self._loop.forget(fd)
            else:
                self._loop.watch(fd, mask, self._reader(fd))

    def _reader(self, fd: int) -> Callable[[int], object]:
        return lambda _events: self._read(fd)

    def _read(self, fd: int) -> int:
        """Read once and pass it on; return how much there was."""
        try:
            data = os.read(fd, _READ)
        except BlockingIOError:
            return 0
        except OSError:  # EIO: no process has the terminal open
            if self.exit_code is None:
                # It may be opened again. Reported as ready until then, unless we ask for news only.
                self._watch(EPOLLIN | EPOLLET)
                return 0
            data = b""
        if not data:
            self._close_outlet(fd)
            return 0
        stream = self._outlets[fd]
        for client in tuple(self._clients):
            if client.wants(stream):
                client.send(stream, data)
        if self._sink is not None:
            self._sink.write(stream, data)
        self._watch_outlets()
        return len(data)

    def _close_outlet(self, fd: int) -> None:
        self._loop.forget(fd)
        del self._outlets[fd]
        os.close(fd)
        self._end_if_done()

    # ── end ──────────────────────────────────────────────────────────────────────────────────

    def reaped(self, exit_code: int) -> None:
        """The process is no more; what it wrote may still be on its way."""
        self.exit_code = exit_code
        if self._inlet is not None:
            self._inlet.close()
        self._mask = _UNWATCHED  # a terminal that nobody has open is no news, and its end now
        self._watch_outlets()
        self._timer = self._loop.call_later(_DRAIN_SECONDS, self.drain)
        self._end_if_done()

    def drain(self) -> None:
        """Read what is there and wait no longer, whoever else holds the streams."""
        for fd in tuple(self._outlets):
            # Not more than is there now: a writer that goes on must not keep us.
            left = _waiting(fd)
            while left > 0 and (got := self._read(fd)):
                left -= got
            if fd in self._outlets:
                self._close_outlet(fd)

    def _end_if_done(self) -> None:
        if self._outlets or self.exit_code is None or self.ended:
            return
        self.ended = True
        if self._timer is not None:
            self._timer.cancel()
        self._notices.ended(self)
        # Only now: an observer of the stream's end may rely on the end being recorded.
        clients, self._clients = self._clients, []
        for client in clients:
            client.finish()


def _waiting(fd: int) -> int:
    """Return at least how many bytes can be read from ``fd`` now.

    A terminal does not count what is still on its way from one side to the other.
    """
    (counted,) = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))
    return int(counted) + _READ
