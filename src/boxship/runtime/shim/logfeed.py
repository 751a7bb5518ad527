"""Feeding a container's output to the sender, the process that has to do with a log's target.

Every frame stays here until the sender says that it is done with it, so that a sender which dies
costs nothing: the next one gets what is left once more. How much may stay is bounded. Beyond that
the container waits, or what it writes is lost, as its options say; either way its life goes on.
"""

import _socket
import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable
from select import EPOLLIN, EPOLLOUT
from typing import Final

from boxship.runtime.logs import frames
from boxship.runtime.logs.feeding import FIRST_PAUSE, LONGEST_PAUSE, decode_done
from boxship.runtime.logs.lines import Piece
from boxship.runtime.logs.losses import Losses
from boxship.runtime.shim.loop import Loop, Timer

END_SECONDS: Final = 5.0
"""How long the target may take for the rest, once the container has ended."""

_FLAGS: Final = _socket.MSG_DONTWAIT | _socket.MSG_NOSIGNAL
_RECEIVE: Final = 4096


class LogFeed:
    """Owns the sender. ``on_room`` is called when it is congested no longer, ``on_done`` at the
    end, ``on_losses`` with what was not delivered."""

    def __init__(
        self,
        target: str,
        *,
        blocking: bool,
        limit: int,
        loop: Loop,
        on_losses: Callable[[Losses], None],
        on_done: Callable[[], None],
        end_seconds: float = END_SECONDS,
    ) -> None:
        self._target = target
        self._blocking = blocking
        self._limit = max(limit, 1)
        self._loop = loop
        self._on_losses = on_losses
        self._on_done = on_done
        self._end_seconds = end_seconds
        self.on_room: Callable[[], None] = _nothing
        self.trouble = ""
        """What the target's last failure was, while it lasts."""
        self._socket: _socket.socket | None = None
        self._pid = 0
        self._unsent: deque[bytes] = deque()
        self._offset = 0  # how much of the first of them is sent
        self._sent: deque[bytes] = deque()  # and not done
        self._size = 0  # of both
        self._answer = b""
        self._pause = FIRST_PAUSE
        self._restart: Timer | None = None
        self._patience: Timer | None = None
        self._ending = False

    @property
    def congested(self) -> bool:
        """Whether the container has to wait."""
        return self._blocking and self._size >= self._limit

    @property
    def busy(self) -> bool:
        """Whether something is still to be delivered."""
        return bool(self._pid or self._unsent or self._sent)

    def offer(self, frame: bytes, piece: Piece) -> None:
        """Send the frame of ``piece``, or queue it."""
        full = self._size + len(frame) > self._limit
        if full and self._size and not self._blocking:
            self._on_losses(Losses(buffer=piece.lines, reason=self.trouble or "the buffer is full"))
            return
        self._unsent.append(frame)
        self._size += len(frame)
        if self._socket is not None:
            self._flush()
        elif self._restart is None:
            self._begin()

    def finish(self) -> None:
        """Nothing more will come. ``on_done`` is called if the feed is still busy."""
        self._ending = True
        if self.busy:
            self._patience = self._loop.call_later(self._end_seconds, self._give_up)
            if self._socket is not None:
                self._flush()

    # ── the sender ───────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        self._restart = None
        try:
            ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM, 0)
        except OSError:  # descriptors have run out
            self._begin_later()
            return
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            self._begin_later()
            return
        if pid == 0:
            # What it takes to reach a target shall not be in the shim's memory.
            from boxship.runtime.logs.sender import be_sender  # noqa: PLC0415

            be_sender(theirs.detach(), self._target, self._limit)
        theirs.close()
        self._socket, self._pid = ours, pid
        self._flush()

    def _begin_later(self) -> None:
        self._restart = self._loop.call_later(self._pause, self._begin)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _on_event(self, events: int) -> None:
        if events & ~EPOLLOUT:
            self._receive()
        if self._socket is not None:
            self._flush()

    def _flush(self) -> None:
        assert self._socket is not None
        try:
            while self._unsent:
                first = self._unsent[0]
                rest = memoryview(first)[self._offset :] if self._offset else first
                self._offset += self._socket.send(rest, _FLAGS)
                if self._offset == len(first):
                    self._sent.append(self._unsent.popleft())
                    self._offset = 0
            if self._ending:
                self._socket.shutdown(_socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:  # it has died; what it said before is still to be read
            self._loop.watch(self._socket.fileno(), EPOLLIN, self._on_event)
            return
        mask = EPOLLIN | EPOLLOUT if self._unsent else EPOLLIN
        self._loop.watch(self._socket.fileno(), mask, self._on_event)

    def _receive(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(_RECEIVE, _socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ended()
            return
        self._answer += data
        while (answer := decode_done(self._answer)) is not None:
            done, lost, self.trouble, length = answer
            self._answer = self._answer[length:]
            self._is_done(done)
            if lost:
                self._on_losses(Losses(target=lost, reason=self.trouble))

    def _is_done(self, count: int) -> None:
        was_congested = self.congested
        for _ in range(min(count, len(self._sent))):
            self._size -= len(self._sent.popleft())
        if count:
            self._pause = FIRST_PAUSE
        if was_congested and not self.congested:
            self.on_room()

    def _ended(self) -> None:
        """The sender has ended: done with everything at the end, or died."""
        self._collect()
        self._unsent.extendleft(reversed(self._sent))
        self._sent.clear()
        self._offset = 0
        if self._unsent:
            self._begin_later()
        elif self._ending:
            self._done()

    def _collect(self) -> None:
        if self._socket is not None:
            self._loop.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None
        if self._pid:
            with contextlib.suppress(ChildProcessError):  # the supervisor was quicker
                os.waitpid(self._pid, 0)
            self._pid = 0
        self._answer = b""

    def _give_up(self) -> None:
        """The target had its time."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        self._collect()
        if self._restart is not None:
            self._restart.cancel()
        lost = sum(_lines(frame) for frame in (*self._sent, *self._unsent))
        self._sent.clear()
        self._unsent.clear()
        self._size = 0
        if lost:
            reason = self.trouble or "the target did not take them in time"
            self._on_losses(Losses(target=lost, reason=reason))
        self._done()

    def _done(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._on_done()


def _lines(frame: bytes) -> int:
    decoded = frames.decode(frame)
    return decoded[0].piece.lines if decoded is not None else 0


def _nothing() -> None:
    pass
