"""The two forms in which entries stand in a log's files: JSON lines, and frames.

Both are read in big batches: entries are decoded by the chunk, and found from the end backwards
without decoding what is not wanted.
"""

import contextlib
import os
from dataclasses import dataclass
from typing import Protocol

import msgspec

from boxship.base.clock import format_ns
from boxship.engine.containers.logsegment import Segment
from boxship.engine.containers.requests import LogLine
from boxship.runtime.logs import frames

CHUNK = 1 << 20
_BLOCK = 1 << 16
_DECODER = msgspec.json.Decoder(LogLine)
_NAMES = {1: "stdout", 2: "stderr"}


class Form(Protocol):
    """How to read a segment, which is unpacked."""

    def read_on(self, segment: Segment) -> list[LogLine] | None:
        """Read the next whole entries; None at the end of the segment."""
        ...

    def keep_last(self, segment: Segment, lines: int) -> int:
        """Let the segment begin at its last entries, so many; return how many there are."""
        ...


class JsonLines:
    """``json-file``: each entry a line."""

    def read_on(self, segment: Segment) -> list[LogLine] | None:
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

    def keep_last(self, segment: Segment, lines: int) -> int:
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
                segment.start = position - size + index + 1
                return lines
            found += count
            position -= size
        return min(found, lines)


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


@dataclass(frozen=True, slots=True)
class Frames:
    """``local``: entries that were read together in one frame."""

    attributes: dict[str, str] | None = None
    """What ``details`` shows, the same for each entry."""

    def read_on(self, segment: Segment) -> list[LogLine] | None:
        size = CHUNK
        while segment.start < segment.end:
            size = min(size, segment.end - segment.start)
            data = os.pread(segment.fd, size, segment.start)
            found, length = self._decode(data)
            segment.start += length
            if found:
                skipped, segment.skip = segment.skip, 0
                return found[skipped:] if skipped else found
            if len(data) < size or size >= segment.end - segment.start:
                return None  # the last frame is still being written
            size *= 2  # a frame longer than a chunk
        return None

    def _decode(self, data: bytes) -> tuple[list[LogLine], int]:
        """Return the entries of whole frames, and where these end."""
        found: list[LogLine] = []
        offset = 0
        try:
            while (decoded := frames.decode(data, offset)) is not None:
                (stream, time_ns, piece), offset = decoded
                name, time, attributes = _NAMES[stream], format_ns(time_ns), self.attributes
                # Bytes that are not UTF-8 go through as they are.
                lines = piece.data.decode("utf-8", "surrogateescape").split("\n")
                last = lines.pop()
                found += [LogLine(f"{line}\n", name, time, attributes) for line in lines]
                if last:
                    found.append(LogLine(last, name, time, attributes))
        except frames.BrokenFrameError:  # by a crash: no frame can be told from what follows
            return found, len(data)
        return found, offset

    def keep_last(self, segment: Segment, lines: int) -> int:
        found = 0
        position = segment.end
        while position - frames.AROUND >= segment.start and found < lines:
            trailer = os.pread(segment.fd, frames.TRAILER, position - frames.TRAILER)
            begin = position - frames.length_before(trailer)
            count = _count_at(segment.fd, begin, position) if begin >= segment.start else None
            if count is None:  # left by a crash
                break
            found += count
            position = begin
        segment.start = position
        segment.skip = max(0, found - lines)
        return min(found, lines)


def _count_at(fd: int, begin: int, end: int) -> int | None:
    """Return how many lines the frame has, None if there is none."""
    try:
        decoded = frames.decode(os.pread(fd, end - begin, begin))
    except frames.BrokenFrameError:
        return None
    return decoded[0].piece.lines if decoded is not None and decoded[1] == end - begin else None


JSON_LINES = JsonLines()
