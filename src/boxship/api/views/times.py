"""Spans of time as a person says them, in Docker's words."""

_MINUTE = 60
_HOUR = 3600
_DAY = 24


def human_duration(nanoseconds: int) -> str:
    """Round a span to one unit: ``About a minute``, ``3 hours``, ``2 weeks``."""
    seconds = max(0, nanoseconds) / 1_000_000_000
    if seconds < _MINUTE:
        return _few(int(seconds), "Less than a second", "1 second", "seconds")
    minutes = int(seconds // _MINUTE)
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    hours = int(seconds / _HOUR + 0.5)
    if hours < 2 * _DAY:
        return "About an hour" if hours == 1 else f"{hours} hours"
    if hours < 14 * _DAY:
        return f"{hours // _DAY} days"
    if hours < 60 * _DAY:
        return f"{hours // _DAY // 7} weeks"
    if hours < 730 * _DAY:
        return f"{hours // _DAY // 30} months"
    return f"{hours // _DAY // 365} years"


def _few(count: int, none: str, one: str, unit: str) -> str:
    return none if count == 0 else one if count == 1 else f"{count} {unit}"
