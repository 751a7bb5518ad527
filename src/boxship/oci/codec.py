"""Frozen dataclasses to plain JSON values and back, by their annotations.

Supported are str, int, float, bool, bytes (as base64), ``X | None``, ``tuple[X, ...]``,
``tuple[X, Y]``, ``dict[str, X]`` and dataclasses of these. A field may carry metadata: ``name``
(its JSON name where the rule does not give it), ``choices`` (the texts allowed) and ``limits``
(the least and the greatest number allowed). Errors are ValueError and name the field as a person
would: ``process.rlimits[2].type: …``.

Standard library alone, because the launcher and every shim import it; converters are made once
per class, on first use.
"""

from __future__ import annotations

from boxship.base.frozen import MISSING, fields_of, has_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")
    Reader = Callable[[Any], Any]

_UNION = type(int | None)

_WORDS: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    bytes: "base64 text",
}


def camel_case(name: str) -> str:
    """``no_new_privileges`` to ``noNewPrivileges``."""
    if "_" not in name:
        return name
    first, *others = name.split("_")
    return first + "".join(other[:1].upper() + other[1:] for other in others)


def same_name(name: str) -> str:
    """Leave a field's name as it is."""
    return name


class _Field:
    """One field and its reader; by hand, because a spec's reading makes a hundred of them."""

    __slots__ = ("attribute", "choices", "default", "json_name", "limits", "read", "required")

    def __init__(self, attribute: str, json_name: str, default: object, read: Reader) -> None:
        self.attribute, self.json_name, self.default, self.read = (
            attribute, json_name, default, read,
        )  # fmt: skip
        self.required = default is MISSING
        self.choices: tuple[str, ...] = ()
        self.limits: tuple[int, int] | None = None


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
            from binascii import b2a_base64

            return b2a_base64(value, newline=False).decode()
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
        """Build a ``kind`` from what ``json.loads`` gave; raise ValueError naming the field."""
        try:
            made: T = self._read_dataclass(kind, plain)
        except _WrongError as wrong:
            path = f"{where}{''.join(reversed(wrong.path))}".lstrip(".") or "document"
            raise ValueError(f"{path}: {wrong}") from None
        return made

    def prepare(self, kind: type) -> None:
        """Build the reader of ``kind`` and of all it consists of now instead of on first use."""
        for field in fields_of(kind):
            for inner in _dataclasses_in(_hints(kind)[field.name]):
                self.prepare(inner)
        self._fields_of(kind)

    def prepared(self) -> tuple[type, ...]:
        """Return the classes whose readers have been built."""
        return tuple(self._fields)

    def _fields_of(self, kind: type) -> tuple[_Field, ...]:
        known = self._fields.get(kind)
        if known is None:
            hints = _hints(kind)
            known = tuple(self._field(field, hints) for field in fields_of(kind))
            self._fields[kind] = known
        return known

    def _field(self, field: Any, hints: dict[str, Any]) -> _Field:
        default = field.default
        if field.default_factory is not MISSING:
            default = field.default_factory()
        metadata = field.metadata
        name = metadata.get("name") or self._name_rule(field.name)
        made = _Field(field.name, name, default, self._reader(hints[field.name]))
        if metadata:
            made.choices, made.limits = metadata.get("choices", ()), metadata.get("limits")
        return made

    def _read_dataclass(self, kind: type, plain: object) -> Any:
        if type(plain) is not dict:
            raise _WrongError("an object expected")
        values: dict[str, Any] = {}
        fields = self._fields_of(kind)
        for field in fields:
            value = plain.get(field.json_name)
            if value is None:
                if field.required:
                    raise _WrongError("missing", f".{field.json_name}")
                continue
            try:
                values[field.attribute] = result = field.read(value)
                if field.choices:
                    _check_choice(result, field.choices)
                if field.limits:
                    _check_limits(result, field.limits)
            except _WrongError as wrong:
                wrong.path.append(f".{field.json_name}")
                raise
        if self._refuse_unknown and len(plain) > len(values):
            _refuse_unknown(plain, {field.json_name for field in fields})
        return kind(**values)

    def _reader(self, kind: Any) -> Reader:
        origin, arguments = getattr(kind, "__origin__", type(kind)), _arguments(kind)
        if origin is tuple:
            return self._tuple_reader(arguments)
        if origin is dict:
            return self._dict_reader(arguments[1])
        if origin is _UNION:
            (inner,) = (argument for argument in arguments if argument is not type(None))
            return self._reader(inner)
        if has_fields(kind):
            return lambda plain: self._read_dataclass(kind, plain)
        return _scalar_reader(kind)

    def _tuple_reader(self, arguments: tuple[Any, ...]) -> Reader:
        many = len(arguments) == 2 and arguments[1] is Ellipsis
        readers = [self._reader(argument) for argument in arguments if argument is not Ellipsis]

        def read(plain: Any) -> Any:
            if type(plain) is not list:
                raise _WrongError("a list expected")
            if not many and len(plain) != len(readers):
                raise _WrongError(f"a list of {len(readers)} expected")
            result = []
            for n, item in enumerate(plain):
                try:
                    result.append(readers[0 if many else n](item))
                except _WrongError as wrong:
                    wrong.path.append(f"[{n}]")
                    raise
            return tuple(result)

        return read

    def _dict_reader(self, kind: Any) -> Reader:
        reader = self._reader(kind)

        def read(plain: Any) -> Any:
            if type(plain) is not dict:
                raise _WrongError("an object expected")
            result = {}
            for key, value in plain.items():
                try:
                    result[key] = reader(value)
                except _WrongError as wrong:
                    wrong.path.append(f".{key}")
                    raise
            return result

        return read


