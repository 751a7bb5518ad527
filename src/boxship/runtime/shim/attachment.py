"""One client connection that takes part in a process's streams.

The connection is the client's own, given away by the daemon after the HTTP upgrade. Output goes
to it raw or in stdcopy frames; what it sends is the process's input::

      held ──resume──► open ──┬── process ended, detach keys ──► finishing ──► lingering ──► closed
        output queues up      └── client left ─────────────────────────────────────────────► closed

    finishing   the queue is written, then our half of the connection is shut
    lingering   input is thrown away until the client closes its half, or for two seconds

Why linger: closing a TCP connection with unread input resets it, and a reset makes the client
throw away what we wrote last.
"""

import _socket
import contextlib
import struct
from collections import deque
from collections.abc import Callable
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT
from typing import Final, NamedTuple, Protocol

from boxship.base.detachkeys import Scanner
from boxship.runtime.shim.loop import Loop, Timer

STDOUT: Final = 1
STDERR: Final = 2

QUEUE_LIMIT: Final = 1 << 20
"""Bytes queued for a client at which the process's output is read no further."""

_FLAGS: Final = _socket.MSG_DONTWAIT | _socket.MSG_NOSIGNAL
_RECEIVE: Final = 16 * 1024
_PIECES: Final = 16
_DRAIN_SECONDS: Final = 600.0
_LINGER_SECONDS: Final = 2.0

_frame_header = struct.Struct(">BxxxI")


class Spec(NamedTuple):
    """``messages.Attachment``, in a form that costs the shim less memory."""

    stdin: bool
    stdout: bool
    stderr: bool
    framed: bool
    detach_keys: bytes
    prefix: bytes


class Party(Protocol):
    """What a client needs of the process it is attached to."""

    input_blocked: bool
    """The process does not read just now, so clients are not read either."""

    def take_input(self, data: bytes) -> None:
        """Pass on what a client typed."""
        ...

    def input_ended(self, client: "Client") -> None:
        """A client that gave input has closed its half."""
        ...

    def drained(self) -> None:
        """A client that was congested has caught up."""
        ...

    def left(self, client: "Client", *, keys: bool) -> None:
        """A client takes part no longer, by its detach keys or because its connection ended."""
        ...


