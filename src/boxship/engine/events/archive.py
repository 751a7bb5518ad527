"""The events of before, kept beyond the daemon's life, without a cost to whoever makes them.

``add`` puts an event on a list. A tenth of a second later a thread of the archive's own writes
the list to the disk (``segments.py``), so that ``kill -9`` loses that much and a slow disk delays
nobody. Reading first waits until what was added is written: between what is read from the disk and
what the bus remembers there is no gap.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor

from boxship.engine.events import segments
from boxship.engine.events.segments import Bounds, Numbered, Segments

log = logging.getLogger(__name__)

WRITTEN_AFTER = 0.1
MOST_WAITING = 65_536
_BOUNDS = Bounds()


class Archive:
    """What the bus keeps its events in. Not thread-safe: call it from the event loop."""

    def __init__(self, directory: str, bounds: Bounds = _BOUNDS) -> None:
        """Open it. A disk that refuses costs the history, and not the daemon."""
        self._segments: Segments | None = None
        self.next_number = 1
        try:
            self._segments = Segments(directory, bounds)
            self.next_number = self._segments.next_number
        except OSError as error:
            log.warning("events are not kept for later: %s", error)
        self._waiting: list[Numbered] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="events")

    def add(self, item: Numbered) -> None:
        """Keep an event. A disk that has stood still for long loses what comes meanwhile."""
        if self._segments is None or len(self._waiting) >= MOST_WAITING:
            return
        self._waiting.append(item)
        if self._timer is None and self._writing is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(WRITTEN_AFTER, self._write, self._segments)

    async def read(self, *, before: int, since_ns: int) -> AsyncGenerator[list[Numbered], None]:
        """Yield events of that time and later, of numbers below ``before``, in order."""
        kept = self._segments
        if kept is None:
            return
        while self._waiting or self._writing is not None:
            await asyncio.wait([self._writing or self._write(kept)])
        for path in await asyncio.to_thread(kept.overlapping, before, since_ns):
            yield await asyncio.to_thread(segments.read, path, before, since_ns)

    def close(self) -> None:
        """Write what is waiting. Call it once nothing is added any more."""
        if self._timer is not None:
            self._timer.cancel()
        kept, self._segments = self._segments, None
        if kept is not None:
            batch, self._waiting = self._waiting, []
            self._thread.submit(kept.append, batch).result()
            kept.close()
        self._thread.shutdown()

    def _write(self, kept: Segments) -> asyncio.Future[None]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._waiting = self._waiting, []
        loop = asyncio.get_running_loop()
        self._writing = loop.run_in_executor(self._thread, kept.append, batch)
        self._writing.add_done_callback(self._written)
        return self._writing

    def _written(self, _writing: asyncio.Future[None]) -> None:
        self._writing = None
        if self._waiting and self._timer is None and self._segments is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(WRITTEN_AFTER, self._write, self._segments)
