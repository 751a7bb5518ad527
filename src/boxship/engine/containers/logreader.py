"""Read json-file logs: the files of one log as a sequence of segments, decoded in big batches.

A log is a file and its rotated predecessors, oldest last::

    <id>-json.log   <id>-json.log.1   <id>-json.log.2 …

Rotation renames them and changes none. They are therefore opened newest first: one that is renamed
in between is met again and recognised by its inode, and none is missed. Everything here blocks; the
event loop runs it in threads, a batch at a time.
"""

import contextlib
import os
from dataclasses import dataclass

import msgspec

from boxship.base.clock import format_ns
from boxship.engine.containers.requests import LogLine, LogQuery
from boxship.runtime.messages import LogPosition

CHUNK = 1 << 20
_BLOCK = 1 << 16
_FULL_TIME = len("2006-01-02T15:04:05.000000000Z")
_DECODER = msgspec.json.Decoder(LogLine)


@dataclass(eq=False)
class Segment:
    """A part of one file, from ``start`` to ``end``. Owns ``fd``."""

    fd: int
    inode: int
    start: int
    end: int

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def open_segments(path: str) -> list[Segment]:
    """Open the log's files as they are now, oldest first, each up to its present length."""
    found: list[Segment] = []
    number = 0
    while True:
        name = path if number == 0 else f"{path}.{number}"
        try:
            segment = open_segment(name)
        except FileNotFoundError:
            # Just between the two renames of a rotation there is no current file.
            if number == 0:
                number = 1
                continue
            break
        except OSError:
            close_all(found)
            raise
        if any(segment.inode == other.inode for other in found):
            segment.close()
        else:
            found.append(segment)
        number += 1
    return found[::-1]


def open_segment(path: str) -> Segment:
    """Open one file. FileNotFoundError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    status = os.fstat(fd)
    return Segment(fd, status.st_ino, 0, status.st_size)


def close_all(segments: list[Segment]) -> None:
    """Close every file."""
    for segment in segments:
        segment.close()


def cut_at(segments: list[Segment], position: LogPosition) -> list[Segment]:
    """Keep what lies before ``position``; a position in no file keeps everything."""
    for index, segment in enumerate(segments):
        if segment.inode == position.inode:
            segment.end = min(segment.end, position.offset)
            close_all(segments[index + 1 :])
            return segments[: index + 1]
    return segments


def skip_to(segments: list[Segment], position: LogPosition) -> list[Segment]:
    """Keep what lies behind ``position``; a position in no file keeps everything."""
    for index, segment in enumerate(segments):
        if segment.inode == position.inode:
            segment.start = min(segment.end, position.offset)
            close_all(segments[:index])
            return segments[index:]
    return segments


def keep_last(segments: list[Segment], lines: int) -> list[Segment]:
    """Keep the last ``lines`` entries, found by looking backwards from the end."""
    wanted = lines
    for index in range(len(segments) - 1, -1, -1):
        segment = segments[index]
        start, found = _find_backwards(segment, wanted)
        segment.start = start
        wanted -= found
        if wanted <= 0:
            close_all(segments[:index])
            return segments[index:]
    return segments


def _find_backwards(segment: Segment, lines: int) -> tuple[int, int]:
    """Return where the last ``lines`` entries begin, and how many there are (at most so many)."""
    found = 0
    position = segment.end
    while position > segment.start:
        size = min(_BLOCK, position - segment.start)
        block = os.pread(segment.fd, size, position - size)
        # Each entry ends in a newline: the one before the wanted ones is where they begin.
        count = block.count(b"\n")
        if found + count > lines:
            index = len(block)
            for _ in range(lines - found + 1):
                index = block.rindex(b"\n", 0, index)
            return position - size + index + 1, lines
        found += count
        position -= size
    return segment.start, min(found, lines)


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


def read_on(segment: Segment) -> list[LogLine] | None:
    """Read the next whole lines; None at the end of the segment."""
    size = CHUNK
    while True:
        size = min(size, segment.end - segment.start)
        data = os.pread(segment.fd, size, segment.start)
        length = data.rfind(b"\n") + 1
        if length:
            segment.start += length
            return decode(data[:length])
        if len(data) < size or size >= segment.end - segment.start:
            return None  # the last line is still being written
        size *= 2  # a line longer than a chunk


def decode(data: bytes) -> list[LogLine]:
    """Decode whole lines; what a crash has left half-written is skipped."""
    try:
        return _DECODER.decode_lines(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = []
        for line in data.split(b"\n"):
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                if line:
                    found.append(_DECODER.decode(line))
        return found


def next_file(path: str, inode: int) -> Segment | None:
    """Open the file that came after the one with ``inode``; None if that is still the newest.

    If the file itself is gone, the oldest one there is comes next.
    """
    with contextlib.suppress(FileNotFoundError):
        if os.stat(path).st_ino == inode:
            return None
    segments = open_segments(path)
    index = next((i for i, segment in enumerate(segments) if segment.inode == inode), -1)
    following = segments[index + 1] if index + 1 < len(segments) else None
    close_all([segment for segment in segments if segment is not following])
    return following


class LogReading:
    """One client's way through a log. Owns the files it has open, whatever becomes of its caller.

    With ``follow`` the last file may grow and be succeeded by others; ``more`` can then be called
    again after it has said that there is nothing.
    """

    def __init__(
        self,
        path: str,
        query: LogQuery,
        *,
        after: LogPosition | None = None,
        until: LogPosition | None = None,
        follow: bool = False,
    ) -> None:
        self._path = path
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
            if (lines := read_on(self._segments[0])) is None:
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
            self._segments = keep_last(self._segments, self._tail)
        # A log that isn't there yet is looked for again, and then followed from its beginning.
        self._opened, self._tail = bool(self._segments), None

    def _go_on(self) -> bool:
        """The first segment is at its end: make it longer or leave it; False if neither can be."""
        first = self._segments[0]
        if len(self._segments) == 1 and self._follow:
            if self._has_grown(first):
                return True
            if (following := next_file(self._path, first.inode)) is not None:
                self._segments.append(following)
                if self._has_grown(first):  # written before the rename
                    return True
        if len(self._segments) == 1:
            return False
        self._segments.pop(0).close()
        return True

    def _has_grown(self, segment: Segment) -> bool:
        before, segment.end = segment.end, os.fstat(segment.fd).st_size
        return segment.end > before
