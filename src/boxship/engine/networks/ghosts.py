"""Interfaces of containers that have ended, removed if their namespaces have not.

An interface goes with its namespace, at no cost to anybody; removing it by name would have the
kernel wait for all processors. But somebody else may be in the namespace (``nsenter``, a process
that left the container's cgroup), and would keep interface and address, which is given out again.
So those that are still there after a while are removed by name.
"""

import asyncio
import logging
from collections.abc import Iterable

from boxship.engine.networks.worker import NetworkWorker
from boxship.net.links import Links

_log = logging.getLogger(__name__)
_AFTER = 2.0
"""Seconds; a namespace without processes takes some ten milliseconds to go."""


class Ghosts:
    """The event loop's; ``close`` before the loop ends."""

    def __init__(self, worker: NetworkWorker) -> None:
        self._worker = worker
        self._names: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def expect(self, names: Iterable[str]) -> None:
        """Remove these in a while, unless they go by themselves."""
        self._names.update(filter(None, names))
        if self._names and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_AFTER, self._lay)

    async def remove(self, names: Iterable[str]) -> None:
        """Remove these now: it is known that somebody is in there."""
        await self._worker.run(remove_links, tuple(filter(None, names)))

    async def close(self) -> None:
        """Leave the rest to whoever looks at start-up."""
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _lay(self) -> None:
        names, self._names, self._timer = self._names, set(), None
        task = asyncio.get_running_loop().create_task(self._remove_left(names))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _remove_left(self, names: Iterable[str]) -> None:
        try:
            await self.remove(names)
        except OSError:
            _log.exception("interfaces of ended containers stay until the next start of the daemon")


def remove_links(names: Iterable[str]) -> None:
    """Remove interfaces; those that are gone already don't matter. OSError."""
    with Links.open() as links:
        links.remove_all(names)
