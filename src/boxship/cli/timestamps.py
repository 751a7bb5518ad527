"""``--since`` and ``--until``: a time, Unix seconds, or a duration before now."""

import re
import time

from boxship.base.errors import InvalidArgumentError
from boxship.base.moments import parse_moment

_UNIX = re.compile(r"[0-9]+(\.[0-9]+)?")


def timestamp(text: str, flag: str, now_ns: int | None = None) -> str:
    """Unix seconds with nine digits of fraction, as the API takes them; empty stays empty."""
    if not text or _UNIX.fullmatch(text):
        return text
    try:
        moment = parse_moment(text, time.time_ns() if now_ns is None else now_ns)
    except ValueError as error:
        raise InvalidArgumentError(f'invalid value for "{flag}": {error}') from error
    seconds, fraction = divmod(moment, 1_000_000_000)
    return f"{seconds}.{fraction:09}"
