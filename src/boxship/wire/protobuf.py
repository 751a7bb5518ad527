"""Protocol buffers, as far as BuildKit's messages go: structs in, bytes out, and back.

A message is a frozen struct whose fields carry their number::

    class Range(Message, frozen=True):
        start: Annotated[Position | None, 1] = None
        end: Annotated[Position | None, 2] = None

The type of a field decides how it is written (https://protobuf.dev/programming-guides/encoding):

    ============================  ======================================================
    ``int``, ``bool``             varint; negative numbers take ten bytes, as int64 does
    ``str``, ``bytes``            length-delimited
    a message, or None            length-delimited; None is not written
    ``tuple[T, ...]``             repeated; numbers are read packed or not, written packed
    ``dict[K, V]``                map, written in the order of its keys
    ============================  ======================================================

Fields with their type's zero are not written (proto3). Unknown fields are skipped. There are no
fixed-width numbers and no groups in these messages; as unknown fields the former are skipped.

The tables are made when a class is first used, not when it is imported.
"""

from collections.abc import Callable
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from msgspec import Struct

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_INT64 = 1 << 63
_UINT64 = 1 << 64


class DecodeError(ValueError):
    """The bytes are not a message of that type; the text says where it broke off."""


class Message(Struct, frozen=True):
    """Base of every message."""


M = TypeVar("M", bound=Message)
Write = Callable[[bytearray, Any], None]


# ── numbers ──────────────────────────────────────────────────────────────────────────────────


def _put_varint(out: bytearray, value: int) -> None:
    if value < 0:
        value += _UINT64
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _get_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number as 64 unsigned bits, and where it ends."""
    value = shift = 0
    while True:
        try:
            byte = data[at]
        except IndexError:
            raise DecodeError("a number is cut short") from None
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (_UINT64 - 1), at
        shift += 7
        if shift > 63:
            raise DecodeError("a number is longer than 64 bits")


def _signed(value: int) -> int:
    return value - _UINT64 if value >= _INT64 else value


# ── encoding ─────────────────────────────────────────────────────────────────────────────────


def encode(message: Message) -> bytes:
    """Return the message's bytes; equal messages have equal bytes."""
    out = bytearray()
    for name, write in _writers(type(message)):
        value = getattr(message, name)
        if value:  # as messages are, an empty one too
            write(out, value)
    return bytes(out)


@cache
def _writers(cls: type[Message]) -> tuple[tuple[str, Write], ...]:
    return tuple((name, _writer(number, hint)) for name, number, hint in _fields(cls))


def _writer(number: int, hint: Any) -> Write:
    origin = get_origin(hint)
    if origin is tuple:
        return _repeated_writer(number, get_args(hint)[0])
    if origin is dict:
        return _map_writer(number, *get_args(hint))
    if hint in (int, bool):
        tag = _tag(number, _VARINT)

        def number_writer(out: bytearray, value: int) -> None:
            out += tag
            if 0 < value < 0x80:
                out.append(value)
            else:
                _put_varint(out, value)

        return number_writer
    tag, to_bytes = _tag(number, _BYTES), _encoder(hint)

    def bytes_writer(out: bytearray, value: Any) -> None:
        data = to_bytes(value)
        out += tag
        if len(data) < 0x80:
            out.append(len(data))
        else:
            _put_varint(out, len(data))
        out += data

    return bytes_writer


def _repeated_writer(number: int, member: Any) -> Write:
    if member is int:
        tag = _tag(number, _BYTES)

        def packed(out: bytearray, values: tuple[int, ...]) -> None:
            data = bytearray()
            for value in values:
                _put_varint(data, value)
            out += tag
            _put_varint(out, len(data))
            out += data

        return packed
    write = _writer(number, member)

    def repeated(out: bytearray, values: tuple[Any, ...]) -> None:
        for value in values:
            write(out, value)

    return repeated


def _map_writer(number: int, key: Any, value: Any) -> Write:
    tag, put_key, put_value = _tag(number, _BYTES), _writer(1, key), _writer(2, value)

    def mapping(out: bytearray, members: dict[Any, Any]) -> None:
        for name in sorted(members):
            entry = bytearray()
            put_key(entry, name)
            put_value(entry, members[name])
            out.extend(tag)
            _put_varint(out, len(entry))
            out.extend(entry)

    return mapping


def _encoder(hint: Any) -> Callable[[Any], bytes]:
    if hint is str:
        return _utf8
    return bytes if hint is bytes else encode


