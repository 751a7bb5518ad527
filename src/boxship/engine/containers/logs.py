"""Logs, read from the file that the shim writes; the daemon is not in the output's way.

Following means: read to the end, wait until the directory changes (inotify) or the container ends,
read on. When the file has been rotated away beneath us, its successor is found by inode.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers import logreader
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.logreader import Segment, Sieve
from boxship.engine.containers.logwatch import DirectoryWatch
from boxship.engine.containers.requests import LogLine, LogQuery
from boxship.runtime.messages import LogPosition

Batches = AsyncGenerator[list[LogLine], None]


def read(context: Context, container: Container, query: LogQuery) -> Batches:
    """Check the request and return the lines to come."""
    path = container.record.log_path
    if not path:
        raise InvalidArgumentError("configured logging driver does not support reading")
    if not query.follow or not container.record.state.running:
        return history(path, query)
    return _follow(context, container, path, query)


async def history(path: str, query: LogQuery, until: LogPosition | None = None) -> Batches:
    """Yield what is in the log now; with ``until`` only what lies before that place."""
    segments = await asyncio.to_thread(_open, path, query, until)
    async with aclosing(_in_thread(logreader.batches(segments, Sieve(query)))) as found:
        async for batch in found:
            yield batch


def _open(path: str, query: LogQuery, until: LogPosition | None) -> list[Segment]:
    segments = logreader.open_segments(path)
    if until is not None:
        segments = logreader.cut_at(segments, until)
    if query.tail is not None:
        segments = logreader.keep_last(segments, query.tail)
    return segments


async def _in_thread(batches: Iterator[list[LogLine]]) -> Batches:
    try:
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            yield batch
    finally:
        # Cancelled in the middle of a step, the thread still uses the files; its generator is
        # then closed by whoever drops it last.
        close = getattr(batches, "close", None)
        if close is not None:
            with suppress(ValueError):
                close()


async def _follow(context: Context, container: Container, path: str, query: LogQuery) -> Batches:
    ended = container.ended
    sieve = Sieve(query)
    with DirectoryWatch(context.paths.of(container.id).directory) as watch:
        segments = await asyncio.to_thread(_open, path, query, None)
        current = segments.pop() if segments else None
        try:
            for batch in logreader.batches(segments, sieve):
                yield batch
            while not sieve.done:
                # Asked before reading: what was written before the end is read after it.
                last = ended.is_set() or _over(context, query)
                watch.clear()
                if current is None:
                    current = await asyncio.to_thread(_first, path)
                while current is not None and (found := await _more(current)) is not None:
                    if kept := sieve.sift(found):
                        yield kept
                    if sieve.done:
                        break
                following = await asyncio.to_thread(_successor, path, current)
                if following is not None and current is not None:
                    if (rest := await _more(current)) is not None:  # written before the rename
                        yield sieve.sift(rest)
                    current.close()
                    current = following
                elif last:
                    return
                else:
                    await _until_change(context, query, watch, ended)
        finally:
            if current is not None:
                current.close()


def _first(path: str) -> Segment | None:
    segments = logreader.open_segments(path)
    logreader.close_all(segments[1:])
    return segments[0] if segments else None


def _successor(path: str, current: Segment | None) -> Segment | None:
    return None if current is None else logreader.next_file(path, current.inode)


async def _more(segment: Segment) -> list[LogLine] | None:
    return await asyncio.to_thread(_read_growing, segment)


def _read_growing(segment: Segment) -> list[LogLine] | None:
    segment.end = logreader.length(segment)
    return logreader.read_on(segment) if segment.end > segment.start else None


def _over(context: Context, query: LogQuery) -> bool:
    return query.until_ns != 0 and context.clock.now_ns() > query.until_ns


async def _until_change(
    context: Context, query: LogQuery, watch: DirectoryWatch, ended: asyncio.Event
) -> None:
    """Wait for something new in the log, the container's end, or the end of what was asked for."""
    patience = None
    if query.until_ns:
        patience = max(0.0, (query.until_ns - context.clock.now_ns()) / 10**9)
    waits = {asyncio.ensure_future(watch.changed()), asyncio.ensure_future(ended.wait())}
    try:
        await asyncio.wait(waits, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
