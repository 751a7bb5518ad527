"""Decoding ``Transfer-Encoding: chunked``, without I/O.

Our own, because the end of a body must be known to the byte: what follows may be another request,
or the raw stream of a hijacked connection.
"""

import re

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_LONGEST_LINE = 4096


class ChunkError(ValueError):
    """The body isn't what it claims to be."""


class ChunkDecoder:
    """Feed it bytes; it returns payload. Once ``done``, ``rest`` is what came after the body."""

    def __init__(self) -> None:
        self.done = False
        self.rest = b""
        self._line = b""  # a size or trailer line that has not ended yet
        self._left = 0  # payload bytes of the current chunk still to come, with its CRLF
        self._in_trailer = False

    def feed(self, data: bytes) -> bytes:
        payload = []
        while data and not self.done:
            if self._left:
                taken, data = data[: self._left], data[self._left :]
                # The last two of the bytes counted are the CRLF that ends the chunk.
                payload.append(taken[: max(0, self._left - 2)])
                self._left -= len(taken)
            else:
                data = self._feed_line(data)
        return b"".join(payload)

    def _feed_line(self, data: bytes) -> bytes:
        head, newline, rest = data.partition(b"\n")
        self._line += head
        if len(self._line) > _LONGEST_LINE:
            raise ChunkError("a chunk's header is too long")
        if newline:
            line, self._line = self._line.rstrip(b"\r"), b""
            self._end_line(line, rest)
        return b"" if self.done else rest

    def _end_line(self, line: bytes, rest: bytes) -> None:
        if self._in_trailer:
            if not line:
                self.done, self.rest = True, rest
            return
        match = _SIZE.fullmatch(line)
        if match is None:
            raise ChunkError("a chunk's size is not a number")
        size = int(match[1], 16)
        self._in_trailer = size == 0
        self._left = size + 2 if size else 0
