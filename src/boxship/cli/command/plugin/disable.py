"""``boxship plugin disable``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client import plugins

FLAGS = (Flag("force", "f", kinds.BOOL, "Even if volumes or networks are of it"),)


def run(session: Session, given: Invocation) -> int:
    name = given.arguments[0]
    plugins.disable(session.client, name, force=given.values.on("force"))
    session.say(name)
    return 0


COMMAND = Command("[OPTIONS] PLUGIN", ONE, run, FLAGS)
