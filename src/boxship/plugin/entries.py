"""Entries of logs as they go to plugins and come from them: protobuf behind a length; pure.

::

    length: u32, big endian │ LogEntry
                                1 source, 2 time in ns, 3 line, 4 partial, 5 metadata (1 last …)

Specified by Docker's ``api/types/plugins/logdriver``. Standard library only: plugins use it too.
"""

from dataclasses import dataclass

LONGEST = 1 << 20
"""Bytes of an entry; a line's pieces have 16 KiB."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class ReadEntry:
    """A line, or a piece of one, without its newline."""

    source: str
    time_ns: int
    line: bytes
    goes_on: bool = False
    """The rest of the line comes in the next entry."""


def taken(data: bytes) -> tuple[bytes | None, bytes]:
    """Return the first message and what is behind it; ``None``: it is not whole. ValueError."""
    length = int.from_bytes(data[:4], "big")
    if len(data) < 4:
        return None, data
    if length > LONGEST:
        raise ValueError(f"{length} bytes a line")
    end = 4 + length
    return (None, data) if len(data) < end else (data[4:end], data[end:])


def decoded(message: bytes) -> ReadEntry:
    """Read a message. ValueError: that is no entry."""
    try:
        fields = _fields(message)
        metadata = fields.get(5)
        last = bool(_fields(metadata).get(1, 0)) if isinstance(metadata, bytes) else False
        source, time_ns, line = fields.get(1, b""), fields.get(2, 0), fields.get(3, b"")
        assert isinstance(source, bytes) and isinstance(line, bytes)
        assert isinstance(time_ns, int)
    except (IndexError, AssertionError, ValueError):
        raise ValueError("that is no entry") from None
    name = "stderr" if source == b"stderr" else "stdout"
    return ReadEntry(name, time_ns, line, bool(fields.get(4, 0)) and not last)


def encoded(entry: ReadEntry) -> bytes:
    """Return an entry as it is sent, behind its length."""
    message = b"".join(
        (
            _text(1, entry.source.encode()),
            b"\x10" + _number(entry.time_ns),
            _text(3, entry.line),
            b"\x20\x01" if entry.goes_on else b"",
        )
    )
    return len(message).to_bytes(4, "big") + message


def _text(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | _BYTES]) + _number(len(value)) + value


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _fields(message: bytes) -> dict[int, int | bytes]:
    """Read a protobuf message: numbers and byte strings by field. IndexError, ValueError."""
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            found[key >> 3], at = _varint(message, at)
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
            found[key >> 3] = message[at : at + length]
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(kind)
        at += length
        if at > len(message):
            raise IndexError(at)
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        if shift > 63:
            raise ValueError(shift)
