"""Connections to targets, made again when they have broken.

What the kernel has taken for a stream may still be lost if the peer goes away: TCP does not say
how much it got. A connection that the peer has closed is noticed before something is written to
it, which is the case that matters (a server that was restarted).
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from boxship.runtime.logs.driver import TIMEOUT, DeliveryError
from boxship.runtime.logs.words import Address, reason

if TYPE_CHECKING:
    import ssl

_PATIENCE: Final = TIMEOUT / 2
"""Seconds for a connection to be made, and for a batch to be written: both are in one call."""


def connect(address: Address, security: ssl.SSLContext | None = None) -> socket.socket:
    """Return a connected socket; OSError says what it was to be connected to."""
    try:
        return _connect(address, security)
    except OSError as error:
        raise OSError(f"dial {address.scheme} {address}: {reason(error)}") from error


def _connect(address: Address, security: ssl.SSLContext | None) -> socket.socket:
    if address.path:
        kind = socket.SOCK_DGRAM if address.scheme == "unixgram" else socket.SOCK_STREAM
        return _connected(socket.AF_UNIX, kind, address.path)
    if address.scheme == "udp":
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)
        family, kind, _, _, where = found[0]
        return _connected(family, kind, where)
    plain = socket.create_connection((address.host, address.port), timeout=_PATIENCE)
    if security is None:
        return plain
    try:
        return security.wrap_socket(plain, server_hostname=address.host)
    except BaseException:
        plain.close()
        raise


def _connected(family: int, kind: int, where: object) -> socket.socket:
    with contextlib.ExitStack() as failing:
        made = failing.enter_context(socket.socket(family, kind | socket.SOCK_CLOEXEC))
        made.settimeout(_PATIENCE)
        made.connect(where)  # type: ignore[arg-type]
        failing.pop_all()
    return made


class _Way:
    """A socket to a target, opened when it is needed."""

    def __init__(self, open_socket: Callable[[], socket.socket]) -> None:
        self._open_socket = open_socket
        self._socket: socket.socket | None = None

    def open(self) -> socket.socket:
        """Find the target and connect, if that is not done. OSError."""
        if self._socket is None:
            self._socket = self._open_socket()
        return self._socket

    def close(self) -> None:
        """Close the socket, if there is one."""
        if self._socket is not None:
            _say_goodbye(self._socket)
            self._socket.close()
            self._socket = None


class Stream(_Way):
    """A stream to a target. After a failure the next ``send`` connects again."""

    def send(self, frames: Sequence[bytes], *, patience: float = _PATIENCE) -> None:
        """Write frames. DeliveryError tells how many of them went out whole."""
        if self._socket is not None and _is_closed_by_peer(self._socket):
            self.close()
        sending = self.open()
        data = memoryview(b"".join(frames))
        deadline = time.monotonic() + patience
        sent = 0
        try:
            while sent < len(data):
                sending.settimeout(max(deadline - time.monotonic(), 0.001))
                sent += sending.send(data[sent:])
        except OSError as error:
            self.close()
            whole = sum(end <= sent for end in accumulate(map(len, frames)))
            raise DeliveryError(reason(error), delivered=whole) from error

    def receive(self, patience: float) -> bytes:
        """Return what the peer sends; OSError if that is nothing, and the connection is closed."""
        try:
            if self._socket is None:
                raise ConnectionResetError("the connection is closed")
            self._socket.settimeout(patience)
            data = self._socket.recv(4096)
            if not data:
                raise ConnectionResetError("the peer has closed the connection")
        except OSError:
            self.close()
            raise
        return data


def _say_goodbye(connected: socket.socket) -> None:
    """Tell a peer of TLS that this is the end, and not an attack; its answer is not awaited."""
    unwrap = getattr(connected, "unwrap", None)
    if unwrap is not None:
        with contextlib.suppress(OSError, ValueError):
            connected.settimeout(0)
            unwrap()


def _is_closed_by_peer(connected: socket.socket) -> bool:
    """Look without waiting. Who only listens sends nothing, so whatever is read has no meaning."""
    connected.settimeout(0)
    try:
        return not connected.recv(1)
    except BlockingIOError:
        return False
    except OSError as error:  # TLS has an error of its own for "nothing yet"
        return type(error).__name__ != "SSLWantReadError"


class Datagrams(_Way):
    """Datagrams to a target, each tried twice: the first may only tell of the fate of another."""

    def send(self, datagram: bytes) -> None:
        """Send one. OSError."""
        try:
            self.open().send(datagram)
        except OSError:
            self.close()
            self.open().send(datagram)
