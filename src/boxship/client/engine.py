"""One daemon, seen from a client: requests, version negotiation, streams, hijacking.

::

    EngineClient.call ──► Exchange (one request on one socket) ──► Response ──► read / lines / json
    EngineClient.hijack ─► the same, and the socket itself afterwards ──► HijackedStream

An answer of 400 or more never comes back as a response: it is raised as a class of
``boxship.base.errors``. A connection whose answer was read to the end serves the next request.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from boxship.client.endpoint import Endpoint, UnixEndpoint
from boxship.client.errors import ConnectionBrokenError, error_for
from boxship.client.http import Body, Header, RequestWriter, ResponseHead, body_of
from boxship.client.transport import Connection
from boxship.client.transport import connect as default_connect

NEWEST_VERSION = "1.56"
OLDEST_VERSION = "1.24"

JsonObject = dict[str, Any]
Query = Mapping[str, str | int | bool | list[str] | None]


class Response:
    """Head and body of an answer; close it, or read it to the end."""

    def __init__(
        self,
        connection: Connection,
        head: ResponseHead,
        body: Body,
        first: bytes,
        idle: list[Connection],
    ) -> None:
        self.head = head
        self.status = head.status
        self._connection: Connection | None = connection
        self._body = body
        self._idle = idle
        self._first = body.feed(first)
        if body.finished:
            self._release()

    def __iter__(self) -> Iterator[bytes]:
        """Payload as it comes."""
        if self._first:
            first, self._first = self._first, b""
            yield first
        while not self._body.finished:
            payload = self._receive()
            if payload:
                yield payload

    def _receive(self) -> bytes:
        if self._connection is None:
            raise ConnectionBrokenError("the answer was closed before it was read")
        try:
            data = self._connection.receive()
        except OSError as error:
            raise ConnectionBrokenError(f"lost the connection to the daemon: {error}") from error
        if not data:
            self.close()
            self._body.end()
            return b""
        payload = self._body.feed(data)
        if self._body.finished:
            self._release()
        return payload

    def read(self) -> bytes:
        return b"".join(self)

    def json(self) -> Any:
        return json.loads(self.read())

    def documents(self) -> Iterator[JsonObject]:
        """JSON objects of a stream, one a line, as they come."""
        pending = b""
        for payload in self:
            *lines, pending = (pending + payload).split(b"\n")
            for line in lines:
                if line.strip():
                    yield json.loads(line)
        if pending.strip():
            yield json.loads(pending)

    def _release(self) -> None:
        if self._connection is None:
            return
        if self.head.header("connection").lower() == "close":
            self.close()
            return
        self._idle.append(self._connection)
        self._connection = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class HijackedStream:
    """The bare connection behind a hijacked request.

    ``multiplexed`` is what the daemon declared, None when it is too old (below 1.42) to say so.
    """

    def __init__(self, connection: Connection, head: ResponseHead, first: bytes) -> None:
        self.connection = connection
        self._first = first
        content_type = head.header("content-type")
        self.multiplexed: bool | None = None
        if content_type == "application/vnd.docker.multiplexed-stream":
            self.multiplexed = True

    @property
    def has_input(self) -> bool:
        """Whether ``receive`` returns at once although the descriptor may poll as idle."""
        return bool(self._first) or self.connection.has_input

    def receive(self) -> bytes:
        """What has come, waiting for at least one byte; empty at the end."""
        if self._first:
            first, self._first = self._first, b""
            return first
        try:
            return self.connection.receive()
        except ConnectionResetError:
            return b""

    def close(self) -> None:
        self.connection.close()


class EngineClient:
    """A client for one endpoint; not for use by several threads at once."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        version: str | None = None,
        headers: tuple[Header, ...] = (),
        agent: str = "boxship",
        connect: Callable[[Endpoint], Connection] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._connect = connect or default_connect
        self._version = version
        self._idle: list[Connection] = []
        host = "boxship" if isinstance(endpoint, UnixEndpoint) else f"{endpoint.host}"
        self._headers: tuple[Header, ...] = (("Host", host), ("User-Agent", agent), *headers)

    def beside(self) -> "EngineClient":
        """One more client of the same daemon, for requests while a stream is being read."""
        other = EngineClient(self.endpoint, version=self.version, connect=self._connect)
        other._headers = self._headers
        return other

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    @property
    def version(self) -> str:
        """The API version in use: the newest that both sides speak; asks once."""
        if self._version is None:
            self._version = _negotiate(self.ping())
        return self._version

    def at_least(self, version: str) -> bool:
        return _ordered(self.version) >= _ordered(version)

    def ping(self) -> ResponseHead:
        """Head of ``/_ping``. Daemons before 1.40 answer GET only."""
        with self._exchange("HEAD", "/_ping", (), None) as response:
            if response.status < 400:
                return response.head
        with self._exchange("GET", "/_ping", (), None) as response:
            body = response.read()
            if response.status >= 500:
                raise error_for(response.status, body, "/_ping")
            return response.head

    def call(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: object = None,
        stream: Iterable[bytes] | None = None,
        headers: tuple[Header, ...] = (),
    ) -> Response:
        """Send a request with a JSON ``body`` or a byte ``stream``; the answer is below 400."""
        target = self._target(path, query)
        content: Iterable[bytes] | bytes | None = stream
        if stream is not None:
            headers = (*headers, ("Transfer-Encoding", "chunked"))
            headers = (*headers, ("Content-Type", "application/x-tar"))
        elif body is not None:
            content = _encode(body)
            headers = (*headers, ("Content-Type", "application/json"))
        response = self._exchange(method, target, headers, content)
        if response.status >= 400:
            with response:
                raise error_for(response.status, response.read(), path)
        return response

    def json(
        self, method: str, path: str, query: Query | None = None, *, body: object = None
    ) -> Any:
        """The decoded JSON answer."""
        with self.call(method, path, query, body=body) as response:
            return response.json()

    def do(self, method: str, path: str, query: Query | None = None, *, body: object = None) -> int:
        """For requests whose answer is only a status."""
        with self.call(method, path, query, body=body) as response:
            response.read()
            return response.status

    def hijack(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: object = None,
        protocol: str = "tcp",
        headers: tuple[Header, ...] = (),
    ) -> HijackedStream:
        """Send a request that turns its connection into a raw stream (101, or 200 until close).

        ``protocol`` is what is spoken on it from then on.
        """
        target = self._target(path, query)
        content = b"" if body is None else _encode(body)
        headers = (("Connection", "Upgrade"), ("Upgrade", protocol), *headers)
        if body is not None:
            headers = (*headers, ("Content-Type", "application/json"))
        connection, head, first = self._send(method, target, headers, content)
        if head.status in (101, 200):
            return HijackedStream(connection, head, first)
        with Response(connection, head, body_of(method, head), first, self._idle) as response:
            raise error_for(response.status, response.read(), path)

    def _target(self, path: str, query: Query | None) -> str:
        # As Go's: the colon of a tag stands for itself.
        target = f"/v{self.version}{quote(path, safe='/:')}"
        pairs = [(key, _text(value)) for key, value in (query or {}).items() if value is not None]
        lists = [(key, value) for key, value in pairs if not isinstance(value, list)]
        lists += [(key, item) for key, value in pairs if isinstance(value, list) for item in value]
        return f"{target}?{urlencode(lists)}" if lists else target

    def _exchange(
        self,
        method: str,
        target: str,
        headers: tuple[Header, ...],
        content: Iterable[bytes] | bytes | None,
    ) -> Response:
        connection, head, first = self._send(method, target, headers, content)
        return Response(connection, head, body_of(method, head), first, self._idle)

    def _send(
        self,
        method: str,
        target: str,
        headers: tuple[Header, ...],
        content: Iterable[bytes] | bytes | None,
    ) -> tuple[Connection, ResponseHead, bytes]:
        if isinstance(content, bytes) or (content is None and method not in ("GET", "HEAD")):
            headers = (*headers, ("Content-Length", str(len(content or b""))))
        writer = RequestWriter(method, target, (*self._headers, *headers))
        connection = self._connection()
        try:
            _write(connection, writer, content)
            head, first = _read_head(connection, writer)
        except OSError as error:
            connection.close()
            raise ConnectionBrokenError(f"lost the connection to the daemon: {error}") from error
        except BaseException:
            connection.close()
            raise
        return connection, head, first

    def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_stale():
                return connection
            connection.close()
        return self._connect(self.endpoint)


