"""How Go sees the values: truth, text and kinds.

Values are plain Python ones. Three stand for what Python has no word for:

- ``Record``: a Go value with fields and methods, computed on demand (a row of a listing).
- ``Struct``: a Go struct read from JSON; prints ``{a b}`` in the order of its fields, where a map
  prints ``map[k:v]`` in the order of its keys.
- ``NO_VALUE``: what an absent key of a map of anything gives; prints ``<no value>``.
"""

from collections.abc import Mapping, Sequence
from math import isfinite, isnan
from typing import Any, Protocol, runtime_checkable

from boxship.gotemplate.errors import MissingFieldError


@runtime_checkable
class Record(Protocol):
    """Something with named fields; a field may be a function, called with the arguments given."""

    def field(self, name: str) -> Any:
        """The value, or MissingFieldError."""

    def as_json(self) -> Mapping[str, Any]:
        """All fields, for ``{{json .}}``."""


class Struct(dict[str, Any]):
    """A JSON object that is a struct in Go; the keys keep their order.

    ``also`` are fields that a template can ask for although JSON leaves them out, because they
    are empty, or names them otherwise. ``order`` are all fields as Go prints them, if those of
    JSON are not all.
    """

    def __init__(
        self,
        fields: Mapping[str, Any],
        also: Mapping[str, Any] | None = None,
        order: Sequence[str] = (),
    ) -> None:
        super().__init__(fields)
        self.also = also or {}
        self.order = order

    def parts(self) -> list[Any]:
        """The values that Go prints."""
        if not self.order:
            return list(self.values())
        return [self[name] if name in self else self.also.get(name) for name in self.order]


class Moment(str):
    """A time, which JSON has by RFC 3339 and Go prints in another way."""

    __slots__ = ()

    def printed(self) -> str:
        """``2026-01-01 00:00:00.5 +0000 UTC``."""
        date, _, rest = self.partition("T")
        if rest.endswith("Z"):
            return f"{date} {rest.removesuffix('Z')} +0000 UTC"
        if len(rest) > 6 and rest[-6] in "+-":
            zone = rest[-6:].replace(":", "")
            return f"{date} {rest[:-6]} {zone} {zone}"
        return self


class NilSlice(list[Any]):
    """A nil slice: prints as an empty one, and is null in JSON."""


class NilMap(dict[str, Any]):
    """A nil map: prints as an empty one, and is null in JSON."""


class _NoValue:
    def __repr__(self) -> str:
        return "<no value>"


NO_VALUE = _NoValue()


def truth(value: Any) -> bool:
    if isinstance(value, Struct | Record):
        return True
    return value is not NO_VALUE and bool(value)


def printed(value: Any) -> str:
    """The text of ``%v``."""
    if isinstance(value, str):
        return value.printed() if isinstance(value, Moment) else value
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, Struct):
        return "{" + " ".join(printed(item) for item in value.parts()) + "}"
    if isinstance(value, Mapping):
        pairs = (f"{printed(key)}:{printed(value[key])}" for key in sorted(value))
        return f"map[{' '.join(pairs)}]"
    if isinstance(value, Sequence):
        return "[" + " ".join(printed(item) for item in value) + "]"
    return str(value)


def float_text(value: float) -> str:
    """Shortest text that reads back the same; an exponent below 1e-4 and from 1e21 on."""
    if not isfinite(value):
        return "NaN" if isnan(value) else "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    mantissa, exponent, power = text.partition("e")
    if not exponent:
        return text
    return f"{mantissa.removesuffix('.0')}e{power[0]}{power[1:].zfill(2)}"


def go_kind(value: Any) -> str:
    """The name of the type in messages."""
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "bool"),
        (int, "int"),
        (float, "float64"),
        (str, "string"),
        (Struct, "struct"),
        (Mapping, "map[string]interface {}"),
        (Sequence, "[]interface {}"),
    )
    if value is None or value is NO_VALUE:
        return "<nil>"
    return next((name for kind, name in kinds if isinstance(value, kind)), type(value).__name__)


def field_of(value: Any, name: str, *, strict: bool) -> Any:
    """``.name`` of a value. A map without the key gives NO_VALUE unless ``strict``."""
    if isinstance(value, Mapping):
        if name in value:
            return value[name]
        if isinstance(value, Struct) and name in value.also:
            return value.also[name]
        if strict or isinstance(value, Struct):
            raise MissingFieldError(f'map has no entry for key "{name}"')
        return NO_VALUE
    if isinstance(value, Record):
        return value.field(name)
    if value is None or value is NO_VALUE:
        raise MissingFieldError(f"nil data; no entry for key {name!r}".replace("'", '"'))
    raise MissingFieldError(f"can't evaluate field {name} in type {go_kind(value)}")
