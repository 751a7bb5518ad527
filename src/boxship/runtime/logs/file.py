"""A log file that grows by whole entries and is rotated: ``x.log``, ``x.log.1``, ``x.log.2`` …

Writing a log must never harm the container. When the disk is full, as many whole entries as fit
are kept, the torn one is cut off, the others are counted as lost, and the next write tries
again. Rotation renames and unlinks but never truncates, so that a reader with an open file sees
it unchanged to its end. Whoever wants the log cleared unlinks its files: the next entry notices.

With ``compress`` a rotated file becomes ``x.log.1.gz`` in a process of its own. Until that is done
the log is not rotated again, and may grow beyond its size.
"""

from __future__ import annotations

import contextlib
import os

from boxship.runtime.logs import frames
from boxship.runtime.messages import LogConfig, LogPosition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from boxship.runtime.logs.compression import Compression
    from boxship.runtime.logs.lines import Piece

GZ = ".gz"
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
_MODE = 0o640
_BLOCK = 1 << 16


class LogFile:
    """Appends entries to ``config.path``. Failing to is counted in ``lost_lines``, not raised."""

    def __init__(self, config: LogConfig) -> None:
        self._path = config.path
        self._max_size = config.max_size if config.max_size > 0 else 0
        self._max_file = max(config.max_file, 1)
        self._framed = config.form == "local"
        self._compress = config.compress
        self._compression: Compression | None = None
        self._fd = -1
        self.lost_lines = 0
        self.error = ""
        """Why the last lines were lost."""
        with contextlib.suppress(OSError):  # tried again with the first line
            self._open()

    def append(self, lines: bytes) -> None:
        """Write whole lines, rotating where the limit falls between two of them."""
        start = 0
        while start < len(lines):
            try:
                size, room = self._make_room()
            except OSError as error:
                self._lose(lines.count(b"\n", start), error)
                return
            # As Docker does, the line that crosses the limit still goes into the old file.
            end = lines.find(b"\n", start + room - 1) + 1 if room else len(lines)
            end = end or len(lines)
            part = lines[start:end] if start or end < len(lines) else lines
            if (failed := self._write(part)) is not None:
                done, cause = failed
                whole = part.rfind(b"\n", 0, done) + 1
                self._cut(size + whole, size + done)
                self._lose(part.count(b"\n", whole), cause)
            start = end

    def append_frame(self, frame: bytes, piece: Piece) -> None:
        """Write the frame of ``piece``."""
        try:
            size, _ = self._make_room()
        except OSError as error:
            self._lose(piece.lines, error)
            return
        if (failed := self._write(frame)) is not None:
            done, cause = failed
            self._cut(size, size + done)
            self._lose(piece.lines, cause)

    def position(self) -> LogPosition:
        """Tell where the next entry will begin."""
        try:
            status = self._status()
        except OSError:
            return LogPosition()
        return LogPosition(inode=status.st_ino, offset=status.st_size)

    def close(self) -> None:
        """Give the descriptor back; what was written needs nothing more."""
        if self._compression is not None:
            self._compression.stop()
            self._compression = None
        self._close_file()

    def _close_file(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        self._fd = os.open(self._path, _FLAGS, _MODE)
        if self._framed:
            _cut_torn_frame(self._fd)
        if self._compress and self._compression is None and os.path.exists(f"{self._path}.1"):
            self._begin_compression()  # one that was not finished

    def _status(self) -> os.stat_result:
        """Look at the file; open a new one if it has none or its own was removed."""
        if self._fd < 0:
            self._open()
        status = os.fstat(self._fd)
        if not status.st_nlink:
            self._close_file()
            self._open()
            status = os.fstat(self._fd)
        return status

    def _make_room(self) -> tuple[int, int]:
        """Return how long the file is, and how many bytes more it may take: 0 for any number.

        Asked each time, since people empty a log with ``> x.log``.
        """
        size = self._status().st_size
        if not self._max_size:
            return size, 0
        if size < self._max_size:
            return size, self._max_size - size
        if self._is_compressing():
            return size, 0
        self._rotate()
        return 0, self._max_size

    def _rotate(self) -> None:
        names = [self._path, *(f"{self._path}.{n}" for n in range(1, self._max_file))]
        if len(names) == 1:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
        for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
            for end, other in (("", GZ), (GZ, "")):
                with contextlib.suppress(FileNotFoundError):
                    os.rename(newer + end, older + end)
                    os.unlink(older + other)
        self._close_file()
        self._open()

    def _is_compressing(self) -> bool:
        if self._compression is not None and self._compression.is_over():
            self._compression = None
        return self._compression is not None

    def _begin_compression(self) -> None:
        from boxship.runtime.logs.compression import Compression

        with contextlib.suppress(OSError):  # no process for it: with the next file then
            self._compression = Compression(f"{self._path}.1")

    def _write(self, data: bytes) -> tuple[int, OSError] | None:
        """Write all of it; if that fails, return how much was written, and why."""
        done = 0
        try:
            while done < len(data):
                done += os.write(self._fd, data[done:] if done else data)
        except OSError as error:
            return done, error
        return None

    def _cut(self, end: int, torn: int) -> None:
        if end < torn:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, end)

    def _lose(self, lines: int, error: OSError) -> None:
        self.lost_lines += lines
        self.error = error.strerror or str(error)


def _cut_torn_frame(fd: int) -> None:
    """Cut off what a crash has left half-written: behind it nothing could be read any more."""
    size = os.fstat(fd).st_size
    if size == 0 or _ends_in_a_frame(fd, size):
        return
    end = 0
    while (head := os.pread(fd, frames.HEADER, end)) and end < size:
        try:
            length = frames.length_at(head, 0)
        except frames.BrokenFrameError:
            break
        if length is None or end + length > size:
            break
        end += length
    os.ftruncate(fd, end)


def _ends_in_a_frame(fd: int, size: int) -> bool:
    if size < frames.AROUND:
        return False
    length = frames.length_before(os.pread(fd, frames.TRAILER, size - frames.TRAILER))
    if length > size:
        return False
    try:
        return frames.length_at(os.pread(fd, frames.HEADER, size - length), 0) == length
    except frames.BrokenFrameError:
        return False
