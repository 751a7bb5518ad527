"""One connection to one shim: requests with replies, events, and the end, within the event loop.

The bytes are ``boxship.runtime.messages``'; this adds the socket, and the matching of replies to
requests. It makes no difference whether the socket came through the launcher or from ``shim.sock``.
"""

import asyncio
import logging
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence

from boxship.base.errors import UnavailableError
from boxship.runtime.control_codec import Decoder, ProtocolError, encode
from boxship.runtime.messages import Message

_log = logging.getLogger(__name__)
_CHUNK = 1 << 16

Listener = Callable[[Message], None]


class ShimGoneError(UnavailableError):
    """The shim's connection ended before it answered."""


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

    async def request(self, message: Message, fds: Sequence[int] = ()) -> Message:
        """Send a request and return its reply. The descriptors stay the caller's.

        ShimGoneError: the connection has ended.
        """
        if self.closed.done():
            raise ShimGoneError("the container's shim is gone")
        self._seq += 1
        reply: asyncio.Future[Message] = self._loop.create_future()
        self._replies[self._seq] = reply
        self._unsent.append((encode(message, seq=self._seq, fds=len(fds)), fds))
        self._flush()
        return await reply

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
