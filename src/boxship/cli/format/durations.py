"""Times and durations for people, and the ones people type."""

import time

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def human_duration(seconds: float) -> str:
    """``Less than a second``, ``3 minutes``, ``About an hour``, ``5 weeks``."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if whole < _MINUTE:
        return f"{whole} seconds"
    minutes = whole // _MINUTE
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = int(seconds / _HOUR + 0.5)
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{int(seconds / _HOUR) // 24 // 365} years"


def since(created: float, now: float | None = None) -> str:
    """``2 hours ago`` for Unix seconds."""
    return f"{human_duration((time.time() if now is None else now) - created)} ago"


def local_time(seconds: int) -> str:
    """``2026-11-21 00:31:50 +0000 UTC`` in the local zone."""
    moment = time.localtime(seconds)
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", moment)


def local_rfc3339(seconds: int) -> str:
    """``2026-11-21T00:23:53Z`` or with the local zone's offset."""
    moment = time.localtime(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", moment) + zone_offset(moment)


def local_rfc3339_nano(nanoseconds: int) -> str:
    """The same with nine digits of fraction."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    moment = time.localtime(seconds)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', moment)}.{fraction:09}{zone_offset(moment)}"


def zone_offset(moment: time.struct_time) -> str:
    if not moment.tm_gmtoff:
        return "Z"
    offset = time.strftime("%z", moment)
    return f"{offset[:3]}:{offset[3:5]}"
