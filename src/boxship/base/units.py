"""Sizes and durations in the forms Docker's users write and read."""

import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_FACTOR = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "p": 2**50}


def parse_bytes(text: str) -> int:
    """Read a memory size such as ``512m``, ``1.5g`` or ``64`` (bytes); factors are 1024."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"invalid size: '{text}'")
    return int(float(match[1]) * _FACTOR[match[2].lower()])


def parse_decimal_bytes(text: str) -> int:
    """Read a size as :func:`parse_bytes` does, with factors of 1000: that of a log's file."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"invalid size: '{text}'")
    power = "bkmgtp".index(match[2].lower()[:1] or "b")
    return int(float(match[1]) * 1000**power)


def format_decimal_size(size: float, *, digits: int = 3) -> str:
    """Write a size as ``docker images`` does: powers of 1000, ``digits`` of it: ``4.27MB``.

    Docker's lists have three digits, its progress bars four.
    """
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000:
            return f"{size:.4g}{unit}" if unit == "B" else f"{size:.{digits}g}{unit}"
        size /= 1000
    return f"{size:.{digits}g}PB"
