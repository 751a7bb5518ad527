"""``--since`` and ``--until``: a time, Unix seconds, or a duration before now."""

import re
import time

from boxship.base.clock import parse_rfc3339
from boxship.base.errors import InvalidArgumentError
from boxship.cli.kinds import parse_duration

_UNIX = re.compile(r"[0-9]+(\.[0-9]+)?")
_ZONE = re.compile(r"(Z|z|[+-]\d\d:?\d\d)$")


def timestamp(text: str, flag: str, now_ns: int | None = None) -> str:
    """Unix seconds with nine digits of fraction, as the API takes them; empty stays empty."""
    if not text:
        return ""
    if _UNIX.fullmatch(text):
        return text
    try:
        return _seconds((time.time_ns() if now_ns is None else now_ns) - parse_duration(text))
    except ValueError:
        pass
    try:
        moment = parse_rfc3339(text)
    except ValueError as error:
        raise InvalidArgumentError(
            f'invalid value for "{flag}": failed to parse value as time or duration: "{text}"'
        ) from error
    if "T" in text.upper() and _ZONE.search(text):
        return _seconds(moment)
    # Without a zone the time is meant locally.
    seconds, fraction = divmod(moment, 1_000_000_000)
    local = time.mktime((*time.gmtime(seconds)[:8], -1))
    return _seconds(int(local) * 1_000_000_000 + fraction)


def _seconds(nanoseconds: int) -> str:
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    return f"{seconds}.{fraction:09}"
