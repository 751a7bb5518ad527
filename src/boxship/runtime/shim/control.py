"""One connection of a daemon: requests in, replies and events out."""

import _socket
import contextlib
import os
import struct
import sys
from collections.abc import Callable
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT
from typing import Final

from boxship.runtime.control_codec import MAX_FDS, Decoder, ProtocolError, RawFrame, encode
from boxship.runtime.messages import Message
from boxship.runtime.shim.loop import Loop

_RECEIVE: Final = 16 * 1024
_ANCILLARY: Final = _socket.CMSG_SPACE(4 * MAX_FDS)
_QUEUE_LIMIT: Final = 1 << 20


class Connection:
    """Owns ``sock``. A peer that breaks the protocol, or does not read, is cut off."""

    def __init__(
        self,
        sock: _socket.socket,
        *,
        loop: Loop,
        on_request: Callable[["Connection", RawFrame], None],
        on_closed: Callable[["Connection"], None],
    ) -> None:
        self.attachments: set[int] = set()
        """Numbers of the attachments that this peer has made and holds."""
        self._socket = sock
        self._loop = loop
        self._on_request = on_request
        self._on_closed = on_closed
        self._decoder = Decoder()
        self._queue = bytearray()
        self._last = False
        loop.watch(sock.fileno(), EPOLLIN, self._on_event)

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._socket.fileno() < 0

    def send(self, message: Message, *, seq: int = 0) -> None:
        """Send a reply or, without ``seq``, an event."""
        if not self.closed:
            self.send_encoded(encode(message, seq=seq))

    def send_encoded(self, data: bytes) -> None:
        """Send a message that has been encoded elsewhere."""
        if self.closed:
            return
        self._queue += data
        self._flush()
        if len(self._queue) > _QUEUE_LIMIT:
            self.close()

    def finish(self) -> None:
        """Close as soon as everything is sent."""
        self._last = True
        if not self.closed and not self._queue:
            self.close()

    def close(self) -> None:
        """Close at once."""
        if self.closed:
            return
        self._loop.forget(self._socket.fileno())
        # A process that is just being born holds a copy for a while.
        with contextlib.suppress(OSError):
            self._socket.shutdown(_socket.SHUT_RDWR)
        self._socket.close()
        for fd in self._decoder.unclaimed():
            os.close(fd)
        self._on_closed(self)

    def _on_event(self, events: int) -> None:
        if events & EPOLLOUT:
            self._flush()
        if not self.closed and events & (EPOLLIN | EPOLLHUP | EPOLLERR):
            self._receive()

    def _receive(self) -> None:
        try:
            data, ancillary, flags, _ = self._socket.recvmsg(
                _RECEIVE, _ANCILLARY, _socket.MSG_DONTWAIT | _socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        cut = bool(flags & _socket.MSG_CTRUNC)
        self._decoder.feed(data, _descriptors(ancillary), cut=cut)
        if not data:
            self.close()
            return
        try:
            while not self.closed and (frame := self._decoder.next_raw()) is not None:
                self._on_request(self, frame)
        except ProtocolError:
            self.close()
        except Exception:  # noqa: BLE001 - a defect, which shall not cost more than this peer
            sys.excepthook(*sys.exc_info())
            self.close()

    def _flush(self) -> None:
        try:
            while self._queue:
                sent = self._socket.send(self._queue, _socket.MSG_DONTWAIT | _socket.MSG_NOSIGNAL)
                del self._queue[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if self._last and not self._queue:
            self.close()
        else:
            mask = EPOLLIN | EPOLLOUT if self._queue else EPOLLIN
            self._loop.watch(self._socket.fileno(), mask, self._on_event)


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    fds: list[int] = []
    for level, kind, data in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            fds.extend(struct.unpack_from(f"{len(data) // 4}i", data))
    return fds
