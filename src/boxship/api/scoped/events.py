"""Events as a scope sees them: those of containers that carry its labels.

Of a container that is there its record says whose it is; of one that is gone, the labels that are
among each event's attributes. Events of other kinds of objects have none, and of a network's some
are about others' containers; so they are not told at all.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from boxship.api.backend import Events, EventStream
from boxship.api.containercalls import Containers
from boxship.api.scoped.denial import Denial
from boxship.base.errors import NotFoundError
from boxship.engine.access.scope import Scope
from boxship.engine.events.bus import Published
from boxship.model.event import Event, EventType


class LimitedEvents(Denial):
    """See ``boxship.api.backend.Events``."""

    def __init__(self, scope: Scope, inner: Events, containers: Containers) -> None:
        """``containers`` are everybody's."""
        super().__init__(scope)
        self._inner, self._containers = inner, containers

    @property
    def listeners(self) -> int:
        """Nobody else's business."""
        return 0

    def subscribe(self, *, since_ns: int | None = None) -> "_LimitedStream":
        return _LimitedStream(self._inner.subscribe(since_ns=since_ns), self._sees)

    def _sees(self, event: Event) -> bool:
        if event.type is not EventType.CONTAINER or not event.actor:
            return False
        try:
            labels = self._containers.get(event.actor).given_labels
        except NotFoundError:
            labels = event.attributes
        return self._scope.sees(labels)


class _LimitedStream:
    def __init__(self, inner: EventStream, sees: Callable[[Event], bool]) -> None:
        self._inner, self._sees = inner, sees

    def close(self) -> None:
        self._inner.close()

    async def batches(self) -> AsyncGenerator[list[Published], None]:
        async with aclosing(self._inner.batches()) as batches:
            async for batch in batches:
                yield [published for published in batch if self._sees(published.event)]