def _utf8(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _tag(number: int, kind: int) -> bytes:
    out = bytearray()
    _put_varint(out, number << 3 | kind)
    return bytes(out)


# ── decoding ─────────────────────────────────────────────────────────────────────────────────

_ONE, _MANY, _MAP = 0, 1, 2


def decode(data: bytes, cls: type[M]) -> M:
    """Read a message. DecodeError says what is wrong with the bytes."""
    readers = _readers(cls)
    values: dict[str, Any] = {}
    at, end = 0, len(data)
    while at < end:
        key = data[at]
        at += 1
        if key > 0x7F:
            key, at = _get_varint(data, at - 1)
        found = readers.get(key)
        if found is None:
            at = _skip(data, at, key)
            continue
        name, shape, read = found
        value, at = _get_varint(data, at)
        if key & 7 == _BYTES:
            start, at = at, at + value
            if at > end:
                raise DecodeError(f"{cls.__name__}.{name} is cut short")
            value = read(data[start:at])
        else:
            value = read(value)
        if shape == _ONE:
            values[name] = value
        elif shape == _MANY:
            values.setdefault(name, []).extend(value)
        else:
            values.setdefault(name, {}).update(value)
    for name in _repeated(cls):
        if name in values:
            values[name] = tuple(values[name])
    return cls(**values)


def _skip(data: bytes, at: int, key: int) -> int:
    kind = key & 7
    if kind == _VARINT:
        return _get_varint(data, at)[1]
    if kind == _BYTES:
        length, at = _get_varint(data, at)
        at += length
    elif kind in (_FIXED64, _FIXED32):
        at += 8 if kind == _FIXED64 else 4
    else:
        raise DecodeError(f"field {key >> 3} has the unknown wire type {kind}")
    if at > len(data):
        raise DecodeError(f"field {key >> 3} is cut short")
    return at


@cache
def _readers(cls: type[Message]) -> dict[int, tuple[str, int, Callable[[Any], Any]]]:
    """Return what to do with each key (field number and wire type) of a message."""
    readers: dict[int, tuple[str, int, Callable[[Any], Any]]] = {}
    for name, number, hint in _fields(cls):
        origin = get_origin(hint)
        if origin is dict:
            readers[number << 3 | _BYTES] = name, _MAP, _map_reader(*get_args(hint))
        elif origin is tuple:
            member = get_args(hint)[0]
            kind, read = _reader(member)
            readers[number << 3 | kind] = name, _MANY, _one_of(read)
            if kind == _VARINT:
                readers[number << 3 | _BYTES] = name, _MANY, _packed_reader(read)
        else:
            kind, read = _reader(hint)
            readers[number << 3 | kind] = name, _ONE, read
    return readers


@cache
def _repeated(cls: type[Message]) -> tuple[str, ...]:
    return tuple(name for name, _, hint in _fields(cls) if get_origin(hint) is tuple)


def _reader(hint: Any) -> tuple[int, Callable[[Any], Any]]:
    if hint is bool:
        return _VARINT, bool
    if hint is int:
        return _VARINT, _signed
    if hint is str:
        return _BYTES, _text
    if hint is bytes:
        return _BYTES, bytes
    return _BYTES, lambda data: decode(data, hint)


def _text(data: bytes) -> str:
    # Names of files are bytes; whoever sends them as strings sends what isn't UTF-8 as well.
    return data.decode("utf-8", "surrogateescape")


def _one_of(read: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    return lambda value: [read(value)]


def _packed_reader(read: Callable[[Any], Any]) -> Callable[[bytes], list[Any]]:
    def packed(data: bytes) -> list[Any]:
        values, at = [], 0
        while at < len(data):
            value, at = _get_varint(data, at)
            values.append(read(value))
        return values

    return packed


def _map_reader(key: Any, value: Any) -> Callable[[bytes], dict[Any, Any]]:
    (key_kind, read_key), (value_kind, read_value) = _reader(key), _reader(value)
    readers = {1 << 3 | key_kind: (0, read_key), 2 << 3 | value_kind: (1, read_value)}

    def entry(data: bytes) -> dict[Any, Any]:
        pair = [key(), value()]
        at = 0
        while at < len(data):
            field, at = _get_varint(data, at)
            found = readers.get(field)
            if found is None:
                at = _skip(data, at, field)
                continue
            number, at = _get_varint(data, at)
            if field & 7 == _BYTES:
                start, at = at, at + number
                if at > len(data):
                    raise DecodeError("an entry of a map is cut short")
                pair[found[0]] = found[1](data[start:at])
            else:
                pair[found[0]] = found[1](number)
        return {pair[0]: pair[1]}

    return entry


# ── tables ───────────────────────────────────────────────────────────────────────────────────


@cache
def _fields(cls: type[Message]) -> tuple[tuple[str, int, Any], ...]:
    """Return name, number and type of each field, by number."""
    rows = []
    for name, annotated in get_type_hints(cls, include_extras=True).items():
        hint, number = get_args(annotated)
        if get_origin(hint) is UnionType:
            hint = next(member for member in get_args(hint) if member is not NoneType)
        rows.append((name, number, hint))
    return tuple(sorted(rows, key=lambda row: row[1]))
