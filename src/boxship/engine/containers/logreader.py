"""Read logs: one client's way through the files of a log, a batch at a time.

Everything here blocks; the event loop runs it in threads.
"""

from typing import NamedTuple

from boxship.base.clock import format_ns
from boxship.engine.containers.logforms import JSON_LINES, Form
from boxship.engine.containers.logsegment import (
    Segment,
    close_all,
    cut_at,
    next_file,
    open_segments,
    skip_to,
)
from boxship.engine.containers.requests import LogLine, LogQuery
from boxship.runtime.messages import LogPosition

_FULL_TIME = len("2006-01-02T15:04:05.000000000Z")


class LogPlace(NamedTuple):
    """Where a log is, and how it is written."""

    path: str
    form: Form = JSON_LINES


def keep_last(segments: list[Segment], form: Form, lines: int) -> list[Segment]:
    """Keep the last ``lines`` entries, found by looking backwards from the end."""
    wanted = lines
    for index in range(len(segments) - 1, -1, -1):
        segments[index].unpack()
        wanted -= form.keep_last(segments[index], wanted)
        if wanted <= 0:
            close_all(segments[:index])
            return segments[index:]
    return segments


class Sieve:
    """Keeps the lines that were asked for; ``done`` once none after can be."""

    def __init__(self, query: LogQuery) -> None:
        self._streams = {"stdout": query.stdout, "stderr": query.stderr}
        self._all_streams = query.stdout and query.stderr
        self._since = format_ns(query.since_ns)[: _FULL_TIME - 1] if query.since_ns else ""
        self._until = format_ns(query.until_ns)[: _FULL_TIME - 1] if query.until_ns else ""
        self.done = False

    def sift(self, lines: list[LogLine]) -> list[LogLine]:
        """Return those of the lines that are wanted."""
        if not self._all_streams:
            wanted = self._streams
            lines = [line for line in lines if wanted.get(line.stream, False)]
        if self._since:
            since = self._since
            lines = [line for line in lines if _key(line.time) >= since]
        if self._until and lines:
            until = self._until
            self.done = _key(lines[-1].time) > until
            lines = [line for line in lines if _key(line.time) <= until]
        return lines


def _key(time: str) -> str:
    """Return a time so that comparing texts compares times; Docker leaves zeros at the end out."""
    if len(time) == _FULL_TIME:
        return time[:-1]
    seconds, _, fraction = time.removesuffix("Z").partition(".")
    return f"{seconds}.{fraction:0<9}"


class LogReading:
    """One client's way through a log. Owns the files it has open, whatever becomes of its caller.

    With ``follow`` the last file may grow and be succeeded by others; ``more`` can then be called
    again after it has said that there is nothing.
    """

    def __init__(
        self,
        place: LogPlace,
        query: LogQuery,
        *,
        after: LogPosition | None = None,
        until: LogPosition | None = None,
        follow: bool = False,
    ) -> None:
        self._path, self._form = place
        self._after = after
        self._until = until
        self._tail = query.tail
        self._follow = follow
        self._sieve = Sieve(query)
        self._segments: list[Segment] = []
        self._opened = False

    @property
    def done(self) -> bool:
        """Nothing that can still be written is wanted."""
        return self._sieve.done

    def more(self) -> list[LogLine] | None:
        """Return the next wanted lines, never none of them; None when there is nothing now."""
        if not self._opened:
            self._open()
        while self._segments and not self.done:
            self._segments[0].unpack()
            if (lines := self._form.read_on(self._segments[0])) is None:
                if not self._go_on():
                    break
            elif kept := self._sieve.sift(lines):
                return kept
        return None

    def close(self) -> None:
        """Close its files."""
        close_all(self._segments)
        self._segments = []

    def _open(self) -> None:
        self._segments = open_segments(self._path)
        if self._until is not None:
            self._segments = cut_at(self._segments, self._until)
        if self._after is not None:
            self._segments = skip_to(self._segments, self._after)
        if self._tail is not None:
            self._segments = keep_last(self._segments, self._form, self._tail)
        # A log that isn't there yet is looked for again, and then followed from its beginning.
        self._opened, self._tail = bool(self._segments), None

    def _go_on(self) -> bool:
        """The first segment is at its end: make it longer or leave it; False if neither can be."""
        first = self._segments[0]
        if len(self._segments) == 1 and self._follow:
            if first.has_grown():
                return True
            if (following := next_file(self._path, first)) is not None:
                self._segments.append(following)
                if first.has_grown():  # written before the rename
                    return True
        if len(self._segments) == 1:
            return False
        self._segments.pop(0).close()
        return True
