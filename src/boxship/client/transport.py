"""Connections to a daemon, the one seam of I/O: plain sockets here, TLS in ``tls.py``, ``ssh.py``.

``tls`` (and with it ``ssl``, 20 ms) is imported only when a TLS connection is really made.
"""

import socket
from typing import Protocol

from boxship.client.endpoint import Endpoint, SshEndpoint, TcpEndpoint, UnixEndpoint
from boxship.client.errors import DaemonUnreachableError

RECEIVE = 256 * 1024

_CONNECT_SECONDS = 30.0


class Connection(Protocol):
    """A two-way stream of bytes whose directions end separately. Errors are OSErrors."""

    def receive(self) -> bytes:
        """What has come, waiting for at least one byte; empty at the end."""

    def send(self, data: bytes) -> None:
        """Send all of it."""

    def send_some(self, data: bytes) -> int:
        """Send without waiting; the number of bytes taken, maybe none."""

    def close_write(self) -> None:
        """Tell the peer that nothing more will be sent; receiving goes on."""

    @property
    def has_input(self) -> bool:
        """Whether ``receive`` has something although the descriptor may poll as idle."""

    @property
    def has_output(self) -> bool:
        """Whether taken bytes wait for the descriptor to become writable and ``send_some``."""

    def is_stale(self) -> bool:
        """Whether the peer has given up a connection that should be idle."""

    def fileno(self) -> int:
        """The descriptor to poll."""

    def close(self) -> None: ...


class PlainConnection:
    """A connected socket."""

    has_input = False
    has_output = False

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def receive(self) -> bytes:
        return self._socket.recv(RECEIVE)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send_some(self, data: bytes) -> int:
        try:
            return self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    def close_write(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def is_stale(self) -> bool:
        try:
            self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True  # closed, or the peer talks unasked

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()


def connect(endpoint: Endpoint) -> Connection:
    """DaemonUnreachableError says what to do when nobody is there."""
    try:
        if isinstance(endpoint, UnixEndpoint):
            return PlainConnection(_connect_unix(endpoint.path))
        if isinstance(endpoint, SshEndpoint):
            from boxship.client.ssh import SshConnection  # noqa: PLC0415 - rarely wanted

            return SshConnection(endpoint)
        return _connect_tcp(endpoint)
    except PermissionError as error:
        raise DaemonUnreachableError(
            f"permission denied while trying to connect to the daemon at {endpoint}: "
            "run as root, or join the group that owns the socket"
        ) from error
    except socket.gaierror as error:
        raise DaemonUnreachableError(
            f"cannot look up the daemon's host at {endpoint}: {error.strerror}"
        ) from error
    except OSError as error:
        raise DaemonUnreachableError(
            f"Cannot connect to the Docker daemon at {endpoint} ({error.strerror or error}). "
            "Is the daemon running?"
        ) from error


def _connect_unix(path: str) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connected.connect(path)
    except OSError:
        connected.close()
        raise
    return connected


def _connect_tcp(endpoint: TcpEndpoint) -> Connection:
    connected = socket.create_connection((endpoint.host, endpoint.port), timeout=_CONNECT_SECONDS)
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if endpoint.tls is None:
            connected.settimeout(None)
            return PlainConnection(connected)
        from boxship.client.tls import TlsConnection  # noqa: PLC0415 - only TLS pays for ssl

        connection = TlsConnection(connected, endpoint.tls, endpoint.host)
        connected.settimeout(None)
    except BaseException:
        connected.close()
        raise
    return connection
