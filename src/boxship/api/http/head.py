"""The head of a request, parsed by llhttp, and the heads of answers."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import httptools

from boxship.api.http.messages import Headers

LONGEST = 1024 * 1024
"""Of a head, as with Go: ``docker save`` of a thousand images names them all in its URL."""
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class HeadError(ValueError):
    """What the client sent isn't the head of an HTTP/1 request."""


@dataclass(frozen=True, slots=True)
class Head:
    """``length`` is the body's; None stands for chunks."""

    method: str
    target: str
    headers: Mapping[str, str]
    minor: int
    keep_alive: bool
    length: int | None


class _Collector:
    """What httptools calls back."""

    __slots__ = ("headers", "target")

    def __init__(self) -> None:
        self.target = b""
        self.headers: dict[str, str] = {}

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")


class _Heads:
    """Short heads of before: a client that keeps its connection sends the same again and again."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def parse(self, data: bytes) -> Head:
        head = self._known.get(data)
        if head is None:
            head = _parse(data)
            if len(data) <= _SHORT and not _SECRET & head.headers.keys():
                if len(self._known) == _MOST_HEADS:
                    self._known.clear()
                self._known[data] = head
        return head


_SHORT = 512
_MOST_HEADS = 64
_SECRET = frozenset({"authorization", "x-registry-auth", "x-registry-config"})
"""Credentials are not kept for longer than their request takes."""

_HEADS = _Heads()


def parse_head(data: bytes) -> Head:
    """Parse everything up to and with the empty line. HeadError: it isn't a request."""
    return _HEADS.parse(data)


def _parse(data: bytes) -> Head:
    collector = _Collector()
    parser = httptools.HttpRequestParser(collector)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass  # whether the connection stops being HTTP is decided by the route
    except httptools.HttpParserError as error:
        raise HeadError(str(error)) from error
    version = parser.get_http_version()
    if version not in ("1.0", "1.1"):
        raise HeadError("only HTTP/1.0 and HTTP/1.1 are spoken here")
    try:
        target = collector.target.decode("ascii")
    except UnicodeDecodeError as error:
        raise HeadError("the target holds bytes that must be percent-encoded") from error
    headers = collector.headers
    return Head(
        method=parser.get_method().decode("ascii"),
        target=target,
        headers=headers,
        minor=int(version[2]),
        keep_alive=_keeps_alive(headers.get("connection", ""), version),
        length=_length(headers),
    )


def _keeps_alive(connection: str, version: str) -> bool:
    words = {word.strip() for word in connection.lower().split(",")}
    return "keep-alive" in words if version == "1.0" else "close" not in words


def _length(headers: Mapping[str, str]) -> int | None:
    encoding = headers.get("transfer-encoding")
    if encoding is not None:
        if encoding.lower() != "chunked":
            raise HeadError(f"the transfer encoding {encoding!r} is not known here")
        return None
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        raise HeadError("Content-Length is not a number")
    return int(length)


def answer_head(
    status: int,
    headers: Headers,
    *,
    common: str = "",
    content_type: str | None = None,
    length: int | None = None,
    chunked: bool = False,
    close: bool = False,
) -> bytes:
    """Write the head of an answer; ``common`` are header lines that every answer has."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n{common}"]
    lines += [f"{name}: {value}\r\n" for name, value in headers.items()]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}\r\n")
    if length is not None:
        lines.append(f"Content-Length: {length}\r\n")
    if chunked:
        lines.append("Transfer-Encoding: chunked\r\n")
    if close:
        lines.append("Connection: close\r\n")
    lines.append(f"Date: {_date()}\r\n\r\n")
    return "".join(lines).encode("latin-1")


class _DateCache:
    second = 0
    text = ""


def _date() -> str:
    now = int(time.time())
    if now != _DateCache.second:
        # Not strftime: the names of days and months must not follow a locale.
        t = time.gmtime(now)
        day, month = _DAYS[t.tm_wday], _MONTHS[t.tm_mon - 1]
        _DateCache.text = (
            f"{day}, {t.tm_mday:02} {month} {t.tm_year} "
            f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"
        )
        _DateCache.second = now
    return _DateCache.text


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
