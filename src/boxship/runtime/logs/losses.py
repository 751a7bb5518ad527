"""How many lines of a container's output did not reach its log, in a file beside it.

The file has its full length from the beginning and is written in place, for which a disk that is
full has to find no room. As long as nothing was lost it was last written in 1970, so that its
contents need not be read to know that. Several writers may add to it: a shim that still waits for a
target while its container has been started again in another.
"""

import contextlib
import fcntl
import json
import os
from dataclasses import dataclass
from typing import Final

NAME: Final = "log-losses.json"
_SIZE: Final = 512
_MOST_TEXT: Final = 200


@dataclass(frozen=True, slots=True)
class Losses:
    """Lines that were lost, by where, since the log was begun or cleared."""

    disk: int = 0
    """The log's file could not be written."""
    buffer: int = 0
    """The target did not keep up, and the container is not to wait (``mode=non-blocking``)."""
    target: int = 0
    """The target refused them, or was not there until the container had ended."""
    reason: str = ""
    """What went wrong last."""

    @property
    def lines(self) -> int:
        """All of them."""
        return self.disk + self.buffer + self.target

    def plus(self, other: "Losses") -> "Losses":
        """Return both together; the reason is the other's, if it has one."""
        return Losses(
            self.disk + other.disk,
            self.buffer + other.buffer,
            self.target + other.target,
            other.reason or self.reason,
        )


class Ledger:
    """Keeps losses in the file ``path``. Never raises: what can't be written is written later."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._unwritten = Losses()
        self._is_there = False
        with contextlib.suppress(OSError):
            os.close(self._opened())

    @property
    def is_written(self) -> bool:
        """Whether nothing is left to be written."""
        return self._unwritten == Losses()

    def add(self, losses: Losses) -> None:
        """Count ``losses``, to be written."""
        self._unwritten = self._unwritten.plus(losses)

    def write(self) -> bool:
        """Write what is not written yet; tell whether that is all."""
        if self.is_written:
            return True
        try:
            fd = self._opened()
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            content = _content(_parsed(os.pread(fd, _SIZE, 0)).plus(self._unwritten))
            if os.pwrite(fd, content, 0) < len(content):
                return False
        except OSError:
            return False
        finally:
            os.close(fd)
        self._unwritten = Losses()
        return True

    def _opened(self) -> int:
        # Made once: when it is gone, so is the container.
        create = 0 if self._is_there else os.O_CREAT
        fd = os.open(self._path, os.O_RDWR | create | os.O_CLOEXEC, 0o640)
        try:
            if not self._is_there and os.fstat(fd).st_size < _SIZE:
                _write_nothing(fd)
        except OSError:
            os.close(fd)
            raise
        self._is_there = True
        return fd


def read_losses(directory: str) -> Losses:
    """Return what has been lost of the log in ``directory``; nothing if nobody says so."""
    try:
        if not os.stat(f"{directory}/{NAME}").st_mtime_ns:
            return Losses()
        with open(f"{directory}/{NAME}", "rb") as file:
            return _parsed(file.read(_SIZE))
    except OSError:
        return Losses()


def forget_losses(directory: str) -> None:
    """Begin from zero. Raise OSError."""
    with contextlib.suppress(FileNotFoundError):
        fd = os.open(f"{directory}/{NAME}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            _write_nothing(fd)
        finally:
            os.close(fd)


def _write_nothing(fd: int) -> None:
    os.pwrite(fd, _NOTHING, 0)
    os.utime(fd, ns=(0, 0))


def _content(losses: Losses) -> bytes:
    fields = {"disk": losses.disk, "buffer": losses.buffer, "target": losses.target}
    reason = losses.reason.encode("ascii", "replace").decode()[:_MOST_TEXT]
    return json.dumps(fields | {"reason": reason}).encode().ljust(_SIZE - 1) + b"\n"


def _parsed(content: bytes) -> Losses:
    try:
        found = json.loads(content)
        return Losses(found["disk"], found["buffer"], found["target"], found["reason"])
    except (ValueError, KeyError, TypeError):  # torn by a crash
        return Losses()


_NOTHING: Final = _content(Losses())
