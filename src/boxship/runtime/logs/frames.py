"""Pieces of output as binary frames: the ``local`` log format, and what a sender is fed with.

A frame is a header, the lines as they were written, and the length once more, by which a reader
finds its way from the end of a file::

    ┌──────────┬───────────┬──────────────┬─────────────┬──────────────┬──────┬─────────────┐
    │ 0xB5: u8 │ flags: u8 │ ordinal: u16 │ length: u32 │ time ns: u64 │ data │ length: u32 │
    └──────────┴───────────┴──────────────┴─────────────┴──────────────┴──────┴─────────────┘
      big endian. flags: 1 stdout, 2 stderr, 0x80 a part of a line with more to come.
      ordinal: how many parts of the first line came before; it stays at 65535.

All lines of a chunk of output share one frame, hence neither writing nor reading does anything for
each line. Docker's own ``local`` format is different, and private to it as this one is to us.
"""

import struct
from typing import Final, NamedTuple

from boxship.runtime.logs.lines import Piece

_MAGIC: Final = 0xB5
_MORE: Final = 0x80
_STREAMS: Final = 0x03
_MOST: Final = 0xFFFF
_header: Final = struct.Struct(">BBHIQ")
_trailer: Final = struct.Struct(">I")

HEADER: Final = _header.size
TRAILER: Final = _trailer.size
AROUND: Final = HEADER + TRAILER
"""Bytes of a frame beside its data."""


class BrokenFrameError(ValueError):
    """What stands there is no frame."""


class Frame(NamedTuple):
    """A frame that was read."""

    stream: int
    """1 stdout, 2 stderr."""
    time_ns: int
    piece: Piece


def encode(stream: int, time_ns: int, piece: Piece) -> bytes:
    """Return ``piece`` as a frame."""
    data = piece.data
    flags = stream | _MORE if piece.more else stream
    head = _header.pack(_MAGIC, flags, min(piece.ordinal, _MOST), len(data), time_ns)
    return b"".join((head, data, _trailer.pack(len(data))))


def length_at(data: bytes, offset: int) -> int | None:
    """Return how long the frame is that begins at ``offset``, None when its header is not whole.

    Raise BrokenFrameError.
    """
    if len(data) - offset < HEADER:
        return None
    magic, flags, _, length, _ = _header.unpack_from(data, offset)
    if magic != _MAGIC or flags & _STREAMS not in {1, 2}:
        raise BrokenFrameError("no frame begins there")
    return int(length) + AROUND


def length_before(trailer: bytes) -> int:
    """Return how long the frame is whose last bytes are ``trailer``."""
    (length,) = _trailer.unpack(trailer)
    return int(length) + AROUND


def decode(data: bytes, offset: int = 0) -> tuple[Frame, int] | None:
    """Return the frame at ``offset`` and where the next begins; None when it is not whole.

    Raise BrokenFrameError.
    """
    length = length_at(data, offset)
    if length is None or len(data) - offset < length:
        return None
    _, flags, ordinal, size, time_ns = _header.unpack_from(data, offset)
    begin = offset + HEADER
    if _trailer.unpack_from(data, begin + size)[0] != size:
        raise BrokenFrameError("a frame ends otherwise than it begins")
    piece = Piece(data[begin : begin + size], ordinal, bool(flags & _MORE))
    return Frame(flags & _STREAMS, time_ns, piece), offset + length
