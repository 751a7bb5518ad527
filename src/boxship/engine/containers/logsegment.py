"""The files of one log as a sequence of segments, oldest first.

A log is a file and its rotated predecessors, which may be compressed::

    <id>-json.log   <id>-json.log.1   <id>-json.log.2.gz …

Rotation renames them and changes none. They are therefore opened newest first: one that is renamed
in between is met again and recognised by its inode, and none is missed. A compressed one has the
inode of what it was made of, and is unpacked when it is read. Everything here blocks.
"""

import contextlib
import os
import zlib
from dataclasses import dataclass

from boxship.runtime.logs.compression import HEADER, Identity, identity, original
from boxship.runtime.logs.file import GZ
from boxship.runtime.messages import LogPosition

_CHUNK = 1 << 20
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(eq=False)
class Segment:
    """A part of one file, from ``start`` to ``end``. Owns ``fd``.

    ``skip`` entries at its start are not wanted. ``packed``: where it lies, if it is compressed;
    ``original``: what it was before.
    """

    fd: int
    inode: int
    start: int
    end: int
    skip: int = 0
    packed: str = ""
    original: Identity | None = None

    def is_same(self, other: "Segment") -> bool:
        """Tell whether both are of the same file, one of them compressed meanwhile perhaps."""
        if self.inode != other.inode:
            return False
        if self.original is None and other.original is None:
            return True
        return self._identity() == other._identity()

    def _identity(self) -> Identity:
        return self.original or identity(self.fd)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def unpack(self) -> None:
        """Have the contents as they were. To be called before they are read; OSError."""
        if not self.packed:
            return
        unpacked = _nameless(os.path.dirname(self.packed))
        try:
            _decompress(self.fd, unpacked)
        except BaseException:
            os.close(unpacked)
            raise
        os.close(self.fd)
        self.fd, self.packed = unpacked, ""
        self.end = min(self.end, os.fstat(unpacked).st_size)

    def has_grown(self) -> bool:
        """Include what was written since; tell whether that is something."""
        if self.packed:
            return False
        size = os.fstat(self.fd).st_size
        if size < self.start:  # emptied by a person
            self.start = self.end = 0
        before, self.end = self.end, size
        return self.end > before


def open_segments(path: str) -> list[Segment]:
    """Open the log's files as they are now, oldest first, each up to its present length."""
    found: list[Segment] = []
    number = 0
    while True:
        name = path if number == 0 else f"{path}.{number}"
        try:
            segment = _open_either(name)
        except FileNotFoundError:
            # Just between the two renames of a rotation there is no current file.
            if number == 0:
                number = 1
                continue
            break
        except OSError:
            close_all(found)
            raise
        if any(segment.is_same(other) for other in found):
            segment.close()
        else:
            found.append(segment)
        number += 1
    return found[::-1]


def rotated(path: str) -> list[str]:
    """Return the files that were rotated, oldest first."""
    directory, name = os.path.split(path)
    numbered = []
    for entry in os.listdir(directory):
        number = entry.removeprefix(f"{name}.").removesuffix(GZ)
        if entry.startswith(f"{name}.") and number.isdecimal():
            numbered.append((int(number), f"{directory}/{entry}"))
    return [found for _, found in sorted(numbered, reverse=True)]


def _open_either(path: str) -> Segment:
    """Open a file or what it was compressed to: the latter is there before the former goes."""
    try:
        return open_segment(path)
    except FileNotFoundError:
        return _open_packed(path + GZ)


def open_segment(path: str) -> Segment:
    """Open one file. FileNotFoundError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    status = os.fstat(fd)
    return Segment(fd, status.st_ino, 0, status.st_size)


def _open_packed(path: str) -> Segment:
    segment = open_segment(path)
    segment.original = original(os.pread(segment.fd, HEADER, 0))
    segment.inode = segment.original.inode if segment.original is not None else segment.inode
    # RFC 1952, 2.3.1: the last four bytes are the length of what was compressed.
    segment.end = int.from_bytes(os.pread(segment.fd, 4, max(0, segment.end - 4)), "little")
    segment.packed = path
    return segment


def close_all(segments: list[Segment]) -> None:
    """Close every file."""
    for segment in segments:
        segment.close()


def cut_at(segments: list[Segment], position: LogPosition) -> list[Segment]:
    """Keep what lies before ``position``; a position in no file keeps everything."""
    for index, segment in _newest_first(segments):
        if segment.inode == position.inode:
            segment.end = min(segment.end, position.offset)
            close_all(segments[index + 1 :])
            return segments[: index + 1]
    return segments


def skip_to(segments: list[Segment], position: LogPosition) -> list[Segment]:
    """Keep what lies behind ``position``; a position in no file keeps everything."""
    for index, segment in _newest_first(segments):
        if segment.inode == position.inode:
            segment.start = min(segment.end, position.offset)
            close_all(segments[:index])
            return segments[index:]
    return segments


def _newest_first(segments: list[Segment]) -> list[tuple[int, Segment]]:
    """Number the segments, last one first: of two with one inode only that can be meant."""
    return list(enumerate(segments))[::-1]


def next_file(path: str, last: Segment) -> Segment | None:
    """Open the file that came after that of ``last``; None if that is still the newest.

    If the file itself is gone, the oldest one there is comes next.
    """
    with contextlib.suppress(FileNotFoundError):
        if last.original is None and os.stat(path).st_ino == last.inode:
            return None
    segments = open_segments(path)
    index = next((i for i, segment in enumerate(segments) if segment.is_same(last)), -1)
    following = segments[index + 1] if index + 1 < len(segments) else None
    close_all([segment for segment in segments if segment is not following])
    return following


def _nameless(directory: str) -> int:
    """Return a file that nobody else sees, in memory if the disk has no room for it."""
    try:
        return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return os.memfd_create("boxship-log")


def _decompress(packed: int, unpacked: int) -> None:
    """Write the contents of a gzip file; of a damaged one what can be had."""
    unpacker = zlib.decompressobj(_GZIP)
    offset = 0
    with contextlib.suppress(zlib.error):
        while data := os.pread(packed, _CHUNK, offset):
            offset += len(data)
            rest = memoryview(unpacker.decompress(data))
            while rest:
                rest = rest[os.write(unpacked, rest) :]
