"""What a shim and its sender say to each other.

::

    shim                                              sender
      │ frames (frames.py)                              │ open the driver, collect a batch, send it
      │────────────────────────────────────────────────►│ again and again until the target takes it
      │◄────────────────────────────────────────────────│ done{frames, lines lost, what is wrong}
      │ end of stream                                   │
      │────────────────────────────────────────────────►│ sends the rest, exits

    done:  ┌─────────────┬────────────┬─────────────┬─────────────┐
           │ frames: u32 │ lines: u32 │ length: u16 │ text, UTF-8 │  big endian; since the last one
           └─────────────┴────────────┴─────────────┴─────────────┘

The shim keeps every frame until it is done, and ends a sender that takes too long after the end of
the stream.
"""

import struct
from typing import Final

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
"""Seconds before a failing target, or a sender that died, is tried again; doubled each time."""
_MOST_TEXT: Final = 300

_done = struct.Struct(">IIH")


def encode_done(done: int, lost: int, text: str) -> bytes:
    """Return the message that tells the shim how far its frames have come."""
    said = text.encode()[:_MOST_TEXT]
    return _done.pack(done, lost, len(said)) + said


def decode_done(data: bytes) -> tuple[int, int, str, int] | None:
    """Return the message's frames, lines and text, and its length; None when it is not whole."""
    if len(data) < _done.size:
        return None
    done, lost, length = _done.unpack_from(data)
    end = _done.size + length
    if len(data) < end:
        return None
    return done, lost, data[_done.size : end].decode(errors="replace"), end
