"""Sockets to a daemon. ``ssl`` is imported only when a TLS connection is really made."""

import socket

from boxship.client.endpoint import Endpoint, TcpEndpoint, UnixEndpoint
from boxship.client.errors import DaemonUnreachableError

_CONNECT_SECONDS = 30.0


def connect(endpoint: Endpoint) -> socket.socket:
    """A connected blocking socket; DaemonUnreachableError says what to do when there is none."""
    try:
        if isinstance(endpoint, UnixEndpoint):
            return _connect_unix(endpoint.path)
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
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def _connect_tcp(endpoint: TcpEndpoint) -> socket.socket:
    connection = socket.create_connection((endpoint.host, endpoint.port), timeout=_CONNECT_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if endpoint.tls is not None:
        try:
            from boxship.client import tls  # noqa: PLC0415 - only TLS pays for importing ssl

            connection = tls.wrap(connection, endpoint.tls, endpoint.host)
        except BaseException:
            connection.close()
            raise
    connection.settimeout(None)
    return connection


def close_write(connection: socket.socket) -> None:
    """Tell the peer that nothing more will be sent, while still reading."""
    if hasattr(connection, "unwrap"):
        from boxship.client import tls  # noqa: PLC0415 - only TLS pays for importing ssl

        tls.close_write(connection)
    else:
        connection.shutdown(socket.SHUT_WR)


def is_stale(connection: socket.socket) -> bool:
    """Whether the peer has closed (or written to) a connection that should be idle."""
    try:
        # By way of the base class, because SSLSocket.recv takes no flags.
        waiting = socket.socket.recv(connection, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    # A TLS 1.3 server sends session tickets unasked; they are read with the next answer.
    return not waiting or not hasattr(connection, "unwrap")
