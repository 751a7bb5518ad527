"""Objects of another engine that become this one's."""

from boxship.api.openapi.operation import TAR, Body, Operation, lines, ok
from boxship.model.adoption import Adopted, AdoptedNetwork, AdoptedVolume
from boxship.wire.jsonstream import Progress

_PROGRESS = lines(Progress, "How it goes, a line at a time; one with `error` is the last")

OPERATIONS = (
    Operation(
        "POST", "/boxship/adoption/networks", "AdoptNetwork",
        "Make a network what it was in another engine",
        body=Body(AdoptedNetwork), replies=(ok(Adopted, "It is there", 201),),
        errors=(403, 404, 409, 503), beyond=True,
    ),
    Operation(
        "POST", "/boxship/adoption/volumes", "AdoptVolume",
        "Make a volume of a directory of this machine",
        body=Body(AdoptedVolume), replies=(_PROGRESS,), errors=(404, 409, 503), beyond=True,
    ),
    Operation(
        "POST", "/boxship/adoption/containers", "AdoptContainer",
        "Make a container with the files, the logs and the past that it had in another engine",
        body=Body(
            media=TAR,
            about="`container.json`, `logs/0` (the latest), `logs/1` …, and `files/` with what it "
            "has written, in the words of an image's layer",
        ),
        replies=(ok(Adopted, "It is there", 201),), errors=(404, 409, 503), beyond=True,
    ),
)  # fmt: skip