class Client:
    """Owns the connection ``sock``."""

    def __init__(
        self,
        number: int,
        sock: _socket.socket,
        spec: Spec,
        *,
        loop: Loop,
        on_closed: Callable[["Client"], None],
    ) -> None:
        self.number = number
        self.held = False
        self._socket = sock
        self._spec = spec
        self._loop = loop
        self._on_closed = on_closed
        self._party: Party | None = None
        self._scanner: Scanner | None = None
        self._framed = False
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._timer: Timer | None = None
        self._input_open = True  # until the client closes its half
        self._output_open = True  # until nothing more is to be sent than the queue
        self._lingering = False
        self._hung_up = False  # the connection is dead in both directions

    def join(self, party: Party, *, tty: bool) -> None:
        """Begin to take part; with a terminal output is raw and detach keys count."""
        self._party = party
        self._framed = self._spec.framed and not tty
        if tty:
            self._scanner = Scanner(self._spec.detach_keys)
        if self._spec.prefix and self._spec.stdin:
            self._pass_on(self._spec.prefix)
        self._settle()

    def wants(self, stream: int) -> bool:
        """Tell whether the client takes this stream of output."""
        return self._spec.stdout if stream == STDOUT else self._spec.stderr

    @property
    def congested(self) -> bool:
        """Whether so much is queued that the process must wait."""
        return self._queued > QUEUE_LIMIT

    # ── output ───────────────────────────────────────────────────────────────────────────────

    def send(self, stream: int, data: bytes) -> None:
        """Write output, or queue what the connection does not take now."""
        if not self._output_open or not data:
            return
        header = _frame_header.pack(stream, len(data)) if self._framed else b""
        sent = 0
        if not self._queue and not self.held:
            try:
                sent = self._socket.sendmsg((header, data), (), _FLAGS)
            except BlockingIOError:
                pass
            except OSError:
                self._hang_up()
                self._settle()
                return
        if sent < len(header) + len(data):
            rest = header[sent:] + data[max(sent - len(header), 0) :]
            self._queue.append(rest)
            self._queued += len(rest)
            self._settle()

    def resume(self) -> None:
        """Release what was queued while the attachment was held."""
        self.held = False
        self._flush()
        self._settle()

    def finish(self) -> None:
        """Take part no longer: write what is queued, then say goodbye."""
        self._party = None
        self._output_open = False
        if self._queue and self._timer is None:
            self._timer = self._loop.call_later(_DRAIN_SECONDS, self.close)
        self._settle()

    def close(self) -> None:
        """Cut the connection at once."""
        if self._socket.fileno() < 0:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._loop.forget(self._socket.fileno())
        # The daemon may still hold a copy, with which close() alone would leave it connected.
        with contextlib.suppress(OSError):
            self._socket.shutdown(_socket.SHUT_RDWR)
        self._socket.close()
        self._leave(keys=False)
        self._on_closed(self)

    def _flush(self) -> None:
        was_congested = self.congested
        while self._queue and not self.held:
            pieces = [self._queue[n] for n in range(min(len(self._queue), _PIECES))]
            try:
                sent = self._socket.sendmsg(pieces, (), _FLAGS)
            except BlockingIOError:
                break
            except OSError:
                self._hang_up()
                break
            self._queued -= sent
            while self._queue and sent >= len(self._queue[0]):
                sent -= len(self._queue.popleft())
            if sent:
                self._queue[0] = self._queue[0][sent:]
        if was_congested and not self.congested and self._party is not None:
            self._party.drained()

    def _hang_up(self) -> None:
        was_congested = self.congested
        self._hung_up = True
        self._output_open = False
        self._queue.clear()
        self._queued = 0
        if was_congested and self._party is not None:
            self._party.drained()

    # ── input ────────────────────────────────────────────────────────────────────────────────

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_RECEIVE, _socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            self._hang_up()
            data = b""
        if data:
            if self._party is not None and self._spec.stdin:
                self._pass_on(data)
            return
        self._input_open = False
        if self._party is not None and self._spec.stdin:
            self._party.input_ended(self)

    def _pass_on(self, data: bytes) -> None:
        assert self._party is not None
        found = False
        if self._scanner is not None:
            data, found = self._scanner.feed(data)
        if data:
            self._party.take_input(data)
        if found:
            self._leave(keys=True)
            self.finish()

    # ── connection ───────────────────────────────────────────────────────────────────────────

    def _leave(self, *, keys: bool) -> None:
        party, self._party = self._party, None
        if party is not None:
            party.left(self, keys=keys)

    def _on_event(self, events: int) -> None:
        if events & (EPOLLHUP | EPOLLERR):
            self._hang_up()
        if events & EPOLLOUT:
            self._flush()
        if self._input_open and events & (EPOLLIN | EPOLLHUP | EPOLLERR) and not self._paused():
            self._receive()
        self._settle()

    def _paused(self) -> bool:
        return self._party is not None and self._spec.stdin and self._party.input_blocked

    def settle(self) -> None:
        """Look again whether input is wanted: the process reads again, or no longer."""
        self._settle()

    def _settle(self) -> None:
        """Bring what is watched, and the connection's end, in line with the state."""
        if self._socket.fileno() < 0:
            return
        giving = self._party is not None and self._spec.stdin and self._input_open
        if self._hung_up and not giving:
            self.close()
            return
        said_all = not self._output_open and not self._queue and not self.held
        if said_all and not giving and not self._lingering:  # held: the history is still to come
            self._linger()
        if self._lingering and not self._input_open:
            self.close()
            return
        mask = EPOLLIN if self._input_open and not self._paused() else 0
        if self._queue and not self.held:
            mask |= EPOLLOUT
        if self._hung_up and not mask & EPOLLIN:
            # It would be reported without end; watched again when the process reads again.
            self._loop.forget(self._socket.fileno())
        else:
            self._loop.watch(self._socket.fileno(), mask, self._on_event)

    def _linger(self) -> None:
        self._lingering = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(_socket.SHUT_WR)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_LINGER_SECONDS, self.close)
