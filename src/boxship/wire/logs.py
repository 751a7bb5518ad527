"""Logs in answers of our own. Sizes are bytes."""

from msgspec import Struct


class LogFileRow(Struct, frozen=True, rename="pascal"):
    """A file of a log."""

    path: str
    size: int


class LostLines(Struct, frozen=True, rename="pascal"):
    """Lines that did not get into the log: in all, and by the place where they were lost."""

    lines: int
    disk: int
    buffer: int
    target: int
    reason: str


class LogStateAnswer(Struct, frozen=True, rename="pascal"):
    """``GET /containers/{id}/logs/state``."""

    driver: str
    size: int
    files: tuple[LogFileRow, ...]
    lost: LostLines
    waits: bool
    trouble: str


class LogCleared(Struct, frozen=True, rename="pascal"):
    """``DELETE /containers/{id}/logs``."""

    space_reclaimed: int
