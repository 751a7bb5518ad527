"""What the engine tells its listeners: something happened to some object at some time."""

from enum import StrEnum

from msgspec import Struct


class EventType(StrEnum):
    """The kinds of objects that events are about."""

    CONTAINER = "container"
    IMAGE = "image"
    VOLUME = "volume"
    NETWORK = "network"
    DAEMON = "daemon"
    BUILDER = "builder"
    PLUGIN = "plugin"


class Event(Struct, frozen=True):
    """One event. ``actor`` is the object's id (an image's: the reference or id that was used)."""

    type: EventType
    action: str
    actor: str
    attributes: dict[str, str]
    time_ns: int
    scope: str = "local"
