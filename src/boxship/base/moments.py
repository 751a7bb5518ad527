"""Points in time and durations as people give them to ``--since``, ``--until`` and filters.

A duration is written as Go writes it (``1h30m``, ``300ms``). A moment is Unix seconds, a time or
date as RFC 3339 (without a zone it is meant locally), or a duration: so long before now.
"""

import re
import time

from boxship.base.clock import parse_rfc3339

_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_LONGEST = (1 << 63) - 1
_UNIX = re.compile(r"(-?[0-9]{1,18})(?:\.([0-9]{1,9})[0-9]*)?")
_ZONE = re.compile(r"(Z|z|[+-]\d\d:?\d\d)$")


def parse_duration(text: str) -> int:
    """Return nanoseconds from ``1h15m``, ``1.5s``, ``300ms``, ``0``. Raise ValueError."""
    body = text.lstrip("+-")
    if body == "0":
        return 0
    position = total = 0
    for part in _DURATION_PART.finditer(body):
        if part.start() != position:
            break
        whole, _, fraction = part[1].partition(".")
        unit = _NANOSECONDS[part[2]]
        total += int(whole or "0") * unit + int(fraction or "0") * unit // 10 ** len(fraction)
        position = part.end()
    if not body or position != len(body) or total > _LONGEST:
        raise ValueError(f'time: invalid duration "{text}"')
    return -total if text.startswith("-") else total


def parse_moment(text: str, now_ns: int) -> int:
    """Return nanoseconds since the epoch. Raise ValueError with Docker's words."""
    if unix := _UNIX.fullmatch(text):
        return int(unix[1]) * 1_000_000_000 + int((unix[2] or "0").ljust(9, "0"))
    try:
        return now_ns - parse_duration(text)
    except ValueError:
        pass
    try:
        moment = parse_rfc3339(text)
    except ValueError as error:
        raise ValueError(f'failed to parse value as time or duration: "{text}"') from error
    if "T" in text.upper() and _ZONE.search(text):
        return moment
    seconds, fraction = divmod(moment, 1_000_000_000)
    local = time.mktime((*time.gmtime(seconds)[:8], -1))
    return int(local) * 1_000_000_000 + fraction


def duration_text(ns: int) -> str:
    """Write a duration as Go does: ``1m30s``, ``1.5s``, ``500ms``, ``0s``; never negative."""
    for unit, size in (("ns", 1), ("µs", 10**3), ("ms", 10**6)):
        if 0 < ns < 1000 * size:
            return f"{_decimal(ns, size)}{unit}"
    minutes, rest = divmod(ns, 60 * 10**9)
    seconds = f"{_decimal(rest, 10**9)}s"
    if not minutes:
        return seconds
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}" if hours else f"{minutes}m{seconds}"


def _decimal(number: int, unit: int) -> str:
    whole, fraction = divmod(number, unit)
    digits = str(fraction).zfill(len(str(unit)) - 1).rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)