class _WrongError(Exception):
    """A value is not what it should be; ``path`` grows on the way up, innermost part first.

    Paths are only made when something is wrong: a plan is read at every start of a container.
    """

    def __init__(self, message: str, part: str = "") -> None:
        super().__init__(message)
        self.path = [part] if part else []


def _hints(kind: type) -> dict[str, Any]:
    hints = {field.name: field.type for field in fields_of(kind)}
    if any(isinstance(hint, str) for hint in hints.values()):
        import typing

        return typing.get_type_hints(kind)
    return hints


def _arguments(kind: Any) -> tuple[Any, ...]:
    """Return what stands in the brackets of a type, or between its ``|``."""
    arguments: tuple[Any, ...] = getattr(kind, "__args__", ())
    return arguments


def _dataclasses_in(kind: Any) -> list[type]:
    if has_fields(kind):
        return [kind]
    return [found for each in _arguments(kind) for found in _dataclasses_in(each)]


_SCALARS: dict[Any, Reader] = {}


def _scalar_reader(kind: Any) -> Reader:
    if (known := _SCALARS.get(kind)) is not None:
        return known
    if kind not in _WORDS:
        raise TypeError(f"no JSON form for {kind}")

    def read(plain: Any) -> Any:
        if type(plain) is not kind:
            if kind is float and type(plain) is int:
                return float(plain)
            raise _WrongError(f"{_WORDS[kind]} expected, not {plain!r}")
        return plain

    return {bytes: _read_bytes, str: _read_text}.get(kind, read)


def _read_text(plain: Any) -> str:
    if type(plain) is not str:
        raise _WrongError(f"{_WORDS[str]} expected, not {plain!r}")
    if "\0" in plain:
        # No system call takes it, and each would say so in words of its own.
        raise _WrongError(f"text without NUL expected, not {plain!r}")
    return plain


def _read_bytes(plain: Any) -> bytes:
    from binascii import a2b_base64

    try:
        return a2b_base64(plain.encode("ascii"), strict_mode=True)
    except (AttributeError, ValueError):
        raise _WrongError(f"{_WORDS[bytes]} expected") from None


def _check_choice(value: object, choices: tuple[str, ...]) -> None:
    for item in value if isinstance(value, tuple) else (value,):
        if item not in choices:
            raise _WrongError(f"{item!r} is none of {', '.join(choices)}")


def _check_limits(value: Any, limits: tuple[int, int]) -> None:
    least, most = limits
    for item in value if isinstance(value, tuple) else (value,):
        if not least <= item <= most:
            raise _WrongError(f"{item} is not between {least} and {most}")


def _refuse_unknown(plain: dict[str, Any], known: set[str]) -> None:
    for name, value in plain.items():
        if name not in known and value is not None:
            raise _WrongError("unknown field", f".{name}")
