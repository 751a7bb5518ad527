"""Events about containers, with the attributes Docker gives them: image, name, the labels, more."""

from collections.abc import Mapping

from boxship.engine.containers.record import ContainerRecord
from boxship.engine.events.bus import EventBus
from boxship.model.event import EventType


class Announcer:
    """Publishes what happened to containers."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus

    def say(
        self, record: ContainerRecord, action: str, more: Mapping[str, str] | None = None
    ) -> None:
        """Publish ``action`` of a container; ``more`` is added to its usual attributes."""
        attributes = dict(record.config.labels or {})
        attributes["image"] = record.image_ref
        attributes["name"] = record.name
        attributes.update(more or {})
        self._bus.publish(EventType.CONTAINER, action, record.id, attributes)

    def pruned(self, reclaimed: int) -> None:
        """Publish that a prune has ended, and the bytes it brought."""
        self._bus.publish(EventType.CONTAINER, "prune", "", {"reclaimed": str(reclaimed)})
