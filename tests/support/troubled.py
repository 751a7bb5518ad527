"""A registry with troubles on order: a proxy before a real one, that counts what it is asked for.

::

    with Troubled(registry) as troubled:
        troubled.on("/blobs/", Cut(after=1000), times=1)
        docker("pull", f"{troubled.host}/app:1")
        assert troubled.served(digest) == 1
"""

import http.client
import socket
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from support.registries import RegistryServer

_OF_THE_HOP = ("host", "connection", "content-length", "transfer-encoding", "location")


@dataclass(frozen=True)
class Cut:
    """The connection ends within the body."""

    after: int


@dataclass(frozen=True)
class Falsify:
    """A byte of the body is another one."""

    at: int = 100


@dataclass(frozen=True)
class Say:
    """An answer of our own."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Retype:
    """The body comes under another content type."""

    media_type: str


@dataclass(frozen=True)
class Hold:
    """The body stops after some bytes until `let_go` is set."""

    after: int
    reached: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class HangUp:
    """The connection ends within the request's body."""

    after: int


Trouble = Cut | HangUp | Falsify | Say | Retype | Hold


@dataclass
class _Order:
    part: str  # of the path
    trouble: Trouble
    left: int


class Troubled:
    """The proxy. `host` is what references name."""

    def __init__(self, registry: RegistryServer) -> None:
        self._registry = registry
        self._orders: list[_Order] = []
        self._lock = threading.Lock()
        self._clients: set[socket.socket] = set()
        self._holds: list[Hold] = []
        self.bodies: Counter[str] = Counter()  # GETs that were answered, by the path's last part
        self.ranges: list[str] = []
        self.asked: list[str] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def on(self, part: str, trouble: Trouble, *, times: int = 1 << 30) -> None:
        """Make trouble of requests (not HEADs) whose path has `part` in it, so many times."""
        with self._lock:
            self._orders.append(_Order(part, trouble, times))
            if isinstance(trouble, Hold):
                self._holds.append(trouble)

    def calm(self) -> None:
        """No more trouble, and nothing was asked."""
        with self._lock:
            self._orders.clear()
        for hold in self._holds:
            hold.let_go.set()
        self.bodies.clear()
        self.ranges.clear()
        self.asked.clear()

    def served(self, digest: str) -> int:
        """How often a blob's or manifest's body was begun."""
        return self.bodies[digest]

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.calm()
        self.hang_up()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def hang_up(self) -> None:
        """End all connections, as a registry does that goes away."""
        with self._lock:
            for client in self._clients:
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)

    def _next(self, path: str) -> Trouble | None:
        with self._lock:
            for order in reversed(self._orders):  # the newest first
                if order.part in path and order.left > 0:
                    order.left -= 1
                    return order.trouble
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Troubled

    def setup(self) -> None:
        super().setup()
        with self.owner._lock:
            self.owner._clients.add(self.request)

    def finish(self) -> None:
        with self.owner._lock:
            self.owner._clients.discard(self.request)
        with suppress(OSError):
            super().finish()

    def log_message(self, *_: object) -> None: ...

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def do_HEAD(self) -> None:
        self._pass(None)

    def do_GET(self) -> None:
        self._pass(self.owner._next(self.path))

    def do_POST(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.do_GET()

    def do_PATCH(self) -> None:
        self.do_GET()

    def _pass(self, trouble: Trouble | None) -> None:
        self.owner.asked.append(f"{self.command} {self.path}")
        if isinstance(trouble, HangUp):
            self.rfile.read(trouble.after)
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        body = self._body()
        if isinstance(trouble, Say):
            self._answer(trouble.status, dict(trouble.headers), trouble.body)
            return
        upstream = http.client.HTTPConnection(self.owner._registry.host, timeout=30)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _OF_THE_HOP}
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            content = answer.read()
            given = {k: v for k, v in answer.getheaders() if k.lower() not in _OF_THE_HOP}
            if place := answer.getheader("Location"):  # ours: the next request comes here too
                given["Location"] = place.replace(self.owner._registry.host, self.owner.host)
            if self.command == "HEAD":
                given["Content-Length"] = answer.getheader("Content-Length") or "0"
        finally:
            upstream.close()
        if self.command == "GET" and answer.status in (200, 206):
            self.owner.bodies[self.path.rpartition("/")[2]] += 1
        if "Range" in self.headers:
            self.owner.ranges.append(self.headers["Range"])
        self._answer(answer.status, given, content, trouble)

    def _body(self) -> bytes | None:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            sent = int(self.headers.get("Content-Length") or 0)
            return self.rfile.read(sent) if sent else None
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(pieces)

    def _answer(
        self, status: int, headers: dict[str, str], body: bytes, trouble: Trouble | None = None
    ) -> None:
        if isinstance(trouble, Retype):
            headers["Content-Type"] = trouble.media_type
        if isinstance(trouble, Falsify):
            at = min(trouble.at, len(body) - 1)
            body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if isinstance(trouble, Cut):
            self.wfile.write(body[: trouble.after])
            self.wfile.flush()
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        if isinstance(trouble, Hold):
            self.wfile.write(body[: trouble.after])
            self.wfile.flush()
            trouble.reached.set()
            trouble.let_go.wait(60)
            body = body[trouble.after :]
        if self.command != "HEAD":
            self.wfile.write(body)
