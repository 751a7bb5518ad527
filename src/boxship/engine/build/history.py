"""Builds that run and builds that have ended, for ``docker buildx history``."""

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import msgspec

from boxship.base.clock import Clock
from boxship.base.errors import NotFoundError, UnavailableError
from boxship.engine.build.logbook import Account, Logbook, Recording
from boxship.engine.build.progress import ProgressEvent, Tell, Vertex, VertexWarning
from boxship.engine.build.requests import BuildRecord, BuildRequest, BuildResult, DockerfileText
from boxship.engine.records.database import Database
from boxship.engine.settings import BuildCacheSettings
from boxship.oci.digest import Digest

_NAME = "BUILDKIT_BUILD_NAME"
"""The argument by which a client calls its build."""


_USUAL = BuildCacheSettings()


class History:
    """Belongs to the event loop."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        logbook: Logbook,
        settings: BuildCacheSettings = _USUAL,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._logbook = logbook
        self._records: dict[str, BuildRecord] = {}

    async def load(self) -> None:
        """Read what has ended before."""
        query = "SELECT body FROM builds ORDER BY created_ns"
        for (body,) in await self._database.read(query):
            assert isinstance(body, bytes)
            record = msgspec.json.decode(body, type=BuildRecord)
            self._records.setdefault(record.reference, record)
        await asyncio.to_thread(self._logbook.keep_only, tuple(self._records))

    async def told(self, reference: str) -> list[ProgressEvent]:
        """Return what a build that has ended has told. NotFoundError."""
        record = self._records.get(reference)
        if record is None or record.completed_ns is None:
            raise NotFoundError(f"no build {reference} has ended")
        account = await asyncio.to_thread(self._logbook.read, reference)
        return list(account.told_again())

    def all(self) -> list[BuildRecord]:
        """Return all, newest first."""
        return sorted(self._records.values(), key=lambda each: each.created_ns, reverse=True)

    def now_ns(self) -> int:
        return self._clock.now_ns()

    def begin(self, request: BuildRequest, tell: Tell) -> "Running":
        """Note a build that begins; pass what it tells through what is returned."""
        attributes = {
            "target": request.target,
            "filename": _filename(request),
            "no-cache": "true" if request.cache.disabled else "",
        }
        attributes = {name: value for name, value in attributes.items() if value}
        # Values may be secret; the names say what it was built with.
        attributes |= {f"build-arg:{name}": "…" for name in request.build_args}
        named = request.build_args.get(_NAME)
        if named:
            attributes[f"build-arg:{_NAME}"] = named
        record = BuildRecord(
            reference=request.reference,
            name=named or _filename(request),
            created_ns=self._clock.now_ns(),
            attributes=attributes,
        )
        if request.recorded:
            self._records[record.reference] = record
        return Running(self, record, tell, kept=request.recorded)

    async def end(self, record: BuildRecord, account: Account) -> None:
        """Keep a build that has ended, and what it has told; the oldest go."""
        with suppress(OSError):  # the disk is full: how the build ended is what matters
            await asyncio.to_thread(self._logbook.write, record.reference, account)
        self._records[record.reference] = record
        ended = [each for each in self.all() if each.completed_ns is not None and not each.pinned]
        kept, age_ns = self._settings.history_most, self._settings.history_age_ns
        late_ns = self._clock.now_ns() - age_ns if age_ns else 0
        old = [each.reference for each in ended[kept:]]
        old += [each.reference for each in ended[:kept] if (each.completed_ns or 0) < late_ns]
        for reference in old:
            del self._records[reference]
        row = (record.reference, record.created_ns, msgspec.json.encode(record))

        def change(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR REPLACE INTO builds VALUES(?, ?, ?)", row)
            db.executemany("DELETE FROM builds WHERE id = ?", [(each,) for each in old])

        with suppress(UnavailableError):
            await self._database.write(change, durable=False)
        if old:
            await asyncio.to_thread(self._logbook.remove, old)

    async def forget(self, reference: str) -> None:
        """Remove a build that has ended. NotFoundError."""
        record = self._records.get(reference)
        if record is None or record.completed_ns is None:
            raise NotFoundError(f"no build {reference} has ended")
        del self._records[reference]

        def change(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM builds WHERE id = ?", (reference,))

        await self._database.write(change, durable=False)
        await asyncio.to_thread(self._logbook.remove, (reference,))


class Running:
    """A build while it runs: counts what it tells."""

    def __init__(self, history: History, record: BuildRecord, tell: Tell, *, kept: bool) -> None:
        self._history = history
        self._kept = kept
        self._record = record
        self._tell = tell
        self._vertices: dict[Digest, Vertex] = {}
        self._warnings = 0
        self._recording = Recording()

    def tell(self, event: ProgressEvent) -> None:
        """Pass an event on."""
        if isinstance(event, Vertex):
            self._vertices[event.digest] = event
        elif isinstance(event, VertexWarning):
            self._warnings += 1
        if self._kept:
            self._recording.note(event)
        self._tell(event)

    async def end(self, *, error: str = "", result: BuildResult | None = None) -> None:
        """Say how it ended."""
        if not self._kept:
            return
        done = [v for v in self._vertices.values() if v.completed_ns is not None and not v.error]
        response: Mapping[str, str] = {} if result is None else result.response
        images = () if result is None else tuple(i.image_id for i in result.images if i.image_id)
        await self._history.end(
            replace(
                self._record,
                completed_ns=self._history.now_ns(),
                error=error,
                total_steps=len(self._vertices),
                cached_steps=sum(vertex.cached for vertex in done),
                completed_steps=len(done),
                warnings=self._warnings,
                response=response,
                images=images,
            ),
            self._recording.account(),
        )


def _filename(request: BuildRequest) -> str:
    wanted = request.dockerfile
    return wanted.name if isinstance(wanted, DockerfileText) else wanted.path
