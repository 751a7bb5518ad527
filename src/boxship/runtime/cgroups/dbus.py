"""As much of D-Bus as asking systemd for a unit takes: messages as bytes, without I/O.

Types are D-Bus signatures: ``s``, ``o``, ``g`` are str, ``u``, ``i``, ``t``, ``x`` int, ``b`` bool,
``ax`` a list of ``x``, ``(…)`` a tuple, ``v`` a pair of signature and value. Little-endian, as we
write; what the bus writes may be either. One call at a time, so answers are matched by serial
number alone.
"""

import struct
from typing import Any

from boxship.base.frozen import dataclass

METHOD_CALL, METHOD_RETURN, ERROR, SIGNAL = 1, 2, 3, 4

_SIZES = {"y": 1, "b": 4, "u": 4, "i": 4, "t": 8, "x": 8}
_CODES = {"y": "B", "b": "I", "u": "I", "i": "i", "t": "Q", "x": "q"}
_PATH, _INTERFACE, _MEMBER, _ERROR_NAME, _REPLY, _DESTINATION, _SENDER, _SIGNATURE = range(1, 9)
_FIELDS = "a(yv)"
_FIXED = 16


@dataclass(frozen=True, slots=True)
class Message:
    """A message of any kind; ``reply`` is the serial number that it answers."""

    kind: int
    serial: int = 0
    path: str = ""
    interface: str = ""
    member: str = ""
    destination: str = ""
    error: str = ""
    reply: int = 0
    signature: str = ""
    body: tuple[Any, ...] = ()


def encode(message: Message) -> bytes:
    """Return the message as bytes."""
    body = bytearray()
    for kind, value in zip(split(message.signature), message.body, strict=True):
        _put(body, kind, value)
    fields = [
        (number, (kind, value))
        for number, kind, value in (
            (_PATH, "o", message.path),
            (_INTERFACE, "s", message.interface),
            (_MEMBER, "s", message.member),
            (_ERROR_NAME, "s", message.error),
            (_REPLY, "u", message.reply),
            (_DESTINATION, "s", message.destination),
            (_SIGNATURE, "g", message.signature),
        )
        if value
    ]
    head = bytearray(struct.pack("<cBBBII", b"l", message.kind, 0, 1, len(body), message.serial))
    _put(head, _FIELDS, fields)
    _pad(head, 8)
    return bytes(head + body)


def wanted(data: bytes) -> int:
    """Return how many bytes the message that ``data`` begins with has; at least 16 to tell."""
    if len(data) < _FIXED:
        return _FIXED
    order = "<" if data[:1] == b"l" else ">"
    body, _, fields = struct.unpack_from(f"{order}III", data, 4)
    return int(_FIXED + fields + -(_FIXED + fields) % 8 + body)


def decode(data: bytes) -> Message:
    """Read a whole message; raise ValueError when it is none."""
    try:
        reader = _Reader(data, "<" if data[:1] == b"l" else ">")
        _, kind, _, _, _, serial = struct.unpack_from(f"{reader.order}cBBBII", data)
        reader.at = 12
        fields = {number: value[1] for number, value in reader.take(_FIELDS)}
        reader.align(8)
        signature = fields.get(_SIGNATURE, "")
        body = tuple(reader.take(each) for each in split(signature))
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise ValueError(f"not a D-Bus message: {error}") from None
    return Message(
        kind,
        serial,
        path=fields.get(_PATH, ""),
        interface=fields.get(_INTERFACE, ""),
        member=fields.get(_MEMBER, ""),
        destination=fields.get(_DESTINATION, ""),
        error=fields.get(_ERROR_NAME, ""),
        reply=fields.get(_REPLY, 0),
        signature=signature,
        body=body,
    )


def split(signature: str) -> list[str]:
    """Split into complete types: ``sa(sv)u`` to ``s``, ``a(sv)``, ``u``."""
    types, at = [], 0
    while at < len(signature):
        end = _end_of_type(signature, at)
        types.append(signature[at:end])
        at = end
    return types


def _end_of_type(signature: str, at: int) -> int:
    while signature[at] == "a":
        at += 1
    if signature[at] != "(":
        return at + 1
    depth = 0
    for position in range(at, len(signature)):
        depth += {"(": 1, ")": -1}.get(signature[position], 0)
        if depth == 0:
            return position + 1
    raise ValueError(f"a bracket is not closed in {signature!r}")


def _alignment(kind: str) -> int:
    return {"(": 8, "a": 4, "s": 4, "o": 4, "v": 1, "g": 1}.get(kind[0]) or _SIZES[kind[0]]


def _pad(out: bytearray, alignment: int) -> None:
    out += bytes(-len(out) % alignment)


def _put(out: bytearray, kind: str, value: Any) -> None:
    _pad(out, _alignment(kind))
    if kind in _CODES:
        out += struct.pack(f"<{_CODES[kind]}", int(value))
    elif kind in ("s", "o"):
        raw = value.encode()
        out += struct.pack("<I", len(raw)) + raw + b"\0"
    elif kind == "g":
        out += bytes([len(value)]) + value.encode() + b"\0"
    elif kind == "v":
        _put(out, "g", value[0])
        _put(out, value[0], value[1])
    elif kind[0] == "(":
        for each, item in zip(split(kind[1:-1]), value, strict=True):
            _put(out, each, item)
    else:
        _put_array(out, kind[1:], value)


def _put_array(out: bytearray, kind: str, items: Any) -> None:
    place = len(out)
    out += bytes(4)
    _pad(out, _alignment(kind))
    start = len(out)
    for item in items:
        _put(out, kind, item)
    struct.pack_into("<I", out, place, len(out) - start)


class _Reader:
    """Values from bytes, in turn."""

    def __init__(self, data: bytes, order: str) -> None:
        self._data, self.order, self.at = data, order, 0

    def align(self, alignment: int) -> None:
        self.at += -self.at % alignment

    def take(self, kind: str) -> Any:
        self.align(_alignment(kind))
        if kind in _CODES:
            (value,) = struct.unpack_from(f"{self.order}{_CODES[kind]}", self._data, self.at)
            self.at += _SIZES[kind]
            return bool(value) if kind == "b" else value
        if kind in ("s", "o"):
            return self._text(self.take("u"))
        if kind == "g":
            return self._text(self.take("y"))
        if kind == "v":
            inner = self.take("g")
            return inner, self.take(inner)
        if kind[0] == "(":
            return tuple(self.take(each) for each in split(kind[1:-1]))
        return self._array(kind[1:])

    def _text(self, length: int) -> str:
        text = self._data[self.at : self.at + length].decode()
        self.at += length + 1
        return text

    def _array(self, kind: str) -> list[Any]:
        length = self.take("u")
        self.align(_alignment(kind))
        end, items = self.at + length, []
        if end > len(self._data):
            raise ValueError("an array goes beyond the message")
        while self.at < end:
            items.append(self.take(kind))
        return items
