"""Between the event loop's streams and threads that read and write blockingly.

::

    AsyncIterator[bytes] ── InboundPipe ──► Iterator[bytes]     in a thread (load, import)
    Iterator[bytes] ── outbound ──► AsyncIterator[bytes]        the loop pulls (save)

Threads of our own instead of the loop's executor: a stalled upload would keep one of its few
workers for as long as the client likes.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
)
from typing import Any, TypeVar

from boxship.storage.chunks import CHUNK, Buffer

_DEPTH = 4
_GATHER = CHUNK // 2

ResultT = TypeVar("ResultT")
EventT = TypeVar("EventT")


class AbortedError(Exception):
    """The sending side went away in the middle of the stream."""


class InboundPipe:
    """A few chunks between a feeding coroutine and a reading thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._condition = threading.Condition()
        self._chunks: deque[Buffer] = deque()
        self._ended = False
        self._failure: BaseException | None = None

    async def feed(self, stream: AsyncIterator[bytes]) -> None:
        """Move the whole stream; returns when the last chunk was handed over."""
        gathered: list[bytes] = []
        size = 0
        async for chunk in stream:
            gathered.append(chunk)
            size += len(chunk)
            if size >= _GATHER:
                await self._put(b"".join(gathered))
                gathered, size = [], 0
        await self._put(b"".join(gathered))
        self.end()

    def end(self, failure: BaseException | None = None) -> None:
        """No more chunks will come; with ``failure`` the reader gets an AbortedError."""
        with self._condition:
            self._ended = True
            self._failure = failure
            self._condition.notify()

    def __iter__(self) -> Iterator[Buffer]:
        while True:
            with self._condition:
                while not self._chunks and not self._ended:
                    self._condition.wait()
                if self._failure is not None:
                    raise AbortedError("the upload was broken off") from self._failure
                if not self._chunks:
                    return
                chunk = self._chunks.popleft()
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self._room.set)
            yield chunk

    async def _put(self, chunk: bytes) -> None:
        while len(self._chunks) >= _DEPTH:
            self._room.clear()
            await self._room.wait()
        with self._condition:
            if chunk:
                self._chunks.append(chunk)
                self._condition.notify()


async def consume(
    stream: AsyncIterator[bytes], read: Callable[[Iterator[Buffer]], ResultT]
) -> ResultT:
    """Run ``read`` in a thread over the chunks of ``stream``; return what it returns.

    If the stream fails, its error is raised; if ``read`` fails, the stream is left where it is. On
    cancellation the thread is told, and waited for: it never outlives the call.
    """
    pipe = InboundPipe()
    reading = asyncio.ensure_future(in_thread(lambda: read(iter(pipe))))
    feeding = asyncio.ensure_future(pipe.feed(stream))
    try:
        await asyncio.wait({reading, feeding}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            await feeding  # raises what the stream raised
        return await asyncio.shield(reading)
    except BaseException as error:
        pipe.end(error)
        raise
    finally:
        feeding.cancel()
        await asyncio.wait({reading, feeding})
        for task in (reading, feeding):
            if not task.cancelled():
                task.exception()  # seen: the one that matters is being raised already


def in_thread(call: Callable[[], ResultT]) -> Awaitable[ResultT]:
    """Run ``call`` in a thread of its own."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[ResultT] = loop.create_future()

    def settle(result: ResultT | None, error: BaseException | None) -> None:
        if outcome.cancelled():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        result, failure = None, None
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            failure = error
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=work, name="images", daemon=True).start()
    return outcome


async def stoppable(call: Callable[[], ResultT], stop: Callable[[], object]) -> ResultT:
    """Run ``call`` in a thread; on cancellation ``stop`` it and wait for its end."""
    work = asyncio.ensure_future(in_thread(call))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop()
        await asyncio.gather(work, return_exceptions=True)
        raise


async def to_the_end(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Await ``work``, which goes on to its end before a cancellation of the waiter takes effect.

    A client that hangs up must not part what is on the disk from what is in memory, nor end the
    lease or lock under which the work is done.
    """
    task = asyncio.get_running_loop().create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


async def all_or_none(tasks: Iterable["asyncio.Task[ResultT]"]) -> None:
    """Wait for all; when one fails, or we are cancelled, end the others and raise."""
    tasks = list(tasks)
    if not tasks:
        return
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def telling(
    work: Callable[[Callable[[EventT], None]], Coroutine[Any, Any, None]],
) -> AsyncGenerator[EventT, None]:
    """Run ``work`` and yield what it tells, from whichever thread; raise what it raises.

    Closing the generator cancels it, and waits until it has ended.
    """
    loop = asyncio.get_running_loop()
    events: asyncio.Queue[EventT | None] = asyncio.Queue()

    def tell(event: EventT) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
            loop.call_soon_threadsafe(events.put_nowait, event)

    task = asyncio.create_task(work(tell))
    # Behind what has been told, which takes a turn of the loop as well.
    task.add_done_callback(lambda _: loop.call_soon(events.put_nowait, None))
    try:
        while (event := await events.get()) is not None:
            yield event
        await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # seen: it has been raised, or nobody is left to hear of it


async def outbound(chunks: Generator[Buffer, None, None]) -> AsyncIterator[Buffer]:
    """Yield from a blocking iterator, one step at a time in the loop's executor.

    A step goes on while what the last one gave is used. Whatever ends it, no step goes on after
    it: what ``chunks`` reads from may then be closed.
    """

    def step() -> "asyncio.Task[Buffer]":
        return asyncio.create_task(asyncio.to_thread(next, chunks, b""))

    ahead = step()
    try:
        while chunk := await asyncio.shield(ahead):
            ahead = step()
            yield chunk
    finally:
        await to_the_end(_closed(chunks, ahead))


async def _closed(chunks: Generator[Buffer, None, None], step: "asyncio.Task[Buffer]") -> None:
    await asyncio.wait({step})
    if not step.cancelled():
        step.exception()  # seen: it has been raised, or nobody is left to hear of it
    await asyncio.to_thread(chunks.close)
