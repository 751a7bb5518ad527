"""MessagePack, as much of it as is sent and received here (https://github.com/msgpack/msgpack).

Text is written from ``str`` or, with whatever bytes there are, from ``bytes``.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

Value: TypeAlias = (
    "bool | int | str | bytes | Extension | Mapping[str, Value] | Sequence[Value] | None"
)

_MOST_PARTS: Final = 64


class Extension:
    """A value of an application's own type."""

    __slots__ = ("data", "kind")

    def __init__(self, kind: int, data: bytes) -> None:
        self.kind, self.data = kind, data


class IncompleteError(Exception):
    """There is more of the value to come."""


def pack(value: Value) -> bytes:
    """Return a value's bytes."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, str | bytes):
        data = value.encode("utf-8", "replace") if isinstance(value, str) else value
        return _headed(len(data), (0xA0, 31), (0xD9, 0xDA, 0xDB)) + data
    if isinstance(value, Extension):
        return _extension(value)
    if isinstance(value, Mapping):
        parts = [pack(part) for pair in value.items() for part in pair]
        return _headed(len(value), (0x80, 15), (None, 0xDE, 0xDF)) + b"".join(parts)
    return _headed(len(value), (0x90, 15), (None, 0xDC, 0xDD)) + b"".join(map(pack, value))


def _headed(length: int, fixed: tuple[int, int], marks: tuple[int | None, int, int]) -> bytes:
    """Return the head of something with a length: in the mark itself, or in 1, 2 or 4 bytes."""
    base, most = fixed
    if length <= most:
        return bytes((base | length,))
    if marks[0] is not None and length < 1 << 8:
        return struct.pack(">BB", marks[0], length)
    if length < 1 << 16:
        return struct.pack(">BH", marks[1], length)
    return struct.pack(">BI", marks[2], length)


def _integer(value: int) -> bytes:
    if 0 <= value < 0x80:
        return bytes((value,))
    if value < 0:
        return struct.pack(">Bq", 0xD3, value)
    return struct.pack(">BI", 0xCE, value) if value < 1 << 32 else struct.pack(">BQ", 0xCF, value)


def _extension(value: Extension) -> bytes:
    marks = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}
    length = len(value.data)
    if length in marks:
        return struct.pack(">Bb", marks[length], value.kind) + value.data
    return struct.pack(">BBb", 0xC7, length, value.kind) + value.data


def unpack_texts(data: bytes) -> tuple[dict[str, str], int]:
    """Read a map of texts, which is what receivers answer with; return it and its length.

    Raise IncompleteError if it goes on, ValueError if it is something else.
    """
    count, at = _head(data, 0, (0x80, 15), {0xDE: ">H", 0xDF: ">I"})
    if count > _MOST_PARTS:
        raise ValueError(f"an answer of {count} parts")
    texts = []
    for _ in range(count * 2):
        length, at = _head(
            data, at, (0xA0, 31), {0xD9: ">B", 0xDA: ">H", 0xDB: ">I", 0xC4: ">B", 0xC5: ">H"}
        )
        if len(data) < at + length:
            raise IncompleteError
        texts.append(data[at : at + length].decode("utf-8", "replace"))
        at += length
    return dict(zip(texts[::2], texts[1::2], strict=True)), at


def _head(
    data: bytes, at: int, fixed: tuple[int, int], marks: Mapping[int, str]
) -> tuple[int, int]:
    """Return a length, and where what has it begins."""
    if len(data) <= at:
        raise IncompleteError
    base, most = fixed
    mark = data[at]
    if mark & ~most == base:
        return mark & most, at + 1
    form = marks.get(mark)
    if form is None:
        raise ValueError(f"an answer with the mark {mark:#04x}")
    end = at + 1 + struct.calcsize(form)
    if len(data) < end:
        raise IncompleteError
    (length,) = struct.unpack(form, data[at + 1 : end])
    return int(length), end
