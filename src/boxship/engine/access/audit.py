"""The log of what was asked within scopes, and whether it was allowed: one JSON object a line.

::

    <data root>/access/audit.log      the latest
    <data root>/access/audit.log.1    before that, and so on up to KEPT

    {"time":"2026-01-31T12:00:00.123456789Z","scope":"ci","door":"socket","pid":4711,"uid":1000,
     "command":"docker ps","method":"POST","path":"/v1.45/containers/web/stop","allowed":false,
     "status":403,"reason":"the scope ci does not allow this: it lacks containers:stop"}

A query and a body are left out: they may hold secrets. What somebody sends who has no scope (a
wrong token) is logged with an empty one. Whoever follows the log and is too slow misses lines, and
nobody waits for a follower.
"""

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from typing import BinaryIO

import msgspec
from msgspec import Struct

from boxship.base.rotated import RotatedFile

_log = logging.getLogger(__name__)
LIMIT = 10 << 20
"""Bytes of a file."""
KEPT = 4
"""Older files beside the one that is written."""
_MOST_WAITING = 1024
_PIECE = 1 << 18

_Part = tuple[BinaryIO, int]


class AuditEntry(Struct, frozen=True, omit_defaults=True):
    """One request. ``door`` is ``socket`` or ``token``; ``address`` that of a client over TCP."""

    time: str
    scope: str
    door: str
    method: str
    path: str
    allowed: bool
    status: int
    reason: str = ""
    pid: int = 0
    uid: int = -1
    command: str = ""
    address: str = ""
    agent: str = ""


class AuditLog:
    """Writes and reads the log. A full disk costs lines, is told, and stops nobody."""

    def __init__(self, directory: str, limit: int = LIMIT, kept: int = KEPT) -> None:
        self._file = RotatedFile(f"{directory}/audit.log", limit, kept)
        self._followers: set[asyncio.Queue[AuditEntry]] = set()

    def write(self, entry: AuditEntry) -> None:
        """Add a line."""
        try:
            self._file.append(msgspec.json.encode(entry) + b"\n")
        except OSError as error:
            _log.error("the audit log cannot be written: %s", error)
            self._file.close()
        for follower in self._followers:
            if not follower.full():
                follower.put_nowait(entry)

    async def tell(
        self, scope: str = "", most: int = 0, *, follow: bool = False
    ) -> AsyncGenerator[AuditEntry, None]:
        """Yield the latest ``most`` (0: all) of a scope (empty: of all), oldest first.

        To ``follow``: and what is written from then on.
        """
        waiting: asyncio.Queue[AuditEntry] = asyncio.Queue(_MOST_WAITING)
        written = self._parts()
        if follow:  # from the same moment on up to which is read: nothing is missed or told twice
            self._followers.add(waiting)
        try:
            async with contextlib.aclosing(_latest(written, scope, most)) as latest:
                async for entry in latest:
                    yield entry
            while follow:
                entry = await waiting.get()
                if scope in ("", entry.scope):
                    yield entry
        finally:
            self._followers.discard(waiting)
            for file, _ in written:
                file.close()

    def _parts(self) -> list[_Part]:
        """Open all files, oldest first, with their lengths at this moment."""
        parts: list[_Part] = []
        for path in reversed(self._file.paths):
            with contextlib.suppress(FileNotFoundError):
                file = open(path, "rb")  # noqa: SIM115 - closed by who reads
                parts.append((file, os.fstat(file.fileno()).st_size))
        return parts

    def close(self) -> None:
        """Close the file; writing opens it again."""
        self._file.close()


async def _latest(parts: list[_Part], scope: str, most: int) -> AsyncGenerator[AuditEntry, None]:
    """Read piece by piece, in a thread: all of it is 50 MB."""
    latest: deque[AuditEntry] = deque(maxlen=most or None)
    pieces = _pieces(parts)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        latest.extend(entry for entry in piece if scope in ("", entry.scope))
        while latest and not most:
            yield latest.popleft()
    for entry in latest:
        yield entry


def _pieces(parts: list[_Part]) -> Iterator[list[AuditEntry]]:
    for file, size in parts:
        while (left := size - file.tell()) > 0 and (lines := file.readlines(min(left, _PIECE))):
            yield list(_entries(lines))


def _entries(lines: list[bytes]) -> Iterator[AuditEntry]:
    """Decode lines; one that power loss cut short is left out."""
    for line in lines:
        with contextlib.suppress(msgspec.MsgspecError):
            yield msgspec.json.decode(line, type=AuditEntry)
