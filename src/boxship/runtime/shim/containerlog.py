"""The container's log: both streams of its init, in entries, in one rotated file."""

import time

from boxship.base.clock import format_ns
from boxship.runtime.logfile import LogFile
from boxship.runtime.logformat import EntryEncoder
from boxship.runtime.messages import LogConfig, LogPosition
from boxship.runtime.shim.attachment import STDERR, STDOUT

_NAMES = {STDOUT: "stdout", STDERR: "stderr"}


class ContainerLog:
    """Owns the log file, opened when there is something to write.

    ``config`` are the fields of LogConfig.
    """

    def __init__(self, config: tuple[str, int, int, str]) -> None:
        path, max_size, max_file, attributes = config
        self._path, self._max_size, self._max_file = path, max_size, max_file
        self._attributes = attributes
        self._file: LogFile | None = None
        self._encoders: dict[int, EntryEncoder] = {}

    def write(self, stream: int, data: bytes) -> None:
        """Log the lines that ``data`` completes."""
        entries = self._encoder(stream).feed(data, _now())
        if entries:
            self._opened().append(entries)

    def pending(self, stream: int) -> bytes:
        """Return the line whose end has not come yet."""
        return self._encoder(stream).pending

    def position(self) -> LogPosition:
        """Tell where the next entry will stand."""
        return self._opened().position()

    @property
    def lost_lines(self) -> int:
        """How many lines could not be written."""
        return self._file.lost_lines if self._file is not None else 0

    def finish(self) -> None:
        """Log unfinished lines and close the file."""
        for encoder in self._encoders.values():
            entries = encoder.finish(_now())
            if entries:
                self._opened().append(entries)
        if self._file is not None:
            self._file.close()

    def _opened(self) -> LogFile:
        if self._file is None:
            self._file = LogFile(
                LogConfig(path=self._path, max_size=self._max_size, max_file=self._max_file)
            )
        return self._file

    def _encoder(self, stream: int) -> EntryEncoder:
        encoder = self._encoders.get(stream)
        if encoder is None:
            encoder = EntryEncoder(_NAMES[stream], self._attributes)
            self._encoders[stream] = encoder
        return encoder


def _now() -> bytes:
    return format_ns(time.time_ns()).encode()
