"""The tag of a container's log entries: a template of Go's, applied to the container."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from boxship.base.ids import SHORT
from boxship.engine.containers.logdrivers.subject import DAEMON, Subject
from boxship.gotemplate.errors import MissingFieldError, ParseError
from boxship.gotemplate.template import Template
from boxship.gotemplate.values import Moment

_NAME: Final = "log-tag"

_FIELDS: Final[Mapping[str, Callable[[Subject], Any]]] = {
    "ID": lambda subject: subject.container_id[:SHORT],
    "FullID": lambda subject: subject.container_id,
    "Name": lambda subject: subject.name,
    # Twelve characters of "sha256:…" are few digits, but what Docker's tags have always had.
    "ImageID": lambda subject: subject.image_id[:SHORT],
    "ImageFullID": lambda subject: subject.image_id,
    "ImageName": lambda subject: subject.image_name,
    "DaemonName": lambda _: DAEMON,
    "Command": lambda subject: " ".join(subject.command),
    "Hostname": lambda subject: subject.hostname,
    "LogPath": lambda subject: subject.log_path,
    "Config": lambda subject: dict(subject.options),
    "ContainerID": lambda subject: subject.container_id,
    "ContainerName": lambda subject: f"/{subject.name}",
    "ContainerEntrypoint": lambda subject: subject.command[0] if subject.command else "",
    "ContainerArgs": lambda subject: list(subject.command[1:]),
    "ContainerImageID": lambda subject: subject.image_id,
    "ContainerImageName": lambda subject: subject.image_name,
    "ContainerCreated": lambda subject: Moment(subject.created),
    "ContainerEnv": lambda subject: list(subject.env),
    "ContainerLabels": lambda subject: dict(subject.labels),
}


class _Info:
    """A container under the names that templates use."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    def field(self, name: str) -> Any:
        found = _FIELDS.get(name)
        if found is None:
            raise MissingFieldError(f"can't evaluate field {name} in type *logger.Info")
        return found(self._subject)

    def as_json(self) -> Mapping[str, Any]:
        return {name: found(self._subject) for name, found in _FIELDS.items()}


def parse_tag(template: str) -> Template:
    """Read a tag's template, and see that it asks for nothing that is not there.

    Raises TemplateError, an InvalidArgumentError.
    """
    try:
        parsed = Template(template, name=_NAME)
        parsed.render(_Info(_NOBODY))
    except RecursionError:
        raise ParseError(f"template: {_NAME}: it is nested too deeply") from None
    return parsed


def tag(template: str, subject: Subject) -> str:
    """Return the tag of a container. TemplateError."""
    return Template(template, name=_NAME).render(_Info(subject))


_NOBODY: Final = Subject(
    container_id="0" * 64,
    name="name",
    image_id=f"sha256:{'0' * 64}",
    image_name="image",
    command=("command",),
    created="2026-01-01T00:00:00Z",
    labels={},
    env=("NAME=value",),
    options={},
)
"""Whom a template is tried on."""
