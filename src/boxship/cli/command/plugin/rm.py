"""``boxship plugin rm``."""

from boxship.cli import kinds
from boxship.cli.batch import for_each
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import plugins

FLAGS = (Flag("force", "f", kinds.BOOL, "Even if they are enabled or in use"),)


def run(session: Session, given: Invocation) -> int:
    def remove(name: str) -> None:
        plugins.remove(session.client, name, force=given.values.on("force"))

    return for_each(session, given.arguments, remove)


COMMAND = Command("[OPTIONS] PLUGIN [PLUGIN...]", SOME, run, FLAGS)
