"""What builds have told, kept for those who ask after their end.

::

    <data-root>/build-logs/<digest of the reference>    one build, compressed

While a build runs the same is in memory: the last word about each vertex, and the newest of what
each has written. The words are told again as if the build ran: a vertex begins, writes, ends.
"""

import os
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256

import msgspec

from boxship.base.errors import NotFoundError
from boxship.engine.build.progress import (
    ProgressEvent,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from boxship.oci.digest import Digest

_MOST_OF_VERTEX = 128 << 10
_MOST = 4 << 20
"""Bytes of output that are kept of a vertex, and of a build."""
_MOST_WARNINGS = 200
_About = VertexStatus | VertexLog | VertexWarning


class Account(msgspec.Struct, frozen=True):
    """What a build has told, as it is kept."""

    vertices: tuple[Vertex, ...] = ()
    statuses: tuple[VertexStatus, ...] = ()
    logs: tuple[VertexLog, ...] = ()
    warnings: tuple[VertexWarning, ...] = ()

    def told_again(self) -> Iterator[ProgressEvent]:
        """Yield the events in an order in which they might have been told."""
        about: dict[Digest, list[ProgressEvent]] = {}
        events: tuple[_About, ...] = (*self.statuses, *self.logs, *self.warnings)
        for event in events:
            about.setdefault(event.vertex, []).append(event)
        for vertex in sorted(self.vertices, key=lambda each: each.started_ns or 0):
            if about.get(vertex.digest):
                yield replace(vertex, completed_ns=None, error="")
            yield from about.get(vertex.digest, ())
            yield vertex


class Recording:
    """Writes down what one build tells, within bounds: the newest output stays."""

    def __init__(self) -> None:
        self._vertices: dict[Digest, Vertex] = {}
        self._statuses: dict[tuple[Digest, str], VertexStatus] = {}
        self._warnings: list[VertexWarning] = []
        self._logs: dict[Digest, deque[VertexLog]] = {}
        self._sizes: dict[Digest, int] = {}

    def note(self, event: ProgressEvent) -> None:
        """Keep an event, if it is one that is told again."""
        if isinstance(event, Vertex):
            self._vertices[event.digest] = event
        elif isinstance(event, VertexLog):
            self._write(event)
        elif isinstance(event, VertexStatus):
            self._statuses[event.vertex, event.id] = event
        elif isinstance(event, VertexWarning) and len(self._warnings) < _MOST_WARNINGS:
            self._warnings.append(event)

    def _write(self, log: VertexLog) -> None:
        written = self._logs.setdefault(log.vertex, deque())
        written.append(log)
        size = self._sizes.get(log.vertex, 0) + len(log.data)
        while size > _MOST_OF_VERTEX and len(written) > 1:
            size -= len(written.popleft().data)
        self._sizes[log.vertex] = size

    def account(self) -> Account:
        """Return what is kept; of too many noisy vertices the earlier ones lose their output."""
        logs: list[VertexLog] = []
        left = _MOST
        for vertex in reversed(self._logs):
            left -= self._sizes[vertex]
            if left >= 0:
                logs[:0] = self._logs[vertex]
        statuses = tuple(self._statuses.values())
        return Account(tuple(self._vertices.values()), statuses, tuple(logs), tuple(self._warnings))


class Logbook:
    """The accounts of ended builds. All methods block."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def write(self, reference: str, account: Account) -> None:
        """Keep an account. OSError: the disk is full, or fails; nothing half-written stays."""
        os.makedirs(self._directory, 0o700, exist_ok=True)
        path = self._path(reference)
        try:
            with open(f"{path}.new", "wb") as file:
                file.write(zlib.compress(msgspec.msgpack.encode(account), 1))
            os.rename(f"{path}.new", path)
        except OSError:
            _remove(f"{path}.new")
            raise

    def read(self, reference: str) -> Account:
        """Return an account. NotFoundError: there is none, or power loss has damaged it."""
        try:
            with open(self._path(reference), "rb") as file:
                data = zlib.decompress(file.read())
            return msgspec.msgpack.decode(data, type=Account)
        except (OSError, zlib.error, msgspec.DecodeError):
            raise NotFoundError(f"nothing is kept of what build {reference} has told") from None

    def remove(self, references: Iterable[str]) -> None:
        """Forget accounts; one that is not there is fine."""
        for reference in references:
            _remove(self._path(reference))

    def keep_only(self, references: Iterable[str]) -> None:
        """Forget all others, among them what a killed daemon has left."""
        wanted = {self._path(reference) for reference in references}
        with suppress(OSError):
            for name in os.listdir(self._directory):
                path = os.path.join(self._directory, name)
                if path not in wanted:
                    _remove(path)

    def _path(self, reference: str) -> str:
        # A client chose it: it is no name for a file.
        name = sha256(reference.encode(errors="surrogateescape")).hexdigest()
        return os.path.join(self._directory, name)


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
