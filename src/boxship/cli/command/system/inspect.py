"""``boxship inspect``: what has that name among containers, images, networks and others."""

from boxship.base.errors import NotFoundError
from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.inspecting import FORMAT_FLAG, inspect_all
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import containers, images, networks, plugins, volumes
from boxship.client.engine import JsonObject

FLAGS = (
    FORMAT_FLAG,
    Flag("size", "s", kinds.BOOL, "Show how much containers take on disk"),
    Flag(
        "type", "", kinds.STRING, "Look for this only: container, image, network, volume or plugin"
    ),
)

_TYPES = ("container", "image", "network", "volume", "plugin")


def run(session: Session, given: Invocation) -> int:
    values = given.values
    kind = values.text("type")
    if values.changed("type") and kind not in _TYPES:
        allowed = ", ".join(f'"{name}"' for name in _TYPES)
        raise ExitError(FAILURE, f'unknown type: "{kind}": must be one of {allowed}')

    def find(name: str) -> JsonObject:
        for each in (kind,) if kind else _TYPES:
            try:
                if each == "container":
                    return containers.inspect(session.client, name, size=values.on("size"))
                if each == "image":
                    return images.inspect(session.client, name)
                if each == "volume":
                    return volumes.inspect(session.client, name)
                if each == "plugin":
                    return plugins.inspect(session.client, name)
                return networks.inspect(session.client, name)
            except NotFoundError:
                if kind:
                    raise
        raise NotFoundError(f"Error: No such object: {name}")

    return inspect_all(session, given.arguments, values.text("format"), find)


COMMAND = Command("[OPTIONS] NAME|ID [NAME|ID...]", SOME, run, FLAGS)
