"""The words of a query string, read as Docker reads them.

A parameter that is absent and one that is empty mean the same, except where a function says so.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from boxship.base.clock import parse_rfc3339
from boxship.base.errors import InvalidArgumentError
from boxship.base.moments import parse_duration, parse_moment
from boxship.model.labels import LabelFilter

Filters = Mapping[str, Sequence[str]]

_FALSE = frozenset({"", "0", "no", "false", "none"})
_SECONDS = re.compile(r"(-?\d+)(?:\.(\d{1,9})\d*)?")
_LONGEST_SIDE = 0xFFFF
_DAYS = re.compile(r"([0-9]{1,6})d")
_DAY_NS = 24 * 3600 * 1_000_000_000
_NUMBER = re.compile(r"[+-]?\d+")


def boolean(value: str | None, *, default: bool = False) -> bool:
    """Read a truth value: a few words are false, every other one is true."""
    if value is None:
        return default
    return value.strip().lower() not in _FALSE


def integer(name: str, value: str | None) -> int | None:
    """Read a number; absent or empty gives None."""
    if not value:
        return None
    if not _NUMBER.fullmatch(value):
        raise InvalidArgumentError(f'invalid {name}: "{value}" is not a number')
    return int(value)


def characters(name: str, value: str | None) -> int:
    """Read one side of a terminal's size, which must be there."""
    number = integer(name, value)
    if number is None:
        raise InvalidArgumentError(f'invalid {name}: "" is not a number')
    if not 0 <= number <= _LONGEST_SIDE:
        raise InvalidArgumentError(f"invalid {name}: {value} is not between 0 and {_LONGEST_SIDE}")
    return number


def timestamp(name: str, value: str | None) -> int:
    """Read a time in nanoseconds: ``seconds[.fraction]`` or RFC 3339; 0 when absent."""
    if not value:
        return 0
    match = _SECONDS.fullmatch(value)
    if match is not None:
        return int(match[1]) * 1_000_000_000 + int((match[2] or "0").ljust(9, "0"))
    try:
        return parse_rfc3339(value)
    except ValueError as error:
        raise InvalidArgumentError(f'invalid value for "{name}": {error}') from error


def until(given: Filters, now_ns: int) -> int | None:
    """Read the filter ``until`` of lists and prunes: a time, or a duration before now."""
    values = given.get("until", ())
    if not values:
        return None
    if len(values) > 1:
        raise InvalidArgumentError("more than one until filter specified")
    try:
        return parse_moment(values[0], now_ns)
    except ValueError as error:
        raise InvalidArgumentError(str(error)) from error


def span(given: Filters, name: str) -> int | None:
    """Read a filter that is a length of time: ``36h``, or ``7d`` for whole days; nanoseconds."""
    values = given.get(name, ())
    if not values:
        return None
    days = _DAYS.fullmatch(values[0])
    try:
        length = int(days[1]) * _DAY_NS if days else parse_duration(values[0])
    except ValueError as error:
        raise InvalidArgumentError(f"invalid filter '{name}={values[0]}': {error}") from error
    if len(values) > 1 or length < 0:
        raise InvalidArgumentError(f"invalid filter '{name}={','.join(values)}'")
    return length


def labels(given: Filters) -> LabelFilter:
    """Read the filters ``label`` and ``label!``."""
    return LabelFilter(tuple(given.get("label", ())), tuple(given.get("label!", ())))


def filters(value: str | None) -> dict[str, tuple[str, ...]]:
    """Read ``filters``: a map of lists, or the older map of maps whose true keys count."""
    if not value:
        return {}
    try:
        decoded = msgspec.json.decode(value, type=dict[str, list[str] | dict[str, bool]])
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidArgumentError(f"invalid filter: {error}") from error
    return {name: _values(values) for name, values in decoded.items()}


def _values(values: list[str] | dict[str, bool]) -> tuple[str, ...]:
    if isinstance(values, dict):
        return tuple(value for value, on in values.items() if on)
    return tuple(values)


def allow(given: Filters, allowed: frozenset[str]) -> None:
    """Refuse a filter that this list doesn't know."""
    for name in given:
        if name not in allowed:
            raise InvalidArgumentError(f"invalid filter '{name}'")


def filter_boolean(given: Filters, name: str) -> bool | None:
    """Read a filter such as ``dangling``: None when it isn't there, an error when it's no truth."""
    values = given.get(name)
    if not values:
        return None
    truths = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}
    found = {truths.get(value.lower()) for value in values}
    if None in found or len(found) != 1:
        raise InvalidArgumentError(f"invalid filter '{name}=[{' '.join(values)}]'")
    return found.pop()
