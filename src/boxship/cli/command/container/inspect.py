"""``boxship container inspect``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.inspecting import FORMAT_FLAG, inspect_all
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import containers

FLAGS = (FORMAT_FLAG, Flag("size", "s", kinds.BOOL, "Show how much it takes on disk"))


def run(session: Session, given: Invocation) -> int:
    size = given.values.on("size")
    return inspect_all(
        session,
        given.arguments,
        given.values.text("format"),
        lambda name: containers.inspect(session.client, name, size=size),
    )


COMMAND = Command("[OPTIONS] CONTAINER [CONTAINER...]", SOME, run, FLAGS)
