"""The engine's metrics, as the API asks for them."""

import asyncio
from collections.abc import Iterator

from boxship.base.metrics import Family, Sample, gauge
from boxship.engine.containers import listing
from boxship.engine.containers.context import Context
from boxship.engine.events.bus import EventBus
from boxship.engine.images.service import ImageService
from boxship.engine.metrics import containers


class Metrics:
    """All that is measured of one engine."""

    def __init__(self, context: Context, images: ImageService, events: EventBus) -> None:
        self._context = context
        self._images = images
        self._events = events

    async def families(self) -> list[Family]:
        """Gather everything; containers' counters are read in a thread."""
        known = tuple(self._context.shelf)
        sampled = await asyncio.to_thread(lambda: list(containers.families(self._context, known)))
        return [*self._context.measures.families(), *self._of_the_engine(), *sampled]

    def _of_the_engine(self) -> Iterator[Family]:
        counts = listing.counts(self._context)
        yield Family(
            "engine_daemon_container_states_containers",
            "gauge",
            "Containers by what they do",
            ("state",),
            (
                Sample(("running",), counts.running),
                Sample(("paused",), counts.paused),
                Sample(("stopped",), counts.stopped),
            ),
        )
        yield gauge("boxship_images", "Images", self._images.count())
        yield Family(
            "engine_daemon_events_total", "counter", "Events of this data root",
            samples=(Sample((), self._events.published),),
        )  # fmt: skip
        yield gauge(
            "engine_daemon_events_subscribers_total",
            "Clients that follow events",
            self._events.listeners,
        )
