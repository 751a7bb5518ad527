"""Docker's multiplexed stream: standard output and error in one connection, in frames.

::

    ┌────────┬───────┬────────────────────┬───────────────┐
    │ stream │ 0 0 0 │ length, big-endian │ length bytes  │  repeated
    └────────┴───────┴────────────────────┴───────────────┘
      1 byte  3 bytes  4 bytes

A log line is a frame of its own, because clients count frames as lines. A container with a
terminal has one stream only and no frames.
"""

from collections.abc import Iterable
from struct import Struct
from typing import Protocol
from urllib.parse import quote_plus

STDIN = 0
STDOUT = 1
STDERR = 2
SYSTEM_ERROR = 3

_HEADER = Struct(">B3xI")
_RAW = "surrogateescape"
"""How bytes that are not UTF-8 stand in a line's text."""
_NUMBERS = {"stdout": STDOUT, "stderr": STDERR}


class Line(Protocol):
    """One entry of a log: its text (with the newline), its stream and its time."""

    @property
    def log(self) -> str: ...
    @property
    def stream(self) -> str: ...
    @property
    def time(self) -> str: ...
    @property
    def attrs(self) -> dict[str, str] | None: ...


def frame(stream: int, payload: bytes) -> bytes:
    """Return one frame."""
    return _HEADER.pack(stream, len(payload)) + payload


class LineEncoder:
    """Turns batches of log lines into the bytes of a ``/logs`` answer.

    The headers are cached by stream and length: lines of one program have few lengths, and looking
    one up is several times cheaper than packing it.
    """

    def __init__(self, *, framed: bool, timestamps: bool = False, details: bool = False) -> None:
        self._framed = framed
        self._timestamps = timestamps
        self._details = details
        self._headers: dict[str, dict[int, bytes]] = {
            name: _Headers(number) for name, number in _NUMBERS.items()
        }

    def encode(self, lines: Iterable[Line]) -> bytes:
        """Return the bytes of a batch."""
        if self._timestamps or self._details:
            texts = ((line.stream, self._decorated(line)) for line in lines)
        else:
            texts = ((line.stream, line.log.encode("utf-8", _RAW)) for line in lines)
        if not self._framed:
            return b"".join([text for _, text in texts])
        headers = self._headers
        return b"".join(
            [part for stream, text in texts for part in (headers[stream][len(text)], text)]
        )

    def _decorated(self, line: Line) -> bytes:
        time = f"{line.time} " if self._timestamps else ""
        details = ""
        if self._details:
            attributes = sorted((line.attrs or {}).items())
            pairs = (f"{quote_plus(key)}={quote_plus(value)}" for key, value in attributes)
            details = ",".join(pairs) + " "
        return f"{time}{details}{line.log}".encode("utf-8", _RAW)


class _Headers(dict[int, bytes]):
    """Frame headers of one stream by payload length, made when first needed."""

    _LIMIT = 4096

    def __init__(self, stream: int) -> None:
        super().__init__()
        self._stream = stream

    def __missing__(self, length: int) -> bytes:
        header = _HEADER.pack(self._stream, length)
        if len(self) < self._LIMIT:
            self[length] = header
        return header
