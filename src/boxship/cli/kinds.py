"""The types of flag values: how each is read, and what ``--help`` calls it."""

import re

from boxship.base.moments import parse_duration
from boxship.cli.flags import Kind

_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE = {"0", "f", "F", "FALSE", "false", "False"}

_INTEGER = re.compile(r"[+-]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|[1-9][0-9]*|0)")

_SIZE = re.compile(r"(-?[0-9]*\.?[0-9]+|-?[0-9]+\.) ?(?:([kmgtp])(?:i?b)?|b)?", re.IGNORECASE)
_SIZE_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def parse_bool(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def parse_integer(text: str, bits: int = 64, *, signed: bool = True) -> int:
    """Decimal, 0x, 0o or 0b, and a leading 0 for octal, as Go reads flags."""
    if not _INTEGER.fullmatch(text) or (not signed and text[0] in "+-"):
        raise ValueError(f"{text!r} is not a whole number")
    digits = text.lstrip("+-")
    octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    value = int(text, 8) if octal else int(text, 0)
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if signed else (0, 1 << bits)
    if not low <= value < high:
        raise ValueError(f"{text} is out of range")
    return value


def parse_size(text: str) -> int:
    """Bytes from ``64``, ``512m``, ``1.5 GiB``; factors are 1024."""
    match = _SIZE.fullmatch(text)
    if match is None or match[1].startswith("-"):
        raise ValueError(f"invalid size: '{text}'")
    return int(float(match[1]) * 1024 ** _SIZE_POWERS[(match[2] or "").lower()])


def parse_swap(text: str) -> int:
    return -1 if text == "-1" else parse_size(text)


def parse_cpus(text: str) -> int:
    """Billionths of a CPU from a decimal number."""
    from decimal import Decimal, InvalidOperation

    try:
        value = Decimal(text) * 1_000_000_000
    except InvalidOperation as error:
        raise ValueError(f"failed to parse {text} as a rational number") from error
    if value != int(value):
        raise ValueError("value is too precise")
    return int(value)


def parse_csv(text: str) -> tuple[str, ...]:
    """Fields separated by commas; a field in double quotes may hold commas and doubled quotes."""
    if '"' not in text:
        return tuple(text.split(",")) if text else ()
    import csv

    return tuple(next(csv.reader([text], strict=True)))


def _assignment(text: str) -> str:
    if "=" not in text:
        raise ValueError(f"{text} must be formatted as key=value")
    return text


def _filter(text: str) -> str:
    if "=" not in text:
        raise ValueError("bad format of filter (expected name=value)")
    return text


BOOL = Kind("", parse_bool, False, bare="true")
STRING = Kind("string", str, "")
INT = Kind("int", parse_integer, 0)
INT64 = Kind("int", parse_integer, 0)
UINT16 = Kind("uint16", lambda text: parse_integer(text, 16, signed=False), 0)
UINT64 = Kind("uint", lambda text: parse_integer(text, 64, signed=False), 0)
BYTES = Kind("bytes", parse_size, 0)
SWAP = Kind("bytes", parse_swap, 0)
DURATION = Kind("duration", parse_duration, 0)
CPUS = Kind("decimal", parse_cpus, 0)
LIST = Kind("list", str, (), repeats=True)
CSV = Kind("list", parse_csv, (), repeats=True)
FILTER = Kind("filter", _filter, (), repeats=True)
MAP = Kind("map", _assignment, (), repeats=True)
