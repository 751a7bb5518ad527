"""Frozen dataclasses to plain JSON values and back, by their annotations.

Supported are str, int, float, bool, bytes (as base64), ``X | None``, ``tuple[X, ...]``,
``tuple[X, Y]``, ``dict[str, X]`` and dataclasses of these. A field may carry metadata: ``name``
(its JSON name where the rule does not give it) and ``choices`` (the texts allowed). Errors are
ValueError and name the field as a person would: ``process.rlimits[2].type: …``.

Standard library alone, because the launcher and every shim import it; converters are made once
per class, on first use.
"""

import dataclasses
import re
import types
import typing
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
Reader = Callable[[Any, str], Any]

_WORDS: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    bytes: "base64 text",
}


def camel_case(name: str) -> str:
    """``no_new_privileges`` to ``noNewPrivileges``."""
    return re.sub(r"_(.)", lambda match: match[1].upper(), name)


def same_name(name: str) -> str:
    """Leave a field's name as it is."""
    return name


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    attribute: str
    json_name: str
    default: object
    required: bool
    choices: tuple[str, ...]
    read: Reader


class Codec:
    """A rule for names, and whether unknown ones are an error or ignored."""

    def __init__(self, name_rule: Callable[[str], str], *, refuse_unknown: bool) -> None:
        self._name_rule = name_rule
        self._refuse_unknown = refuse_unknown
        self._fields: dict[type, tuple[_Field, ...]] = {}

    def to_plain(self, value: object) -> Any:
        """Return what ``json.dumps`` takes; fields at their default are left out."""
        if value is None or isinstance(value, (str, int, float)):
            return value
        if isinstance(value, bytes):
            return b64encode(value).decode()
        if isinstance(value, tuple):
            return [self.to_plain(item) for item in value]
        if isinstance(value, dict):
            return {key: self.to_plain(item) for key, item in value.items()}
        return {
            field.json_name: self.to_plain(current)
            for field in self._fields_of(type(value))
            if (current := getattr(value, field.attribute)) != field.default or field.required
        }

    def from_plain(self, kind: type[T], plain: object, where: str = "") -> T:
        """Build a ``kind`` from what ``json.loads`` gave."""
        return typing.cast("T", self._read_dataclass(kind, plain, where))

    def _fields_of(self, kind: type) -> tuple[_Field, ...]:
        known = self._fields.get(kind)
        if known is None:
            hints = typing.get_type_hints(kind)
            known = tuple(self._field(field, hints) for field in dataclasses.fields(kind))
            self._fields[kind] = known
        return known

    def _field(self, field: "dataclasses.Field[Any]", hints: dict[str, Any]) -> _Field:
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        return _Field(
            attribute=field.name,
            json_name=field.metadata.get("name") or self._name_rule(field.name),
            default=default,
            required=default is dataclasses.MISSING,
            choices=field.metadata.get("choices", ()),
            read=self._reader(hints[field.name]),
        )

    def _read_dataclass(self, kind: type, plain: object, where: str) -> object:
        if not isinstance(plain, dict):
            raise ValueError(f"{where or 'document'}: an object expected")  # noqa: TRY004
        values: dict[str, Any] = {}
        fields = self._fields_of(kind)
        for field in fields:
            path = f"{where}.{field.json_name}" if where else field.json_name
            value = plain.get(field.json_name)
            if value is None:
                if field.required:
                    raise ValueError(f"{path}: missing")
                continue
            values[field.attribute] = result = field.read(value, path)
            if field.choices:
                _check_choice(result, field.choices, path)
        if self._refuse_unknown and len(plain) > len(values):
            _refuse_unknown(plain, {field.json_name for field in fields}, where)
        return kind(**values)

    def _reader(self, kind: Any) -> Reader:
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin is tuple:
            return self._tuple_reader(arguments)
        if origin is dict:
            return self._dict_reader(arguments[1])
        if origin in (types.UnionType, typing.Union):
            (inner,) = (argument for argument in arguments if argument is not type(None))
            return self._reader(inner)
        if dataclasses.is_dataclass(kind):
            return lambda plain, where: self._read_dataclass(
                typing.cast("type", kind), plain, where
            )
        return _scalar_reader(kind)

    def _tuple_reader(self, arguments: tuple[Any, ...]) -> Reader:
        many = len(arguments) == 2 and arguments[1] is Ellipsis
        readers = [self._reader(argument) for argument in arguments if argument is not Ellipsis]

        def read(plain: Any, where: str) -> Any:
            if not isinstance(plain, list):
                raise ValueError(f"{where}: a list expected")  # noqa: TRY004
            if not many and len(plain) != len(readers):
                raise ValueError(f"{where}: a list of {len(readers)} expected")
            each = readers * len(plain) if many else readers
            return tuple(
                reader(item, f"{where}[{n}]")
                for n, (reader, item) in enumerate(zip(each, plain, strict=False))
            )

        return read

    def _dict_reader(self, kind: Any) -> Reader:
        reader = self._reader(kind)

        def read(plain: Any, where: str) -> Any:
            if not isinstance(plain, dict):
                raise ValueError(f"{where}: an object expected")  # noqa: TRY004
            return {key: reader(value, f"{where}.{key}") for key, value in plain.items()}

        return read


def _scalar_reader(kind: Any) -> Reader:
    def read(plain: Any, where: str) -> Any:
        if kind is float and type(plain) is int:
            return float(plain)
        if type(plain) is not (str if kind is bytes else kind):
            raise ValueError(f"{where}: {_WORDS[kind]} expected, not {plain!r}")
        return b64decode(plain, validate=True) if kind is bytes else plain

    if kind not in _WORDS:
        raise TypeError(f"no JSON form for {kind}")
    return read


def _check_choice(value: object, choices: tuple[str, ...], where: str) -> None:
    for item in value if isinstance(value, tuple) else (value,):
        if item not in choices:
            raise ValueError(f"{where}: {item!r} is none of {', '.join(choices)}")


def _refuse_unknown(plain: dict[str, Any], known: set[str], where: str) -> None:
    for name, value in plain.items():
        if name not in known and value is not None:
            raise ValueError(f"{where}.{name}: unknown field" if where else f"{name}: unknown")
