"""Time as Boxship keeps it: whole nanoseconds since the epoch, UTC.

An ``int`` loses nothing (a float of seconds keeps about 200 ns today), sorts, and fits SQLite.
Text is RFC 3339 with nanoseconds, as the Engine API writes it. ``0`` stands for "never", which the
API writes as Go's zero time.
"""

import re
import time
from calendar import timegm
from typing import Protocol

ZERO_TEXT = "0001-01-01T00:00:00Z"
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9})\d*)?)?)?"
    r"([Zz]|[+-]\d\d:?\d\d)?"
)


class Clock(Protocol):
    """The one seam through which the engine reads time, so that tests can set it."""

    def now_ns(self) -> int:
        """Return nanoseconds since the epoch."""
        ...


class SystemClock:
    """The kernel's ``CLOCK_REALTIME``."""

    def now_ns(self) -> int:
        return time.time_ns()


def format_ns(ns: int) -> str:
    """Write ``ns`` as RFC 3339 with nine digits; 0 is Go's zero time."""
    if ns == 0:
        return ZERO_TEXT
    seconds, fraction = divmod(ns, 1_000_000_000)
    return f"{_date(seconds)}.{fraction:09}Z"


def format_file_time(ns: int) -> str:
    """Write a file's time as Go does: 0 is 1970, and no more digits than it has."""
    seconds, fraction = divmod(ns, 1_000_000_000)
    digits = f".{fraction:09}".rstrip("0").removesuffix(".")
    return f"{_date(seconds)}{digits}Z"


def _date(seconds: int) -> str:
    t = time.gmtime(seconds)
    return f"{t.tm_year:04}-{t.tm_mon:02}-{t.tm_mday:02}T{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}"


def parse_rfc3339(text: str) -> int:
    """Read RFC 3339, also shortened to minutes or days (then UTC). Raise ValueError otherwise."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time such as 2006-01-02T15:04:05Z")
    if text == ZERO_TEXT:
        return 0
    year, month, day, hour, minute, second = (int(g or 0) for g in match.groups()[:6])
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60):
        raise ValueError(f"{text!r} is not a time such as 2006-01-02T15:04:05Z")
    fraction = int((match[7] or "0").ljust(9, "0"))
    zone = match[8] or "Z"
    offset = 0
    if zone not in "Zz":
        digits = zone[1:].replace(":", "")
        offset = int(digits[:2]) * 3600 + int(digits[2:]) * 60
        offset = -offset if zone[0] == "-" else offset
    seconds = timegm((year, month, day, hour, minute, second, 0, 0, 0)) - offset
    return seconds * 1_000_000_000 + fraction
