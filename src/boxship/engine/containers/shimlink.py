"""One connection to one shim: requests with replies, events, and the end, within the event loop.

The bytes are ``boxship.runtime.messages``'; this adds the socket, and the matching of replies to
requests. It makes no difference whether the socket came through the launcher or from ``shim.sock``.
"""

import asyncio
import contextlib
import logging
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence

from boxship.base.errors import UnavailableError
from boxship.runtime.control_codec import Decoder, ProtocolError, encode
from boxship.runtime.messages import Exec, Message, Start

_log = logging.getLogger(__name__)
_CHUNK = 1 << 16
PATIENCE = 5.0
"""Seconds that a shim has for an answer; it is idle nearly always, and does nothing that waits."""
LONG_PATIENCE = 60.0
"""What it has for a new process: hundreds at once on a slow disk take several."""

Listener = Callable[[Message], None]


class ShimGoneError(UnavailableError):
    """The shim's connection ended before it answered."""


class ShimSilentError(UnavailableError, TimeoutError):
    """The shim did not answer in time; it may hang, and may still carry out the request."""


class ShimLink:
    """Speaks to a shim. Owns the socket; ``closed`` is done when the connection has ended."""

    def __init__(self, connection: socket.socket, listener: Listener) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = connection
        self._listener = listener
        self._decoder = Decoder()
        self._unsent: deque[tuple[bytes, Sequence[int]]] = deque()
        self._replies: dict[int, asyncio.Future[Message]] = {}
        self._seq = 0
        self.closed: asyncio.Future[None] = self._loop.create_future()
        connection.setblocking(False)
        self._loop.add_reader(connection.fileno(), self._receive)

    async def request(
        self, message: Message, fds: Sequence[int] = (), *, patience: float | None = None
    ) -> Message:
        """Send a request and return its reply. The descriptors stay the caller's.

        ShimGoneError: the connection has ended; ShimSilentError: no reply within ``patience``
        seconds (None: as long as such a request may take).
        """
        if self.closed.done():
            raise ShimGoneError("the container's shim is gone")
        if patience is None:
            patience = LONG_PATIENCE if isinstance(message, Start | Exec) else PATIENCE
        self._seq += 1
        seq = self._seq
        reply: asyncio.Future[Message] = self._loop.create_future()
        self._replies[seq] = reply
        unsent = (encode(message, seq=seq, fds=len(fds)), fds)
        self._unsent.append(unsent)
        self._flush()
        try:
            async with asyncio.timeout(patience):
                return await reply
        except TimeoutError:
            raise ShimSilentError("the container's shim does not answer") from None
        finally:
            self._replies.pop(seq, None)
            # Not begun yet, it must not go later: its descriptors may be another's by then.
            with contextlib.suppress(ValueError):
                self._unsent.remove(unsent)

    def close(self) -> None:
        """Hang up. The shim goes on."""
        if self.closed.done():
            return
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self.closed.set_result(None)
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(ShimGoneError("the container's shim is gone"))
        self._replies.clear()
        self._unsent.clear()

    def _flush(self) -> None:
        while self._unsent:
            data, fds = self._unsent[0]
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, _packed(fds))] if fds else []
            try:
                sent = self._socket.sendmsg([data], rights, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                self._loop.add_writer(self._socket.fileno(), self._flush)
                return
            except OSError:
                self.close()
                return
            if sent == len(data):
                self._unsent.popleft()
            else:  # the descriptors went with the first byte
                self._unsent[0] = (data[sent:], ())
        self._loop.remove_writer(self._socket.fileno())

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._decoder.feed(data)
        try:
            self._dispatch()
        except ProtocolError:
            _log.exception("a shim broke the control protocol; hanging up")
            self.close()

    def _dispatch(self) -> None:
        while (frame := self._decoder.next_frame()) is not None:
            if frame.seq == 0:
                self._listener(frame.message)
                continue
            reply = self._replies.pop(frame.seq, None)
            if reply is not None and not reply.done():
                reply.set_result(frame.message)


def _packed(fds: Sequence[int]) -> bytes:
    return b"".join(fd.to_bytes(4, sys.byteorder) for fd in fds)
