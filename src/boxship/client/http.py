"""HTTP/1.1 without I/O: request bytes out, response head and decoded body in.

h11 writes requests and parses response heads. Bodies are decoded here: the daemon sends each log
line as a chunk of its own, and h11 spends 3.5 µs per chunk where this decoder spends 0.3
(ADR 0010). A body decoder is fed with what arrives and returns what is payload.

::

    head (h11) ──► 101, or asked to hijack   → raw bytes to the end: HijackedStream
               └─► Transfer-Encoding: chunked → ChunkedBody
               └─► Content-Length: n          → SizedBody
               └─► neither                    → BodyUntilClose
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import h11

from boxship.client.errors import ConnectionBrokenError

Header = tuple[str, str]

_LONGEST_LINE = 16 * 1024


class ResponseHead(NamedTuple):
    status: int
    headers: tuple[tuple[bytes, bytes], ...]  # names in lower case

    def header(self, name: str) -> str:
        wanted = name.lower().encode()
        for key, value in self.headers:
            if key == wanted:
                return value.decode("latin-1")
        return ""


class RequestWriter:
    """The bytes of one request, and the parser for the head of its response."""

    def __init__(self, method: str, target: str, headers: Sequence[Header]) -> None:
        self._connection = h11.Connection(h11.CLIENT)
        self.method = method
        self.start = self._send(h11.Request(method=method, target=target, headers=list(headers)))
        self._received = bytearray()

    def data(self, payload: bytes) -> bytes:
        return self._send(h11.Data(data=payload))

    def end(self) -> bytes:
        return self._send(h11.EndOfMessage())

    def _send(self, event: h11.Event) -> bytes:
        return self._connection.send(event) or b""

    def head(self, data: bytes) -> tuple[ResponseHead, bytes] | None:
        """The head and the bytes behind it, once ``data`` completes it; 100 Continue is skipped."""
        self._received += data
        while True:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return None
            parsed = self._parse(bytes(self._received[: end + 4]))
            del self._received[: end + 4]
            if parsed.status != 100:
                return parsed, bytes(self._received)

    def _parse(self, head: bytes) -> ResponseHead:
        try:
            self._connection.receive_data(head)
            event = self._connection.next_event()
        except h11.RemoteProtocolError as error:
            raise ConnectionBrokenError(f"the daemon does not speak HTTP: {error}") from error
        if not isinstance(event, h11.Response | h11.InformationalResponse):
            raise ConnectionBrokenError("the daemon does not speak HTTP: no status line")
        return ResponseHead(event.status_code, tuple(event.headers))


class Body(Protocol):
    """Decoder of a response body."""

    finished: bool

    def feed(self, data: bytes) -> bytes:
        """Payload within ``data``; sets ``finished`` when the body is complete."""

    def end(self) -> None:
        """The connection was closed; raises if the body is not complete."""


class SizedBody:
    def __init__(self, length: int) -> None:
        self._left = length
        self.finished = length == 0

    def feed(self, data: bytes) -> bytes:
        payload = data[: self._left]
        self._left -= len(payload)
        self.finished = self._left == 0
        return payload

    def end(self) -> None:
        if not self.finished:
            raise ConnectionBrokenError("the daemon closed the connection within an answer")


class BodyUntilClose:
    finished = False

    def feed(self, data: bytes) -> bytes:
        return data

    def end(self) -> None:
        self.finished = True


class ChunkedBody:
    """``size CRLF payload CRLF … 0 CRLF [trailers] CRLF``."""

    def __init__(self) -> None:
        self.finished = False
        self._pending = b""  # a line that is not complete yet
        self._left = 0  # payload bytes of the current chunk still to come
        self._after_payload = False  # the CRLF behind a payload comes next
        self._last = False  # only trailers and the final empty line are to come

    def feed(self, data: bytes) -> bytes:
        if self._pending:
            data = self._pending + data
            self._pending = b""
        payload: list[bytes] = []
        position, end = 0, len(data)
        while position < end and not self.finished:
            if self._left:
                take = min(self._left, end - position)
                payload.append(data[position : position + take])
                position += take
                self._left -= take
                self._after_payload = not self._left
                continue
            if not self._after_payload and not self._last:
                position = _whole_chunks(data, position, payload)
            line_end = data.find(b"\r\n", position)
            if line_end < 0:
                self._keep(data[position:])
                break
            self._line(data[position:line_end])
            position = line_end + 2
        return b"".join(payload)

    def _keep(self, rest: bytes) -> None:
        if len(rest) > _LONGEST_LINE:
            raise ConnectionBrokenError("malformed chunk in the daemon's answer")
        self._pending = rest

    def _line(self, line: bytes) -> None:
        if self._after_payload:
            self._after_payload = False
        elif self._last:
            self.finished = not line
        else:
            try:
                self._left = int(line.split(b";", 1)[0], 16)
            except ValueError as error:
                raise ConnectionBrokenError("malformed chunk in the daemon's answer") from error
            if self._left < 0:
                raise ConnectionBrokenError("malformed chunk in the daemon's answer")
            self._last = not self._left

    def end(self) -> None:
        if not self.finished:
            raise ConnectionBrokenError("the daemon closed the connection within an answer")


def _whole_chunks(data: bytes, position: int, payload: list[bytes]) -> int:
    """Append the chunks that lie complete in ``data``; returns the position behind them.

    The loop that a million log lines pass through. Whatever is unusual ends it.
    """
    find, end = data.find, len(data)
    while True:
        line_end = find(b"\r\n", position)
        if line_end < 0:
            return position
        try:
            size = int(data[position:line_end], 16)
        except ValueError:
            return position
        stop = line_end + 2 + size
        if size <= 0 or stop + 2 > end:
            return position
        payload.append(data[line_end + 2 : stop])
        position = stop + 2


def body_of(method: str, head: ResponseHead) -> Body:
    """The decoder that the head asks for (RFC 9112, section 6.3)."""
    if method == "HEAD" or head.status in (204, 304):
        return SizedBody(0)
    if head.header("transfer-encoding").lower() == "chunked":
        return ChunkedBody()
    length = head.header("content-length")
    if length:
        return SizedBody(int(length))
    return BodyUntilClose()
