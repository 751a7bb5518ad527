"""A file of lines that is put aside when it is full.

::

    <path>        the latest
    <path>.1      before that, and so on up to ``kept``
"""

import os
from typing import BinaryIO


class RotatedFile:
    """Lines are whole or not there. Not thread-safe. Errors are OSErrors."""

    def __init__(self, path: str, limit: int, kept: int) -> None:
        """``limit`` is the bytes of one file; ``kept`` older ones stay beside it."""
        self._path = path
        self._limit, self._kept = limit, kept
        self._file: BinaryIO | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """All files, the latest first, those that aren't there included."""
        return tuple(map(self._numbered, range(self._kept + 1)))

    def append(self, line: bytes) -> None:
        """Add a line, which ends with a newline. The file is made with its directory."""
        if self._file is None:
            os.makedirs(os.path.dirname(self._path), 0o700, exist_ok=True)
            descriptor = os.open(
                self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            self._file = open(descriptor, "ab", buffering=0)  # noqa: SIM115 - closed by rotation
        if self._file.tell() + len(line) > self._limit and self._file.tell():
            self._rotate()
            self.append(line)
            return
        self._file.write(line)

    def close(self) -> None:
        """Close the file; writing opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _rotate(self) -> None:
        self.close()
        for number in range(self._kept - 1, -1, -1):
            if os.path.exists(older := self._numbered(number)):
                os.replace(older, self._numbered(number + 1))

    def _numbered(self, number: int) -> str:
        return f"{self._path}.{number}" if number else self._path
