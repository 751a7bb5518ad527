"""urllib3's connections, made so that another thread can end them (see ``cancel.py``).

Which switch a connection belongs to changes with every request, so it is kept per thread for the
time of a request: urllib3 hands nothing of ours down to its connections.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from boxship.distribution import tls
from boxship.distribution.cancel import Cancel, Watch
from boxship.distribution.settings import Timeouts
from boxship.distribution.tls import TlsRules

_HOSTS_KEPT = 32
_CONNECTIONS_PER_HOST = 16


class Watching:
    """The connections that one request has used so far."""

    def __init__(self, cancel: Cancel | None) -> None:
        self._cancel = cancel
        self._watches: list[Watch] = []

    def add(self, sock: socket.socket) -> None:
        if self._cancel is not None:
            self._watches.append(self._cancel.watch(sock))

    def check(self) -> None:
        """Raise TransferCancelledError if they were ended."""
        if self._cancel is not None:
            self._cancel.check()

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


class UndialledError(NewConnectionError):
    """No connection; ``address`` is where, as Go writes it: `127.0.0.1:5000`, `[::1]:5000`."""

    def __init__(self, connection: HTTPConnection, reason: str, address: str) -> None:
        super().__init__(connection, reason)
        self.address = address


def _shown(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Dialled(HTTPConnection):
    """Watched from before the connection stands: connecting, too, can block for long."""

    def _new_conn(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        first: tuple[OSError, Any] | None = None
        for family, kind, protocol, _, address in found:
            sock = socket.socket(family, kind, protocol)
            try:
                return self._connected(sock, address)
            except OSError as error:
                sock.close()
                first = first or (error, address)
        # The first one is told of, as Go does: it is the one that should have answered.
        failure, tried = first or (OSError(f"no address for {self.host}"), (self.host, self.port))
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, f"connect to {self.host}: timeout") from failure
        raise UndialledError(self, f"{failure.strerror or failure}", _shown(tried)) from failure

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


def new_pool(rules: TlsRules, proxy: str, limits: Timeouts, *, is_tls: bool) -> urllib3.PoolManager:
    """Return connections of one kind; each can be ended. Raise CertificateProblemError."""
    timeout = urllib3.Timeout(connect=limits.connect, read=limits.read)
    context = tls.context(rules) if is_tls else None
    if not proxy:
        return _watched(
            urllib3.PoolManager(
                _HOSTS_KEPT, maxsize=_CONNECTIONS_PER_HOST, timeout=timeout, ssl_context=context
            )
        )
    parts = urlsplit(proxy)
    secret = (
        f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    )
    return _watched(
        urllib3.ProxyManager(
            f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
            _HOSTS_KEPT,
            proxy_headers=urllib3.make_headers(proxy_basic_auth=secret),
            maxsize=_CONNECTIONS_PER_HOST,
            timeout=timeout,
            ssl_context=context,
        )
    )


def _watched(pools: urllib3.PoolManager) -> urllib3.PoolManager:
    pools.pool_classes_by_scheme = _POOLS
    return pools
