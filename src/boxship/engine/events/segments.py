"""Events on the disk: files of lines, written by one thread, read by any.

::

    data-root/events/
        00000000000000000001.jsonl     named after the number of its first event
        00000000000000005142.jsonl     the newest; only this one grows
            [5142,1800000000000000000,"container","start","4f…",{"name":"web"},"local"]
             number, time in ns, type, action, actor, attributes, scope

Files of lines and not a table of the records' database: an event must never wait for, nor make
anybody wait for, an fsync of records; what is too old goes by one ``unlink`` instead of a delete
and a vacuum; and one ``write`` per batch is all that it costs. Nothing is fsynced. ``kill -9``
loses what had not been written yet, power loss what the kernel had not. A line that is not whole
is no line: the next daemon cuts it off, and readers skip what they cannot read.
"""

import contextlib
import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from boxship.model.event import Event, EventType

log = logging.getLogger(__name__)

_SUFFIX = ".jsonl"
# A file's time comes from the kernel's coarse clock, which lags behind that of the events.
_COARSE_NS = 1_000_000_000


@dataclass(frozen=True)
class Bounds:
    """How much is kept. Whole files go, so that it may be a file less."""

    segment_bytes: int = 1 << 20
    most_bytes: int = 16 << 20
    most_age: float = 30 * 24 * 3600.0
    """In seconds."""


class Numbered(Struct, frozen=True, array_like=True):
    """An event and its place in the order of all of them. Numbers rise by one, from 1."""

    number: int
    time_ns: int
    type: EventType
    action: str
    actor: str
    attributes: dict[str, str]
    scope: str

    @classmethod
    def of(cls, number: int, event: Event) -> "Numbered":
        e = event
        return cls(number, e.time_ns, e.type, e.action, e.actor, e.attributes, e.scope)

    def event(self) -> Event:
        return Event(self.type, self.action, self.actor, self.attributes, self.time_ns, self.scope)


_ENCODER = msgspec.json.Encoder()
_BOUNDS = Bounds()
_DECODER = msgspec.json.Decoder(Numbered)


class Segments:
    """The files of one directory. ``append`` is for one thread at a time."""

    def __init__(self, directory: str, bounds: Bounds = _BOUNDS) -> None:
        """Open the directory, and mend what a killed daemon left. Raises OSError."""
        self._directory = directory
        self._bounds = bounds
        self._fd = -1
        self._size = 0
        self._failing = False
        os.makedirs(directory, 0o700, exist_ok=True)
        self.next_number = self._recover()

    def append(self, items: Sequence[Numbered]) -> None:
        """Write events at the end. What the disk refuses is lost, and said once."""
        if not items:
            return
        try:
            if self._fd < 0 or self._size >= self._bounds.segment_bytes:
                self._begin(items[0].number)
            self._write(b"".join([_ENCODER.encode(item) + b"\n" for item in items]))
        except OSError as error:
            if not self._failing:
                log.warning("events are not kept for later: %s", error)
            self._failing = True
        else:
            self._failing = False

    def overlapping(self, before: int, since_ns: int) -> list[str]:
        """Return the files with events of that time and later, of numbers below ``before``."""
        found = []
        for first, path in self._files():
            with contextlib.suppress(OSError):
                if first < before and os.stat(path).st_mtime_ns + _COARSE_NS >= since_ns:
                    found.append(path)
        return found

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise
        self._size += len(data)

    def _begin(self, number: int) -> None:
        """Go on in a file of its own, and let go of what is too old or too much."""
        self._prune()
        path = f"{self._directory}/{number:020}{_SUFFIX}"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.close()
        self._fd, self._size = fd, os.fstat(fd).st_size

    def _recover(self) -> int:
        """Go on with the newest file where it is whole; return the number of the next event."""
        self._prune()
        files = self._files()
        if not files:
            self._begin(1)
            return 1
        first, path = files[-1]
        with open(path, "rb") as file:
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        if whole < len(data):
            os.ftruncate(self._fd, whole)
        self._size = whole
        last = next(_decoded(reversed(data[:whole].splitlines())), None)
        return max(first, last.number + 1 if last else 0)

    def _prune(self) -> None:
        kept = self._bounds.segment_bytes  # room for the file to come
        oldest = time.time() - self._bounds.most_age
        for _, path in reversed(self._files()):
            with contextlib.suppress(OSError):
                status = os.stat(path)
                kept += status.st_size
                if kept > self._bounds.most_bytes or status.st_mtime < oldest:
                    os.unlink(path)

    def _files(self) -> list[tuple[int, str]]:
        """Return the number of each file's first event and its path, oldest first."""
        names = [name.removesuffix(_SUFFIX) for name in os.listdir(self._directory)]
        numbers = sorted(int(name) for name in names if name.isdecimal())
        return [(number, f"{self._directory}/{number:020}{_SUFFIX}") for number in numbers]


def read(path: str, before: int, since_ns: int) -> list[Numbered]:
    """Return a file's events of that time and later, of numbers below ``before``.

    One that cannot be read, or has gone meanwhile because it was too old, has none.
    """
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except OSError:
        return []
    return [e for e in _decoded(lines[:-1]) if e.number < before and e.time_ns >= since_ns]


def _decoded(lines: Iterable[bytes]) -> Iterator[Numbered]:
    for line in lines:
        with contextlib.suppress(msgspec.DecodeError):
            yield _DECODER.decode(line)
