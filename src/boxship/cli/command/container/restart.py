"""``boxship restart``."""

from boxship.cli.command.container.stop import FLAGS, end_each
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import containers


def run(session: Session, given: Invocation) -> int:
    return end_each(session, given, containers.restart)


COMMAND = Command("[OPTIONS] CONTAINER [CONTAINER...]", SOME, run, FLAGS)
