"""Logs, read from the file that the shim writes; the daemon is not in the output's way.

Following means: read to the end, wait until the directory changes (inotify) or the container ends,
read on. When the file has been rotated away beneath us, its successor is found by inode.

Files are opened, read and decoded in threads. A client may leave at any moment, and a thread can't
be stopped: the files belong to the ``LogReading``, and are closed when its last step has returned.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from importlib import import_module
from typing import cast

from boxship.base.clock import Clock
from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.logconfig import log_place
from boxship.engine.containers.logdrivers import names
from boxship.engine.containers.logreader import LogPlace, LogReading
from boxship.engine.containers.logwatch import DirectoryWatch
from boxship.engine.containers.requests import LogLine, LogQuery
from boxship.runtime.messages import LogPosition

Batches = AsyncGenerator[list[LogLine], None]


def read(context: Context, container: Container, query: LogQuery) -> Batches:
    """Check the request and return the lines to come."""
    place = log_place(container.record, context.paths)
    if place is None and container.record.host.log_config.type not in names.KNOWN:
        pluginlogs = import_module("boxship.engine.containers.pluginlogs")
        return cast("Batches", pluginlogs.read(context, container.record, query))
    if place is None:
        raise InvalidArgumentError("configured logging driver does not support reading")
    if not query.follow or not container.record.state.running:
        return history(place, query)
    return follow(place, query, container.ended, context.clock)


async def history(
    place: LogPlace,
    query: LogQuery,
    until: LogPosition | None = None,
    *,
    after: LogPosition | None = None,
) -> Batches:
    """Yield what is in the log now, or of that what lies before ``until`` and behind ``after``."""
    reading = LogReading(place, query, after=after, until=until)
    steps = _Steps(reading.more, reading.close)
    try:
        while (batch := await steps.next()) is not None:
            yield batch
    finally:
        steps.close()


async def follow(place: LogPlace, query: LogQuery, ended: asyncio.Event, clock: Clock) -> Batches:
    """Yield what is in the log and what comes, until ``ended`` or until the time asked for."""
    reading = LogReading(place, query, follow=True)
    steps = _Steps(reading.more, reading.close)
    with DirectoryWatch(os.path.dirname(place.path)) as watch:
        try:
            while True:
                # Asked before reading: what was written before the end is read after it.
                last = ended.is_set() or _over(clock, query)
                watch.clear()
                while (batch := await steps.next()) is not None:
                    yield batch
                if last or reading.done:
                    return
                await _until_change(clock, query, watch, ended)
        finally:
            steps.close()


class _Steps:
    """Steps in threads, one at a time; ``close`` is put off until the last one has returned."""

    def __init__(self, step: Callable[[], list[LogLine] | None], close: Callable[[], None]) -> None:
        self._step = step
        self._close = close
        self._running: asyncio.Future[list[LogLine] | None] | None = None

    async def next(self) -> list[LogLine] | None:
        # A future of the executor, not a task: nobody but us can cancel it.
        self._running = asyncio.get_running_loop().run_in_executor(None, self._step)
        return await asyncio.shield(self._running)

    def close(self) -> None:
        running = self._running
        if running is None or running.done():
            self._close()
        else:
            running.add_done_callback(self._close_after)

    def _close_after(self, step: "asyncio.Future[list[LogLine] | None]") -> None:
        self._close()
        step.exception()  # nobody is left to be told


def _over(clock: Clock, query: LogQuery) -> bool:
    return query.until_ns != 0 and clock.now_ns() > query.until_ns


async def _until_change(
    clock: Clock, query: LogQuery, watch: DirectoryWatch, ended: asyncio.Event
) -> None:
    """Wait for something new in the log, the container's end, or the end of what was asked for."""
    patience = None
    if query.until_ns:
        patience = max(0.0, (query.until_ns - clock.now_ns()) / 10**9)
    waits = {asyncio.ensure_future(watch.changed()), asyncio.ensure_future(ended.wait())}
    try:
        await asyncio.wait(waits, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
