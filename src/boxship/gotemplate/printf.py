"""Go's formatting verbs: ``%[flags][width][.precision]verb``."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from boxship.gotemplate.quoting import quote
from boxship.gotemplate.values import float_text, go_kind, printed

_DIRECTIVE = re.compile(r"%([-+# 0]*)(\d+|\*)?(?:\.(\d+|\*)?)?(.)?", re.DOTALL)


_LARGEST = 1_000_000
"""Go takes no greater width or precision, lest a few characters fill the memory."""


def _is_too_large(number: str | None) -> bool:
    return number is not None and number.isdigit() and int(number[:8]) > _LARGEST


def sprintf(template: str, arguments: Sequence[Any]) -> str:
    """Wrong or missing arguments are shown in the text, as Go does, never raised."""
    supply = iter(arguments)
    used = 0

    def take() -> Any:
        nonlocal used
        used += 1
        return next(supply)

    def expand(match: re.Match[str]) -> str:
        flags, width, precision, verb = match.groups()
        if verb is None or _is_too_large(width) or _is_too_large(precision):
            return "%!(NOVERB)"
        if verb == "%":
            return "%"
        try:
            wide = int(take()) if width == "*" else int(width or 0)
            has_precision = "." in match[0][:-1]
            exact = int(take()) if precision == "*" else int(precision or 0)
            value = take()
        except StopIteration:
            return f"%!{verb}(MISSING)"
        if abs(wide) > _LARGEST or abs(exact) > _LARGEST:
            return "%!(BADWIDTH)" if abs(wide) > _LARGEST else "%!(BADPREC)"
        text = _formatted(verb, flags, value, exact if has_precision else None)
        return _pad(text, flags, wide, numeric=isinstance(value, int | float))

    result = _DIRECTIVE.sub(expand, template)
    extra = list(_extra(supply))
    return f"{result}%!(EXTRA {', '.join(extra)})" if extra else result


def _extra(supply: Iterator[Any]) -> Iterator[str]:
    for value in supply:
        yield f"{go_kind(value)}={printed(value)}"


def _pad(text: str, flags: str, width: int, *, numeric: bool) -> str:
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags and numeric:
        sign = text[:1] if text[:1] in ("+", "-") else ""
        return sign + text[len(sign) :].rjust(width - len(sign), "0")
    return text.rjust(width)


def _formatted(verb: str, flags: str, value: Any, precision: int | None) -> str:
    if isinstance(value, list | tuple) and verb in "sdqxX":
        return "[" + " ".join(_formatted(verb, flags, item, precision) for item in value) + "]"
    if verb == "v":
        return quote(value) if "#" in flags and isinstance(value, str) else printed(value)
    if verb == "T":
        return go_kind(value)
    if verb == "t" and isinstance(value, bool):
        return printed(value)
    if isinstance(value, str):
        return _formatted_text(verb, value, precision)
    if isinstance(value, int) and not isinstance(value, bool):
        return _formatted_integer(verb, flags, value, precision)
    if isinstance(value, float):
        return _formatted_float(verb, flags, value, precision)
    if verb == "s" and value is not None and not isinstance(value, bool):
        return printed(value)
    return _wrong(verb, value)


def _wrong(verb: str, value: Any) -> str:
    if value is None:
        return f"%!{verb}(<nil>)"
    return f"%!{verb}({go_kind(value)}={printed(value)})"


def _formatted_text(verb: str, value: str, precision: int | None) -> str:
    cut = value if precision is None else value[:precision]
    if verb == "s":
        return cut
    if verb == "q":
        return quote(cut)
    if verb in "xX":
        digits = cut.encode().hex()
        return digits if verb == "x" else digits.upper()
    return _wrong(verb, value)


_BASES = {"d": "d", "x": "x", "X": "X", "o": "o", "b": "b"}
_PREFIXES = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}


def _formatted_integer(verb: str, flags: str, value: int, precision: int | None) -> str:
    if verb == "c":
        return chr(value)
    if verb == "q":
        return f"'{chr(value)}'"
    if verb == "U":
        return f"U+{value:04X}"
    if verb not in _BASES:
        return _wrong(verb, value)
    digits = format(abs(value), _BASES[verb]).rjust(precision or 0, "0")
    prefix = _PREFIXES.get(verb, "") if "#" in flags else ""
    sign = "-" if value < 0 else "+" if "+" in flags else " " if " " in flags else ""
    return sign + prefix + digits


def _formatted_float(verb: str, flags: str, value: float, precision: int | None) -> str:
    sign = "+" if "+" in flags and value >= 0 else ""
    if verb in "fF":
        return f"{sign}{value:.{6 if precision is None else precision}f}"
    if verb in "eE":
        return f"{sign}{value:.{6 if precision is None else precision}{verb}}"
    if verb in "gG":
        return sign + (float_text(value) if precision is None else f"{value:.{precision}{verb}}")
    return _wrong(verb, value)