def _write(
    connection: Connection, writer: RequestWriter, content: Iterable[bytes] | bytes | None
) -> None:
    if content is None or isinstance(content, bytes):
        payload = writer.data(content) if content else b""
        connection.send(writer.start + payload + writer.end())
        return
    connection.send(writer.start)
    try:
        for piece in content:
            if piece:
                connection.send(writer.data(piece))
        connection.send(writer.end())
    except (BrokenPipeError, ConnectionResetError):
        # The daemon answered early and closed its side, as it does for a bad archive.
        return


def _read_head(connection: Connection, writer: RequestWriter) -> tuple[ResponseHead, bytes]:
    while True:
        data = connection.receive()
        if not data:
            raise ConnectionBrokenError("the daemon closed the connection without an answer")
        complete = writer.head(data)
        if complete is not None:
            return complete


def _encode(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _text(value: str | int | bool | list[str] | None) -> str | list[str]:
    if isinstance(value, bool):
        return "1" if value else "0"
    return value if isinstance(value, list) else str(value)


def _ordered(version: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version.split("."))
    except ValueError:
        return (0,)


def _negotiate(head: ResponseHead) -> str:
    offered = head.header("api-version") or OLDEST_VERSION
    return min(offered, NEWEST_VERSION, key=_ordered)
