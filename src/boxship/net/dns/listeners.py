"""The resolver's sockets in one container's network namespace."""

import errno
import fcntl
import socket
import time
from collections.abc import Callable

from boxship.net.dns import redirect
from boxship.net.dns.answering import Sight
from boxship.net.dns.zones import Upstream
from boxship.net.namespaces import NetworkNamespace, run_inside

PORT = 61053
"""Where it listens if the port is free: the same after a restart, and above the ports that the
kernel gives out by itself (32768 to 60999)."""
RATE = 10_000
"""Questions a second that one container may ask in the long run …"""
BURST = 2_000
"""… and at once. What is beyond stays in its socket's buffer, or is dropped by the kernel."""
_BACKLOG = 64
_BUFFER = 1 << 20
"""Bytes of questions that may wait: a quarter of a second of them at 5,000 a second. The kernel's
usual 208 KiB are full after 50 ms, which a busy machine may keep any thread waiting."""
_SO_RCVBUFFORCE = 33
_SIOCGSKNS = 0x894C


class Listener:
    """Sockets of one namespace, and what those who ask there see.

    Made by ``Resolver.listen``; to everybody else it is a token.
    """

    __slots__ = ("_allowance", "_since", "datagrams", "port", "sight", "streams", "turn")

    def __init__(self, datagrams: socket.socket, streams: socket.socket, port: int) -> None:
        self.datagrams, self.streams, self.port = datagrams, streams, port
        self.sight: Sight | None = None
        self.turn = 0
        self._allowance, self._since = float(BURST), time.monotonic()

    def allowed(self, most: int) -> int:
        """Return how many questions may be answered now, at most ``most``."""
        now = time.monotonic()
        self._allowance = min(BURST, self._allowance + (now - self._since) * RATE)
        self._since = now
        return min(most, int(self._allowance))

    def spend(self, count: int) -> None:
        """Take questions off what is allowed."""
        self._allowance -= count

    def close(self) -> None:
        """Close the sockets, which lets go of the namespace."""
        self.datagrams.close()
        self.streams.close()

    def socket_inside(self, server: Upstream, kind: int) -> socket.socket:
        """Return a socket for ``server`` in this namespace; the calling thread is back afterwards.

        The namespace is found by our own socket: a descriptor more for each container would be a
        third of what the resolver needs, for a case that is rare.
        """
        with NetworkNamespace(fcntl.ioctl(self.datagrams, _SIOCGSKNS)) as there:
            return run_inside(there, lambda: socket_for(server, kind))


def open_listener(lead: Callable[[int], None] = redirect.install) -> Listener:
    """Listen in the network namespace that the calling thread is in, and ``lead`` port 53 there.

    Without nf_tables port 53 itself is taken: names are worth more than the port.
    """
    try:
        listener = _bound(PORT)
    except OSError:
        listener = _bound(0)
    try:
        lead(listener.port)
    except OSError as error:
        listener.close()
        if error.errno not in (errno.EPROTONOSUPPORT, errno.EOPNOTSUPP, errno.EINVAL):
            raise
        listener = _bound(redirect.PORT)
    except BaseException:
        listener.close()
        raise
    return listener


def socket_for(server: Upstream, kind: int) -> socket.socket:
    """Return a socket for ``server`` in the namespace we are in."""
    family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
    return socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)


def _bound(port: int) -> Listener:
    """Bind both protocols to the same port; ``OSError`` if one is taken."""
    kind = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    streams = socket.socket(socket.AF_INET, socket.SOCK_STREAM | kind)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | kind)
    try:
        streams.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # TIME_WAIT of the last
        datagrams.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        streams.bind((redirect.ADDRESS, port))
        number: int = streams.getsockname()[1]
        datagrams.bind((redirect.ADDRESS, number))
        streams.listen(_BACKLOG)
    except BaseException:
        streams.close()
        datagrams.close()
        raise
    return Listener(datagrams, streams, number)
