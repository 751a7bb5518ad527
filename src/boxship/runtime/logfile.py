"""A log file that grows by whole lines and is rotated: ``x.log``, ``x.log.1``, ``x.log.2`` …

Writing a log must never harm the container. When the disk is full, as many whole lines as fit
are kept, the torn one is cut off, the others are counted as lost, and the next write tries
again. Rotation renames and unlinks but never truncates, so that a reader with an open file sees
it unchanged to its end.
"""

import contextlib
import os

from boxship.runtime.messages import LogConfig, LogPosition

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
_MODE = 0o640


class LogFile:
    """Appends lines to ``config.path``. Failing to is counted in ``lost_lines``, not raised."""

    def __init__(self, config: LogConfig) -> None:
        self._path = config.path
        self._max_size = config.max_size if config.max_size > 0 else 0
        self._max_file = max(config.max_file, 1)
        self._fd = -1
        self.lost_lines = 0
        with contextlib.suppress(OSError):  # tried again with the first line
            self._open()

    def append(self, lines: bytes) -> None:
        """Write whole lines, rotating where the limit falls between two of them."""
        start = 0
        while start < len(lines):
            try:
                room = self._make_room()
            except OSError:
                self.lost_lines += lines.count(b"\n", start)
                return
            # As Docker does, the line that crosses the limit still goes into the old file.
            end = lines.find(b"\n", start + room - 1) + 1 if room else len(lines)
            end = end or len(lines)
            self._write(lines[start:end] if start or end < len(lines) else lines)
            start = end

    def position(self) -> LogPosition:
        """Tell where the next line will begin."""
        if self._fd < 0:
            return LogPosition()
        status = os.fstat(self._fd)
        return LogPosition(inode=status.st_ino, offset=status.st_size)

    def close(self) -> None:
        """Give the descriptor back; what was written needs nothing more."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        self._fd = os.open(self._path, _FLAGS, _MODE)

    def _make_room(self) -> int:
        """Return how many bytes the current file may still take (at least 1), 0 for no limit."""
        if self._fd < 0:
            self._open()
        if not self._max_size:
            return 0
        # Asked each time, since people empty a log with "> x.log".
        room = self._max_size - os.lseek(self._fd, 0, os.SEEK_END)
        if room > 0:
            return room
        self._rotate()
        return self._max_size

    def _rotate(self) -> None:
        names = [self._path, *(f"{self._path}.{n}" for n in range(1, self._max_file))]
        if len(names) == 1:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
        for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
            with contextlib.suppress(FileNotFoundError):
                os.rename(newer, older)
        self.close()
        self._open()

    def _write(self, lines: bytes) -> None:
        before = os.lseek(self._fd, 0, os.SEEK_END)
        done = 0
        try:
            while done < len(lines):
                done += os.write(self._fd, lines[done:] if done else lines)
        except OSError:
            whole = lines.rfind(b"\n", 0, done) + 1
            self.lost_lines += lines.count(b"\n", whole)
            if whole < done:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._fd, before + whole)
