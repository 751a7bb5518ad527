"""urllib3's connections, made so that another thread can end them (see ``cancel.py``).

Which switch a connection belongs to changes with every request, so it is kept per thread for the
time of a request: urllib3 hands nothing of ours down to its connections.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from boxship.distribution.cancel import Cancel, Watch


class Watching:
    """The connections that one request has used so far."""

    def __init__(self, cancel: Cancel | None) -> None:
        self._cancel = cancel
        self._watches: list[Watch] = []

    def add(self, sock: socket.socket) -> None:
        if self._cancel is not None:
            self._watches.append(self._cancel.watch(sock))

    def release(self) -> None:
        while self._watches:
            self._watches.pop().release()


class _Current(threading.local):
    watching: Watching | None = None


_current = _Current()


@contextlib.contextmanager
def requesting(watching: Watching) -> Iterator[None]:
    """Connections that this thread uses meanwhile belong to ``watching``."""
    _current.watching = watching
    try:
        yield
    finally:
        _current.watching = None


def _watch(sock: socket.socket | None) -> None:
    if sock is not None and _current.watching is not None:
        _current.watching.add(sock)


class _Dialled(HTTPConnection):
    """Watched from before the connection stands: connecting, too, can block for long."""

    def _new_conn(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        failure: OSError = OSError(f"no address for {self.host}")
        for family, kind, protocol, _, address in found:
            sock = socket.socket(family, kind, protocol)
            try:
                return self._connected(sock, address)
            except OSError as error:
                sock.close()
                failure = error
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, f"connect to {self.host}: timeout") from failure
        raise NewConnectionError(self, f"{failure.strerror or failure}") from failure

    def _connected(self, sock: socket.socket, address: Any) -> socket.socket:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if isinstance(self.timeout, int | float):
            sock.settimeout(self.timeout)
        _watch(sock)
        sock.connect(address)
        return sock

    def request(self, *arguments: Any, **options: Any) -> None:
        _watch(self.sock)
        super().request(*arguments, **options)


class _DialledTls(_Dialled, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Dialled


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _DialledTls

    def _validate_conn(self, conn: Any) -> None:
        # Without urllib3's warning: whose certificate isn't looked at is the settings' decision.
        if conn.is_closed:
            conn.connect()


_POOLS = {"http": _Pool, "https": _TlsPool}


def watched(pools: urllib3.PoolManager) -> urllib3.PoolManager:
    """Have ``pools`` make connections that can be ended."""
    pools.pool_classes_by_scheme = _POOLS
    return pools
