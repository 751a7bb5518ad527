"""Publish and subscribe for engine events, within the daemon's event loop.

A listener has a queue of its own. One that does not read is cut off once ``backlog`` events wait
for it, so that it costs nobody else anything; its subscription then ends after what it had queued.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping

from boxship.base.clock import Clock
from boxship.model.event import Event, EventType

HISTORY = 1024
BACKLOG = 4096


class Subscription:
    """One listener's view of the stream; iterate it, and ``close`` it when done."""

    def __init__(self, past: list[Event], close: Callable[["Subscription"], None]) -> None:
        self._events: deque[Event] = deque(past)
        self._wakeup = asyncio.Event()
        self._ended = False
        self._close = close

    def offer(self, event: Event) -> bool:
        """Queue an event; False once the listener is too far behind, which ends it."""
        if len(self._events) >= BACKLOG:
            self._ended = True
        else:
            self._events.append(event)
        self._wakeup.set()
        return not self._ended

    def close(self) -> None:
        """Stop listening; an iteration under way ends."""
        self._ended = True
        self._wakeup.set()
        self._close(self)

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            while self._events:
                yield self._events.popleft()
            if self._ended:
                return
            self._wakeup.clear()
            await self._wakeup.wait()


class EventBus:
    """All events of one engine. Not thread-safe: call it from the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._history: deque[Event] = deque(maxlen=HISTORY)
        self._subscriptions: set[Subscription] = set()

    def publish(
        self, kind: EventType, action: str, actor: str, attributes: Mapping[str, str]
    ) -> Event:
        """Stamp the event with the time, remember it, and hand it to every listener."""
        event = Event(kind, action, actor, dict(attributes), self._clock.now_ns())
        self._history.append(event)
        lagging = [listener for listener in self._subscriptions if not listener.offer(event)]
        self._subscriptions.difference_update(lagging)
        return event

    def history(self) -> list[Event]:
        """Return the events remembered, oldest first."""
        return list(self._history)

    def subscribe(self, *, since_ns: int | None = None) -> Subscription:
        """Listen from now on; with ``since_ns`` get the remembered events from then on first."""
        past = [] if since_ns is None else [e for e in self._history if e.time_ns >= since_ns]
        subscription = Subscription(past, self._subscriptions.discard)
        self._subscriptions.add(subscription)
        return subscription

    def close(self) -> None:
        """End every subscription: the daemon is going."""
        for subscription in tuple(self._subscriptions):
            subscription.close()
