"""Publish and subscribe for engine events, within the daemon's event loop.

A listener has a queue of its own. One that does not read is cut off once ``BACKLOG`` events wait
for it, so that it costs nobody else anything; its subscription then ends after what it had queued.

Listeners are woken together, and not more often than every ``PAUSE``: an event that comes alone is
passed on at once, thousands of them in batches. ::

    publish ─► number ─┬─► archive (disk) ─────────┐ events of before, up to the oldest remembered
                       ├─► remembered (the latest) ┴─► a new listener with ``since_ns``
                       └─► queue of each listener
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Mapping
from contextlib import aclosing

from boxship.base.clock import Clock
from boxship.engine.events.archive import Archive
from boxship.engine.events.segments import Numbered
from boxship.model.event import Event, EventType

HISTORY = 1024
BACKLOG = 16_384
BATCH = 256
PAUSE = 0.01


class Published:
    """An event on its way to the listeners, and the forms in which they pass it on."""

    __slots__ = ("_forms", "event", "number")

    def __init__(self, number: int, event: Event) -> None:
        self.number = number
        self.event = event
        self._forms: tuple[tuple[Hashable, bytes], ...] = ()

    def form(self, key: Hashable, make: Callable[[Event], bytes]) -> bytes:
        """Return what ``make`` makes of the event; it is made once for all that give the key."""
        for known, form in self._forms:
            if known == key:
                return form
        form = make(self.event)
        self._forms += ((key, form),)
        return form


class Subscription:
    """One listener's view of the stream; iterate it once, and ``close`` it when done."""

    def __init__(
        self,
        past: AsyncGenerator[list[Numbered], None] | None,
        remembered: list[Published],
        close: Callable[["Subscription"], None],
    ) -> None:
        self._past = past
        self._queue: deque[Published] = deque(remembered)
        self._wakeup = asyncio.Event()
        self._ended = False
        self._close = close

    def offer(self, published: Published) -> bool:
        """Queue an event; False once the listener is too far behind, which ends it."""
        if len(self._queue) >= BACKLOG:
            self._ended = True
            self._wakeup.set()
        else:
            self._queue.append(published)
        return not self._ended

    def wake(self) -> None:
        """Let the listener look at its queue."""
        self._wakeup.set()

    def close(self) -> None:
        """Stop listening; an iteration under way ends."""
        self._ended = True
        self._wakeup.set()
        self._close(self)

    async def batches(self) -> AsyncGenerator[list[Published], None]:
        """Yield the events, as many at once as there are, up to a bound."""
        if self._past is not None:
            async with aclosing(self._past) as past:
                async for old in past:
                    for start in range(0, len(old), BATCH):
                        part = old[start : start + BATCH]
                        yield [Published(item.number, item.event()) for item in part]
        while True:
            queue = self._queue
            while queue:
                yield [queue.popleft() for _ in range(min(len(queue), BATCH))]
            if self._ended:
                return
            self._wakeup.clear()
            await self._wakeup.wait()

    async def __aiter__(self) -> AsyncIterator[Event]:
        async with aclosing(self.batches()) as batches:
            async for batch in batches:
                for published in batch:
                    yield published.event


class EventBus:
    """All events of one engine. Not thread-safe: call it from the event loop."""

    def __init__(self, clock: Clock, archive: Archive | None = None) -> None:
        self._clock = clock
        self._archive = archive
        self._next = archive.next_number if archive is not None else 1
        self._remembered: deque[Published] = deque(maxlen=HISTORY)
        self._subscriptions: set[Subscription] = set()
        self._waking: asyncio.TimerHandle | None = None
        self._woken_at = 0.0

    @property
    def published(self) -> int:
        """How many events there have been, with those of earlier daemons."""
        return self._next - 1

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._subscriptions)

    def publish(
        self, kind: EventType, action: str, actor: str, attributes: Mapping[str, str]
    ) -> Event:
        """Stamp the event with the time, remember it, and hand it to every listener."""
        event = Event(kind, action, actor, dict(attributes), self._clock.now_ns())
        published = Published(self._next, event)
        self._next += 1
        self._remembered.append(published)
        if self._archive is not None:
            self._archive.add(Numbered.of(published.number, event))
        if self._subscriptions:
            lagging = [known for known in self._subscriptions if not known.offer(published)]
            self._subscriptions.difference_update(lagging)
            self._wake_soon()
        return event

    def history(self) -> list[Event]:
        """Return the latest events, oldest first."""
        return [published.event for published in self._remembered]

    def subscribe(self, *, since_ns: int | None = None) -> Subscription:
        """Listen from now on; with ``since_ns`` get the events from then on first."""
        past, remembered = None, []
        if since_ns is not None:
            remembered = [p for p in self._remembered if p.event.time_ns >= since_ns]
            oldest = self._remembered[0].number if self._remembered else self._next
            if self._archive is not None:
                past = self._archive.read(before=oldest, since_ns=since_ns)
        subscription = Subscription(past, remembered, self._subscriptions.discard)
        self._subscriptions.add(subscription)
        return subscription

    def close(self) -> None:
        """End every subscription, and write what is to be kept: the daemon is going."""
        for subscription in tuple(self._subscriptions):
            subscription.close()
        if self._waking is not None:
            self._waking.cancel()
        if self._archive is not None:
            self._archive.close()

    def _wake_soon(self) -> None:
        if self._waking is None:
            loop = asyncio.get_running_loop()
            wait = self._woken_at + PAUSE - loop.time()
            self._waking = loop.call_later(max(0.0, wait), self._wake)

    def _wake(self) -> None:
        self._waking = None
        self._woken_at = asyncio.get_running_loop().time()
        for subscription in self._subscriptions:
            subscription.wake()
