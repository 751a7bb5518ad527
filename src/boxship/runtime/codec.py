"""Frozen dataclasses to plain JSON values and back, without a dependency.

Plans travel from the daemon to the shim as JSON. The types are ours on both sides, so a mismatch
is a defect or a version skew and raises ``ValueError`` naming the field. Supported: str, int,
bool, bytes (base64), ``X | None``, ``tuple[X, ...]``, ``tuple[X, Y]``, nested dataclasses.
Converters are built once per class and kept.
"""

import dataclasses
import types
import typing
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")
Reader = Callable[[Any, str], Any]


def to_plain(value: object) -> Any:
    """Return ``value`` as what ``json.dumps`` takes; fields at their default are left out."""
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            name: to_plain(current)
            for name, default in _defaults(type(value))
            if (current := getattr(value, name)) != default
        }
    raise TypeError(f"{type(value).__name__} cannot travel in a plan")


def from_plain(kind: type[T], plain: object, where: str = "plan") -> T:
    """Build a ``kind`` from what ``json.loads`` gave; raise ValueError naming the field."""
    result: T = _reader(typing.cast("typing.Hashable", kind))(plain, where)
    return result


@cache
def _defaults(kind: type) -> tuple[tuple[str, object], ...]:
    fields = dataclasses.fields(kind)
    return tuple((field.name, field.default) for field in fields)


@cache
def _reader(kind: Any) -> Reader:
    origin = typing.get_origin(kind)
    if origin is tuple:
        return _tuple_reader(typing.get_args(kind))
    if origin in (types.UnionType, typing.Union):
        (inner,) = (arg for arg in typing.get_args(kind) if arg is not type(None))
        return _optional_reader(_reader(inner))
    if dataclasses.is_dataclass(kind):
        return _dataclass_reader(typing.cast("type", kind))
    if kind is bytes:
        return _read_bytes
    if kind in (str, int, bool):
        return _scalar_reader(kind)
    raise TypeError(f"{kind} cannot travel in a plan")


def _read_bytes(plain: Any, where: str) -> bytes:
    if not isinstance(plain, str):
        raise ValueError(f"{where}: base64 text expected")  # noqa: TRY004
    return b64decode(plain, validate=True)


def _scalar_reader(kind: type) -> Reader:
    def read(plain: Any, where: str) -> Any:
        if type(plain) is not kind:
            raise ValueError(f"{where}: {kind.__name__} expected, not {type(plain).__name__}")
        return plain

    return read


def _optional_reader(inner: Reader) -> Reader:
    return lambda plain, where: None if plain is None else inner(plain, where)


def _tuple_reader(arguments: tuple[Any, ...]) -> Reader:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        item = _reader(arguments[0])

        def read_many(plain: Any, where: str) -> Any:
            if not isinstance(plain, list):
                raise ValueError(f"{where}: list expected")  # noqa: TRY004
            return tuple(item(each, f"{where}[{n}]") for n, each in enumerate(plain))

        return read_many
    items = tuple(_reader(argument) for argument in arguments)

    def read_fixed(plain: Any, where: str) -> Any:
        if not isinstance(plain, list) or len(plain) != len(items):
            raise ValueError(f"{where}: list of {len(items)} expected")
        return tuple(read(each, where) for read, each in zip(items, plain, strict=True))

    return read_fixed


def _dataclass_reader(kind: type) -> Reader:
    hints = typing.get_type_hints(kind)
    readers: dict[str, Reader] = {}

    def read(plain: Any, where: str) -> Any:
        if not isinstance(plain, dict):
            raise ValueError(f"{where}: object expected")  # noqa: TRY004
        values = {}
        for name, value in plain.items():
            if name not in hints:
                raise ValueError(f"{where}.{name}: unknown field")
            reader = readers.get(name)
            if reader is None:
                reader = readers[name] = _reader(hints[name])
            values[name] = reader(value, f"{where}.{name}")
        try:
            return kind(**values)
        except TypeError as error:
            raise ValueError(f"{where}: {error}") from None

    return read
