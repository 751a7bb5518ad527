"""Why things are as they are, and who holds them; beyond Docker."""

from boxship.api.openapi.operation import Operation, number, ok, text
from boxship.model.why import Why

_ANSWER = (ok(Why, "The answer, and what it rests on"),)

OPERATIONS = (
    Operation(
        "GET", "/containers/{id}/why", "ContainerWhy",
        "Say why a container runs, or how it ended, also of one that was removed",
        replies=_ANSWER, errors=(404, 503), beyond=True,
    ),
    Operation(
        "GET", "/images/{name...}/why", "ImageWhy", "Say what holds an image",
        replies=_ANSWER, errors=(404,), beyond=True,
    ),
    Operation(
        "GET", "/volumes/{name}/why", "VolumeWhy", "Say what holds a volume",
        replies=_ANSWER, errors=(404,), beyond=True,
    ),
    Operation(
        "GET", "/networks/{id}/why", "NetworkWhy", "Say what holds a network",
        replies=_ANSWER, errors=(404,), beyond=True,
    ),
    Operation(
        "GET", "/boxship/ports/why", "PortWhy", "Say who has a port of the host",
        (
            number("port", "From 1 to 65535", required=True),
            text("protocol", "`tcp`, `udp` or `sctp`"),
        ),
        replies=_ANSWER, beyond=True,
    ),
    Operation(
        "GET", "/boxship/disk/why", "DiskWhy", "Say what takes most of the disk",
        replies=_ANSWER, beyond=True,
    ),
)  # fmt: skip
