"""From one type of value to another, as HCL does where a certain type is needed."""

import re

from boxship.cli.bake.hcl.scanner import whole
from boxship.cli.bake.hcl.syntax import Value

_NUMBER = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?")


class ConversionError(ValueError):
    """The value can't be of that type."""


def kind_of(value: Value) -> str:
    """Return the name of a value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "list" if isinstance(value, tuple) else "object"


def to_string(value: Value) -> str:
    """Return a text: of numbers the shortest that is exact, of booleans true and false."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return format(value, ".15g")
    raise ConversionError(f"a string is required, not {article(value)}")


def to_number(value: Value) -> int | float:
    """Return a number, also of a text that is one."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return whole(float(value)) if value.strip("-0123456789") else int(value)
    raise ConversionError(f"a number is required, not {article(value)}")


def to_bool(value: Value) -> bool:
    """Return a boolean, also of the texts true, false, 1 and 0."""
    if isinstance(value, bool):
        return value
    if value in ("true", "1"):
        return True
    if value in ("false", "0"):
        return False
    raise ConversionError(f"a bool is required, not {article(value)}")


def to_list(value: Value) -> tuple[Value, ...]:
    """Return the elements of a list, the values of an object."""
    if isinstance(value, tuple):
        return value
    if isinstance(value, dict):
        return tuple(value[key] for key in sorted(value))
    raise ConversionError(f"a list is required, not {article(value)}")


def to_object(value: Value) -> dict[str, Value]:
    """Return an object."""
    if isinstance(value, dict):
        return value
    raise ConversionError(f"an object is required, not {article(value)}")


def article(value: Value) -> str:
    """Return "a string", "an object" and so on."""
    kind = kind_of(value)
    return kind if kind == "null" else f"an {kind}" if kind == "object" else f"a {kind}"


def unified(one: Value, other: Value) -> Value:
    """Return ``one`` in the type that it has in common with ``other``, for ``?:``."""
    if isinstance(other, str) and isinstance(one, bool | int | float):
        return to_string(one)
    return one
