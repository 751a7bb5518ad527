"""Requests to one HTTP server, over a connection that is kept: as log services want them.

A connection that was kept may have been closed by the server meanwhile; then the request is sent
once more on a new one. Certificates are verified unless it is forbidden. Over TLS the environment's
proxy is used (``HTTPS_PROXY``, ``NO_PROXY``).
"""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from boxship.runtime.logs.driver import TIMEOUT
from boxship.runtime.logs.tls import client_context
from boxship.runtime.logs.words import reason

_PATIENCE: Final = TIMEOUT / 2
_MOST: Final = 1 << 20
_KEPT_BUT_CLOSED: Final = (
    http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, ConnectionAbortedError,
)  # fmt: skip


class Response(NamedTuple):
    """A status, and a body of at most 1 MiB."""

    status: int
    body: bytes
    reason: str = ""

    def excerpt(self) -> str:
        """Return as much of it as belongs into a message."""
        text = self.body[:300].decode(errors="replace").strip()
        return f"{self.status} {self.reason} - {text}"


class HttpServer:
    """A server by its URL, of which scheme, host and port count."""

    def __init__(
        self,
        url: str,
        *,
        ca: str = "",
        server_name: str = "",
        verify: bool = True,
        patience: float = _PATIENCE,
    ) -> None:
        parts = urlsplit(url)
        self._url = f"{parts.scheme}://{parts.netloc}"
        self._host, self._port = parts.hostname or "", parts.port
        secure = parts.scheme == "https"
        self._security = client_context(ca=ca, verify=verify) if secure else None
        self._server_name, self._patience = server_name, patience
        self._connection: http.client.HTTPConnection | None = None

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Response:
        """Ask. OSError, of what kind ever."""
        kept = self._connection is not None
        try:
            try:
                return self._ask(method, target, headers, body)
            except _KEPT_BUT_CLOSED:
                if not kept:
                    raise
            return self._ask(method, target, headers, body)
        except OSError as error:
            raise OSError(f"{method} {self._url}{target}: {reason(error)}") from error
        except http.client.HTTPException as error:
            what = f"{type(error).__name__} {error}".rstrip()
            raise OSError(f"{method} {self._url}{target}: {what}") from error

    def _ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Response:
        if self._connection is None:
            self._connection = self._connect()
        try:
            self._connection.request(method, target, body or None, dict(headers))
            answer = self._connection.getresponse()
            response = Response(answer.status, answer.read(_MOST), answer.reason)
            if not answer.isclosed():  # there is more, which nobody wants
                self.close()
        except BaseException:
            self.close()
            raise
        return response

    def _connect(self) -> http.client.HTTPConnection:
        if self._security is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._patience)
        proxy = _proxy_for(self._host)
        host, port = (self._host, self._port) if proxy is None else (proxy.host, proxy.port)
        made = _Https(host, port, timeout=self._patience, context=self._security)
        made.presents = self._server_name or self._host
        if proxy is not None:
            made.set_tunnel(self._host, self._port, proxy.headers)
        return made

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Https(http.client.HTTPSConnection):
    """A connection to a server whose certificate may be for another name than its address."""

    presents = ""

    def __init__(
        self, host: str, port: int | None, *, timeout: float, context: ssl.SSLContext
    ) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self._security = context

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._security.wrap_socket(self.sock, server_hostname=self.presents)


class _Proxy(NamedTuple):
    host: str
    port: int | None
    headers: dict[str, str]


def _proxy_for(host: str) -> _Proxy | None:
    proxies = getproxies()
    if "https" not in proxies or proxy_bypass(host):
        return None
    parts = urlsplit(proxies["https"])
    headers = {}
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return _Proxy(parts.hostname or "", parts.port, headers)
