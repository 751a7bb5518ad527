"""Builds: one use case per method. The doors call this on the event loop."""

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Protocol

from boxship.base.clock import Clock
from boxship.base.ids import boot_id, new_id
from boxship.dockerfile.instructions import Dockerfile
from boxship.engine.build.building import Build, Workplace
from boxship.engine.build.cachestore import CacheStore
from boxship.engine.build.clientside import ClientSide
from boxship.engine.build.contexts import Contexts
from boxship.engine.build.downloads import Downloads
from boxship.engine.build.executing import Executor
from boxship.engine.build.failures import BuildCancelledError
from boxship.engine.build.history import History
from boxship.engine.build.housekeeping import Housekeeping
from boxship.engine.build.loading import Loader
from boxship.engine.build.logbook import Logbook
from boxship.engine.build.progress import ProgressEvent, Tell
from boxship.engine.build.reporting import Reporter
from boxship.engine.build.requests import (
    BuildRecord,
    BuildRequest,
    BuildResult,
    CacheEntry,
    Pruned,
    PruneRequest,
    check,
)
from boxship.engine.build.results import Ground, Turns
from boxship.engine.containers.context import Context
from boxship.engine.images.bridge import in_thread, to_the_end
from boxship.engine.images.service import ImageService
from boxship.engine.records.database import Database
from boxship.storage.storage import Storage

_LEAST_AT_ONCE = 4
_REST = 60.0
"""Seconds between the end of a build and the collection of what is too much."""


class Builder(Protocol):
    """What doors build with: :class:`Builds`, or a fake in their tests."""

    async def build(self, request: BuildRequest, client: ClientSide, tell: Tell) -> BuildResult:
        """Build; cancelling the task ends its steps and leaves nothing of them.

        Raise InvalidDockerfileError, StepFailedError, InvalidArgumentError (the request),
        NotFoundError (a base image, a file, a stage).
        """
        ...

    async def read(self, request: BuildRequest, client: ClientSide) -> Dockerfile:
        """Return the Dockerfile of a build without building. Raises as ``build`` does."""
        ...

    async def cancel(self, reference: str) -> None:
        """End the build of that name; one that is not there is fine."""
        ...

    async def prune(self, request: PruneRequest) -> Pruned:
        """Let parts of the cache go. InvalidArgumentError: a filter nobody knows."""
        ...

    async def usage(self) -> list[CacheEntry]:
        """List the cache, most recently used first."""
        ...

    async def history(self) -> list[BuildRecord]:
        """List builds, running and ended, newest first."""
        ...

    async def told(self, reference: str) -> list[ProgressEvent]:
        """Return what a build that has ended has told, bounded. NotFoundError."""
        ...

    async def forget(self, reference: str) -> None:
        """Take a build out of the history. NotFoundError."""
        ...

    async def close(self) -> None:
        """End all builds, when the engine is closed."""
        ...


class Builds:
    """All builds of an engine."""

    def __init__(
        self, context: Context, images: ImageService, storage: Storage, database: Database
    ) -> None:
        kept = images.of_builds.kept
        present = storage.layers.find
        cache = CacheStore(database, kept, context.clock, lambda each: present(each) is not None)
        at_once = asyncio.Semaphore(max(_LEAST_AT_ONCE, os.cpu_count() or 1))
        self._clock: Clock = context.clock
        self._measures = context.measures
        self._cache = cache
        self._loading: asyncio.Task[None] | None = None
        settings = context.settings.build_cache
        logbook = Logbook(storage.root.join("build-logs"))
        self._history = History(database, context.clock, logbook, settings)
        self._denied = settings.denied
        self._closed = False
        self._chores: set[asyncio.Task[None]] = set()
        self._tidying: asyncio.Task[None] | None = None
        self._running: dict[asyncio.Task[BuildResult], str] = {}
        """Builds that run, and what their clients call them."""
        self._workplace = Workplace(
            ground=Ground(storage, cache, context.clock, Turns()),
            images=images,
            executor=Executor(context, storage, at_once),
            contexts=Contexts(storage.root.join("contexts"), context.throw_away, boot_id()),
            downloads=Downloads(storage.root.join("downloads")),
        )
        place = self._workplace
        self._housekeeping = Housekeeping(
            place.ground,
            images,
            place.contexts,
            place.executor.caches,
            place.downloads,
            settings,
        )

    async def build(self, request: BuildRequest, client: ClientSide, tell: Tell) -> BuildResult:
        """See :class:`Builder`."""
        await self._loaded()
        if not request.reference:
            request = replace(request, reference=new_id()[:25])
        check(request, self._denied)
        running = self._history.begin(request, tell)
        self._measures.builds.add()
        report = Reporter(running.tell, self._clock)
        task = asyncio.ensure_future(Build(self._workplace, request, client, report).run())
        self._running[task] = request.reference
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await to_the_end(asyncio.wait({task}))
            raise
        finally:
            del self._running[task]
            failure = _failure(task)
            if failure:
                self._measures.builds_failed.add()
            await to_the_end(running.end(error=failure, result=None if failure else task.result()))
            self._tidy()
        if task.cancelled():
            raise BuildCancelledError("context canceled")
        return task.result()

    async def _settle(self) -> None:
        """Flush the layers, and let their records be believed after power loss, too.

        Nobody waits for it: until then a record is worth what the page cache is.
        """
        made = self._cache.unsettled()
        if made:
            await in_thread(self._workplace.ground.storage.writeback.finish)
            await self._cache.settle(made)

    def _tidy(self) -> None:
        """Settle the records and keep the cache's bounds, behind the back of whoever has built."""
        if self._closed:
            return
        self._chore(self._settle())
        if self._tidying is None or self._tidying.done():
            self._tidying = self._chore(self._tidied())

    def _chore(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def _tidied(self) -> None:
        # Adding it all up reads directories of contexts, which the next build wants to read, too.
        await asyncio.sleep(_REST)
        await self._housekeeping.keep_bounds()

    async def close(self) -> None:
        """End all builds, when the engine is closed."""
        self._closed = True
        tasks = [*self._running, *self._chores]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def read(self, request: BuildRequest, client: ClientSide) -> Dockerfile:
        """See :class:`Builder`."""
        unheard = Reporter(lambda _: None, self._clock)
        loader = Loader(request, client, self._workplace.contexts, unheard)
        return (await loader.load()).dockerfile

    async def cancel(self, reference: str) -> None:
        """See :class:`Builder`."""
        tasks = [task for task, name in self._running.items() if name == reference]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def prune(self, request: PruneRequest) -> Pruned:
        """See :class:`Builder`."""
        await self._loaded()
        return await self._housekeeping.prune(request)

    async def usage(self) -> list[CacheEntry]:
        """See :class:`Builder`."""
        await self._loaded()
        return await self._housekeeping.usage()

    async def history(self) -> list[BuildRecord]:
        """See :class:`Builder`."""
        await self._loaded()
        return self._history.all()

    async def told(self, reference: str) -> list[ProgressEvent]:
        """See :class:`Builder`."""
        await self._loaded()
        return await self._history.told(reference)

    async def forget(self, reference: str) -> None:
        """See :class:`Builder`."""
        await self._loaded()
        await self._history.forget(reference)

    async def _loaded(self) -> None:
        """Wait for the records, which the first who asks has read."""
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._load())
        await asyncio.shield(self._loading)

    async def _load(self) -> None:
        await self._cache.load()
        await self._history.load()


def _failure(task: "asyncio.Task[BuildResult]") -> str:
    if task.cancelled():
        return "canceled"
    error = task.exception()
    return "" if error is None else str(error) or type(error).__name__
