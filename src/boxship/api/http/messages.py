"""Requests and answers, as the endpoints see them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl

from boxship.api.http.body import Body
from boxship.api.http.entrance import Entrance

if TYPE_CHECKING:
    import socket

Headers = Mapping[str, str]
Chunk = bytes | bytearray | memoryview

JSON = "application/json"


class Detachable(Protocol):
    """A connection that can stop being HTTP."""

    @property
    def client_socket(self) -> "socket.socket | None":
        """What the client is connected by; None once that is closed."""
        ...

    @property
    def entrance(self) -> Entrance:
        """Where the client came in."""
        ...

    @property
    def certified_name(self) -> str:
        """The common name of the client's certificate; empty if it has shown none."""
        ...

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """The chain that the client has sent, PEM, its own certificate first."""
        ...

    async def detach(self, header: bytes) -> tuple[int, bytes]:
        """Send ``header``; return a descriptor of the connection and what had been read of it."""
        ...

    def abort(self) -> None:
        """End it at once, also what was carried over; not what has gone elsewhere as it was."""
        ...


class Request:
    """One request. Names of headers are in lower case; of several the last counts."""

    __slots__ = (
        "_query",
        "body",
        "connection",
        "headers",
        "keep_alive",
        "method",
        "minor",
        "path",
        "query_string",
    )

    def __init__(
        self,
        *,
        method: str,
        path: str,
        query_string: str,
        headers: Mapping[str, str],
        minor: int,
        keep_alive: bool,
        body: Body,
        connection: Detachable,
    ) -> None:
        self.method = method
        self.path = path
        """Still percent-encoded."""
        self.query_string = query_string
        self.headers = headers
        self.minor = minor
        """Of the version: HTTP/1.``minor``."""
        self.keep_alive = keep_alive
        self.body = body
        self.connection = connection
        self._query: dict[str, list[str]] | None = None

    @property
    def query(self) -> dict[str, list[str]]:
        """The parameters with all their values, in order."""
        if self._query is None:
            self._query = {}
            if self.query_string:
                for name, value in parse_qsl(self.query_string, keep_blank_values=True):
                    self._query.setdefault(name, []).append(value)
        return self._query

    def parameter(self, name: str) -> str | None:
        """Return a parameter's first value, or None."""
        if not self.query_string:
            return None
        values = self.query.get(name)
        return values[0] if values else None


@dataclass(frozen=True, slots=True)
class Response:
    """A short answer, whole."""

    status: int = 200
    body: bytes = b""
    content_type: str | None = JSON
    headers: Headers = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """A long answer.

    The header goes out before the first chunk is asked for, unless it ``awaits_first``: then an
    error before the first chunk is still an ordinary answer. An ``endless`` one is given up when
    the client half-closes its connection, since nothing else says that it has gone.
    """

    chunks: AsyncIterator[Chunk]
    content_type: str = JSON
    awaits_first: bool = False
    endless: bool = False
    headers: Headers = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The connection is somebody else's now: there is nothing left to answer."""


Answer = Response | Stream | HandedOver
Serve = Callable[[Request], Answer | Awaitable[Answer]]
"""What can be answered without waiting for anything is answered at once: that costs no task."""
OnError = Callable[[Request, Exception], Response]
