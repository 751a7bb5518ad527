"""Events as a scope sees them: those of containers that carry its labels.

A container's events say its labels, also when it is gone. Those of other kinds of objects don't,
and of a network's some are about others' containers; so they are not told at all.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from boxship.api.backend import Events, EventStream
from boxship.api.scoped.denial import Denial
from boxship.engine.access.scope import Scope
from boxship.engine.events.bus import Published
from boxship.model.event import Event, EventType


class LimitedEvents(Denial):
    """See ``boxship.api.backend.Events``."""

    def __init__(self, scope: Scope, inner: Events) -> None:
        super().__init__(scope)
        self._inner = inner

    @property
    def listeners(self) -> int:
        """Nobody else's business."""
        return 0

    def subscribe(self, *, since_ns: int | None = None) -> "_LimitedStream":
        return _LimitedStream(self._scope, self._inner.subscribe(since_ns=since_ns))


class _LimitedStream:
    def __init__(self, scope: Scope, inner: EventStream) -> None:
        self._scope = scope
        self._inner = inner

    def close(self) -> None:
        self._inner.close()

    async def batches(self) -> AsyncGenerator[list[Published], None]:
        async with aclosing(self._inner.batches()) as batches:
            async for batch in batches:
                yield [published for published in batch if self._sees(published.event)]

    def _sees(self, event: Event) -> bool:
        return event.type is EventType.CONTAINER and self._scope.sees(event.attributes)
