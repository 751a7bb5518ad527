"""``boxship volume rm``."""

from boxship.cli import kinds
from boxship.cli.batch import for_each
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import volumes

FLAGS = (Flag("force", "f", kinds.BOOL, "Do not mind volumes that do not exist"),)


def run(session: Session, given: Invocation) -> int:
    def remove(name: str) -> None:
        volumes.remove(session.client, name, force=given.values.on("force"))

    return for_each(session, given.arguments, remove)


COMMAND = Command("[OPTIONS] VOLUME [VOLUME...]", SOME, run, FLAGS)
