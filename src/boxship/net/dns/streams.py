"""Clients that ask by TCP: two bytes of length before each message (RFC 7766)."""

import socket
from collections.abc import Callable
from select import EPOLLIN, EPOLLOUT

from boxship.net.dns.message import MAX_TCP

_MOST_UNSENT = 2 * MAX_TCP
_LONGEST_QUERY = 4096
_PART = 4096


class Stream:
    """A client's connection. Bounded both ways: a client that does not read what it asked for,
    or sends what is no query, is hung up on."""

    def __init__(self, connection: socket.socket, now: float) -> None:
        self._socket = connection
        self.fd = connection.fileno()
        self.active_at = now
        self._received = bytearray()
        self.unsent = bytearray()
        """Answers that the client has not read yet."""

    @property
    def events(self) -> int:
        """What to poll for; a client that does not read is not read from."""
        return EPOLLOUT if self.unsent else EPOLLIN

    @property
    def has_more(self) -> bool:
        """Tell whether a whole message has arrived that was not handed out yet."""
        received = self._received
        return len(received) >= 2 and len(received) >= 2 + int.from_bytes(received[:2], "big")

    def receive(self, most: int, take: Callable[[bytes], None]) -> int:
        """Hand at most ``most`` messages that have arrived to ``take``; return how many it were.

        ``EOFError``: it is over, or must be.
        """
        if not self.has_more:
            self._read()
        count = 0
        while count < most and self.has_more:
            end = 2 + int.from_bytes(self._received[:2], "big")
            data = bytes(self._received[2:end])
            del self._received[:end]
            count += 1
            take(data)
        return count

    def _read(self) -> None:
        try:
            part = self._socket.recv(_PART)
        except BlockingIOError:
            return
        except OSError as error:
            raise EOFError from error
        self._received += part
        if not part or int.from_bytes(self._received[:2], "big") > _LONGEST_QUERY:
            raise EOFError

    def send(self, data: bytes) -> None:
        """Send a message, now or when the client reads. ``EOFError``: too much is unread."""
        if len(self.unsent) > _MOST_UNSENT:
            raise EOFError
        self.unsent += len(data).to_bytes(2, "big") + data
        self.flush()

    def flush(self) -> None:
        """Send what can be sent. ``EOFError``: nobody is there any more."""
        try:
            del self.unsent[: self._socket.send(self.unsent)]
        except BlockingIOError:
            pass
        except OSError as error:
            raise EOFError from error

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
