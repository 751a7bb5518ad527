"""Work that nobody waits for: kept from being forgotten, and its failures from being silent."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
_PATIENCE = 10.0
_PATIENCE_WITH_REQUESTS = 5.0  # less: one may wait for a container's end


class Background:
    """Tasks that belong to the engine rather than to a request."""

    def __init__(self) -> None:
        self._chores: set[asyncio.Task[Any]] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._requests: set[asyncio.Task[Any]] = set()
        self.closed = False

    def spawn(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Start ``work``; an error of it is logged if nobody else has taken it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def chore(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Start ``work`` that is short and must not be left half done: closing waits for it."""
        task = self.spawn(work)
        self._tasks.discard(task)
        self._chores.add(task)
        return task

    async def finish(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Wait for ``work``, which goes on to its end even if the waiter is cancelled.

        A client that hangs up in the middle of a create or remove must not leave half of it.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Finish the chores and, if they don't take long, requests; cancel what else still runs."""
        self.closed = True
        if self._requests:
            await asyncio.wait(self._requests, timeout=_PATIENCE_WITH_REQUESTS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while self._chores:  # one may bring about another
                    await asyncio.wait(self._chores)
        tasks = [*self._tasks, *self._requests]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._chores.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background work failed", exc_info=error)
