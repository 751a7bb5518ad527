"""The container's log: both streams of its init, in entries, in one rotated file."""

import time

from boxship.base.clock import format_ns
from boxship.runtime.logfile import LogFile
from boxship.runtime.logformat import EntryEncoder
from boxship.runtime.messages import LogConfig, LogPosition
from boxship.runtime.shim.attachment import STDERR, STDOUT


class ContainerLog:
    """Owns the log file named in ``config``."""

    def __init__(self, config: LogConfig) -> None:
        self._file = LogFile(config)
        self._encoders = {
            STDOUT: EntryEncoder("stdout", config.attributes),
            STDERR: EntryEncoder("stderr", config.attributes),
        }

    def write(self, stream: int, data: bytes) -> None:
        """Log the lines that ``data`` completes."""
        entries = self._encoders[stream].feed(data, _now())
        if entries:
            self._file.append(entries)

    def pending(self, stream: int) -> bytes:
        """Return the line whose end has not come yet."""
        return self._encoders[stream].pending

    def position(self) -> LogPosition:
        """Tell where the next entry will stand."""
        return self._file.position()

    @property
    def lost_lines(self) -> int:
        """How many lines could not be written."""
        return self._file.lost_lines

    def finish(self) -> None:
        """Log unfinished lines and close the file."""
        for encoder in self._encoders.values():
            entries = encoder.finish(_now())
            if entries:
                self._file.append(entries)
        self._file.close()


def _now() -> bytes:
    return format_ns(time.time_ns()).encode()
