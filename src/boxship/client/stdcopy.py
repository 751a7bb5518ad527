"""Taking apart Docker's multiplexed stream, without I/O.

::

    ┌────────┬───┬───┬───┬────────────────────┬───────────────┐
    │ stream │ 0 │ 0 │ 0 │ length, big-endian │ length bytes  │  … repeated
    └────────┴───┴───┴───┴────────────────────┴───────────────┘
      1 byte   3 bytes       4 bytes
"""

from boxship.base.errors import InternalError

STDIN = 0
STDOUT = 1
STDERR = 2
SYSTEM_ERROR = 3

_HEADER = 8


class StreamError(InternalError):
    """The daemon reports a failure inside the stream, or the stream is not multiplexed."""


class Demultiplexer:
    """Feed it what arrives; get back runs of bytes per stream, in order.

    Neighbouring frames of the same stream are joined: a million log lines cost a few hundred
    writes. The payload of a frame is passed on as it comes, never held until it is complete.
    """

    def __init__(self) -> None:
        self._header = b""  # a header that is not complete yet
        self._stream = STDOUT
        self._left = 0  # payload bytes of the current frame still to come

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        runs: list[tuple[int, bytes]] = []
        if self._header:
            data = self._header + data
            self._header = b""
        position, end = 0, len(data)
        current = self._stream
        pieces: list[bytes] = []
        while position < end:
            if not self._left:
                if end - position < _HEADER:
                    self._header = data[position:]
                    break
                self._stream = data[position]
                if self._stream > SYSTEM_ERROR:
                    raise StreamError(f"unrecognized stream number {self._stream} in a frame")
                self._left = int.from_bytes(data[position + 4 : position + _HEADER], "big")
                position += _HEADER
                if self._stream != current:
                    if pieces:
                        runs.append((current, b"".join(pieces)))
                    current, pieces = self._stream, []
                continue
            take = min(self._left, end - position)
            pieces.append(data[position : position + take])
            position += take
            self._left -= take
        if pieces:
            runs.append((current, b"".join(pieces)))
        return runs

    @property
    def at_boundary(self) -> bool:
        """Whether the stream may end here."""
        return not self._left and not self._header
