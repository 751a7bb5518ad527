"""The list of files that a directory was last made of, to know it again by its bytes alone.

Most builds change no file, and then the client sends the list that it sent before. Ten thousand
entries are compared with a file in a millisecond; decoding them and looking at each file takes
seventy. ::

    packets as the last time  ──►  nothing is looked at, nothing was changed
    the first that differs    ──►  what was equal so far is handed out after all, and all behind it

The file lies beside the directory. It is believed only if nothing was made or removed at the top of
the directory since, as its inode and ctime tell, and it is taken away before a file is touched: who
is killed in between leaves none. Blocking.
"""

import os
from contextlib import suppress
from typing import IO

from boxship.wire.grpc.framing import Unframer, framed

_MARK = 16
"""Bytes in front: inode and ctime of the directory."""


class KeptList:
    """The packets of one list, and of the one before it. ``close`` it, whatever happens."""

    def __init__(self, path: str, directory: str) -> None:
        """``path`` is the file's; empty: none is kept."""
        self._path = path
        self._directory = directory
        self._before: IO[bytes] | None = self._opened() if path else None
        self._now: IO[bytes] | None = None
        self._equal = 0
        """Bytes that came as they had before."""
        if self._before is None:
            self._begin()

    def take(self, packets: list[bytes]) -> list[bytes]:
        """Take packets of the client; return those that have to be looked at."""
        if self._before is None:
            return packets
        data = _framed(packets)
        if self._before.read(len(data)) == data:
            self._equal += len(data)
            return []
        return [*self._differs(self._before), *packets]

    @property
    def is_equal(self) -> bool:
        """Whether the list has come as before, to its end."""
        if self._before is None:
            return False
        return self._before.tell() == os.fstat(self._before.fileno()).st_size

    def note(self, packets: list[bytes]) -> None:
        """Remember packets that were looked at, and are of the list."""
        if self._now is not None:
            try:
                self._now.write(_framed(packets))
            except OSError:  # the disk is full: the next list will be looked at
                self._give_up(self._now)

    def keep(self) -> None:
        """The directory is as the list says, from now on: know it again by that."""
        file = self._now
        if file is None:
            return
        try:
            file.seek(0)
            file.write(_mark(self._directory))
            file.close()
            os.replace(file.name, self._path)
        except OSError:
            self._give_up(file)
        self._now = None

    def close(self) -> None:
        if self._before is not None:
            self._before.close()
        if self._now is not None:
            self._give_up(self._now)

    def _opened(self) -> IO[bytes] | None:
        try:
            file = open(self._path, "rb")  # noqa: SIM115 - closed by ``close``
        except OSError:
            return None
        if file.read(_MARK) == _mark(self._directory):
            return file
        file.close()
        return None

    def _begin(self) -> None:
        if not self._path:
            return
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        with suppress(OSError):
            self._now = open(f"{self._path}.new", "wb")  # noqa: SIM115 - closed by ``close``
            self._now.write(bytes(_MARK))

    def _give_up(self, file: IO[bytes]) -> None:
        with suppress(OSError):  # what it still had to write
            file.close()
        with suppress(OSError):
            os.unlink(file.name)
        self._now = None

    def _differs(self, before: IO[bytes]) -> list[bytes]:
        """Return the packets that were equal so far."""
        before.seek(_MARK)
        packets = Unframer().feed(before.read(self._equal))
        before.close()
        self._before = None
        self._begin()
        return packets


def _framed(packets: list[bytes]) -> bytes:
    return b"".join(map(framed, packets))


def _mark(directory: str) -> bytes:
    found = os.stat(directory)
    return found.st_ino.to_bytes(8, "big") + found.st_ctime_ns.to_bytes(8, "big")
