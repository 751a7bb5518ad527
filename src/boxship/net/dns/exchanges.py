"""One question to one server, by UDP or TCP: a connected socket of its own.

That it is connected has the kernel drop what comes from elsewhere; that it is new each time gives
it a source port that nobody can guess. Both are what keeps forged answers out (RFC 5452), beside
the random id.
"""

import errno
import os
import socket
from collections.abc import Callable
from select import EPOLLIN, EPOLLOUT
from typing import Protocol

from boxship.net.dns.zones import Upstream

_ROOM = 65536

MakeSocket = Callable[[Upstream, int], socket.socket]
"""Makes a socket for a server, of the type given; in the host's namespace or a container's."""


class Exchange(Protocol):
    """A question on its way. All calls are made by one thread and none blocks."""

    server: Upstream
    sent_at: float

    @property
    def fd(self) -> int:
        """What to poll."""

    @property
    def events(self) -> int:
        """What to poll for."""

    def again(self) -> None:
        """Ask once more, if the protocol may have lost the question."""

    def receive(self) -> bytes | None:
        """Return a message that arrived; None if there is none yet. ``OSError``: it failed."""

    def close(self) -> None:
        """Give up."""


class Datagram:
    """By UDP."""

    events = EPOLLIN

    def __init__(self, server: Upstream, message: bytes, now: float, make: MakeSocket) -> None:
        self.server, self.sent_at, self._message = server, now, message
        self._socket = make(server, socket.SOCK_DGRAM)
        try:
            self._socket.connect(_place(server))
            self._socket.send(message)
        except OSError:
            self._socket.close()
            raise
        self.fd = self._socket.fileno()

    def again(self) -> None:
        self._socket.send(self._message)

    def receive(self) -> bytes | None:
        try:
            return self._socket.recv(_ROOM)
        except BlockingIOError:
            return None

    def close(self) -> None:
        self._socket.close()


class Connection:
    """By TCP: two bytes of length before each message (RFC 7766)."""

    def __init__(self, server: Upstream, message: bytes, now: float, make: MakeSocket) -> None:
        self.server, self.sent_at = server, now
        self._unsent = len(message).to_bytes(2, "big") + message
        self._received = bytearray()
        self._socket = make(server, socket.SOCK_STREAM)
        code = self._socket.connect_ex(_place(server))
        if code not in (0, errno.EINPROGRESS):
            self._socket.close()
            raise OSError(code, os.strerror(code), f"{server.address}:{server.port}")
        self.fd = self._socket.fileno()

    @property
    def events(self) -> int:
        return EPOLLOUT if self._unsent else EPOLLIN

    def again(self) -> None:
        """TCP loses nothing."""

    def receive(self) -> bytes | None:
        try:
            if self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
                return None
            part = self._socket.recv(_ROOM)
        except BlockingIOError:
            return None
        if not part:
            raise ConnectionResetError(f"{self.server.address} closed the connection")
        self._received += part
        if len(self._received) < 2:
            return None
        end = 2 + int.from_bytes(self._received[:2], "big")
        return bytes(self._received[2:end]) if len(self._received) >= end else None

    def close(self) -> None:
        self._socket.close()


def _place(server: Upstream) -> tuple[str, int] | tuple[str, int, int, int]:
    """Return the socket address; a link-local server comes with its interface (``fe80::1%eth0``).

    ``OSError`` if there is no such interface.
    """
    address, _, scope = server.address.partition("%")
    if not scope:
        return address, server.port
    index = int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)
    return address, server.port, 0, index
