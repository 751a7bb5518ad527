"""Events as ``/events`` streams them, and the filters that choose among them."""

import fnmatch
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from boxship.model.event import Event, EventType
from boxship.wire.parameters import Filters
from boxship.wire.versions import ApiVersion

JSON = "application/json"
"""What streams of events are called where nobody asks, though they are many objects."""

FILTERS = frozenset(
    {
        *("config", "container", "daemon", "event", "image", "label", "network", "node"),
        *("plugin", "scope", "secret", "service", "type", "volume"),
    }
)


class Actor(Struct, frozen=True):
    id: str = msgspec.field(name="ID")
    attributes: dict[str, str] = msgspec.field(name="Attributes")


class EventMessage(Struct, frozen=True, omit_defaults=True):
    """``status``, ``id`` and ``from`` went in 1.52; before, they doubled type, action and actor."""

    event_type: str = msgspec.field(name="Type")
    action: str = msgspec.field(name="Action")
    actor: Actor = msgspec.field(name="Actor")
    status: str = ""
    id: str = ""
    origin: str = msgspec.field(default="", name="from")
    scope: str = ""
    time: int = 0
    time_nano: int = msgspec.field(default=0, name="timeNano")


_CAME = {(EventType.IMAGE, "create"): 46}
"""Events that versions before do not tell of, though they have happened."""

MEDIA_TYPES = {
    "application/jsonl": b"",
    "application/x-ndjson": b"",
    "application/json-seq": b"\x1e",
}
"""What a listener may ask for by name, and what stands before each event: RFC 7464 has a mark."""


def form(version: ApiVersion) -> bool:
    """Tell versions apart whose lines differ: whether they double type, action and actor."""
    return version < 52


def is_known(event: Event, version: ApiVersion) -> bool:
    """Tell whether a version has events of this kind."""
    return version >= _CAME.get((event.type, event.action), 0)


def media_type(accept: str) -> tuple[str, bytes]:
    """Choose the type of a stream by ``Accept``, and what stands before each of its events.

    The first one named that there is, whatever its weight: clients name what they like best first.
    """
    for word in accept.split(","):
        name = word.partition(";")[0].strip().lower()
        if name in MEDIA_TYPES:
            return name, MEDIA_TYPES[name]
    return JSON, b""


def encode_event(event: Event, version: ApiVersion) -> bytes:
    """Return an event's line."""
    doubled = form(version) and event.type in (EventType.CONTAINER, EventType.IMAGE)
    from_image = doubled and event.type is EventType.CONTAINER
    message = EventMessage(
        event_type=event.type.value,
        action=event.action,
        actor=Actor(event.actor, event.attributes),
        status=event.action if doubled else "",
        id=event.actor if doubled else "",
        origin=event.attributes.get("image", "") if from_image else "",
        scope=event.scope,
        time=event.time_ns // 1_000_000_000,
        time_nano=event.time_ns,
    )
    return msgspec.json.encode(message) + b"\n"


class EventFilter:
    """Decides whether a listener wants an event. Names restrict together, values alternate."""

    def __init__(self, filters: Filters) -> None:
        self._filters = {name: values for name, values in filters.items() if values}

    def wants(self, event: Event) -> bool:
        return all(self._holds(event, name, values) for name, values in self._filters.items())

    def _holds(self, event: Event, name: str, values: Sequence[str]) -> bool:
        if name == "event":
            return any(event.action == v or event.action.startswith(f"{v}:") for v in values)
        if name == "type":
            return event.type.value in values
        if name == "scope":
            return event.scope in values
        if name == "label":
            return all(_has_label(event, value) for value in values)
        if name == "image":
            return _is_image(event, values)
        return _is_object(event, values)


def _has_label(event: Event, wanted: str) -> bool:
    key, separator, value = wanted.partition("=")
    return key in event.attributes and (not separator or event.attributes[key] == value)


def _is_object(event: Event, values: Sequence[str]) -> bool:
    """Match the beginning of the id or the name; of whatever type it is, as dockerd does."""
    beginnings = tuple(value.removeprefix("/") for value in values)
    return event.actor.startswith(beginnings) or event.attributes.get("name", "").startswith(
        beginnings
    )


def _is_image(event: Event, values: Sequence[str]) -> bool:
    """Match by the image of a container's event, or by name or id of an image's."""
    if event.type is EventType.CONTAINER:
        names = [event.attributes.get("image", "")]
    elif event.type is EventType.IMAGE:
        names = [event.actor, event.attributes.get("name", "")]
    else:
        return False
    bare = [name.rpartition(":")[0] for name in names if ":" in name.rpartition("/")[2]]
    return any(fnmatch.fnmatchcase(name, value) for name in names + bare for value in values)
