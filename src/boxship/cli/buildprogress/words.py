"""Sizes and durations as builders write them."""

from boxship.cli.buildprogress.trace import SECOND
from boxship.client.buildkit.progress import Status

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(count: int) -> str:
    """``77B``, ``1.05kB``, ``29.12MB``: factors are 1000."""
    if count < 1000:
        return f"{count}B"
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.2f}{_UNITS[unit]}"


def seconds(nanoseconds: int) -> str:
    return f"{nanoseconds / SECOND:.1f}s"


def amount(status: Status) -> str:
    """How much of it there is, with a blank in front; empty if nobody counts."""
    if status.total:
        return f" {size(status.current)} / {size(status.total)}"
    return f" {size(status.current)}" if status.current else ""
