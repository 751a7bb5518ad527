"""``boxship unpause``."""

from boxship.cli.batch import for_each
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import containers


def run(session: Session, given: Invocation) -> int:
    return for_each(session, given.arguments, lambda name: containers.unpause(session.client, name))


COMMAND = Command("CONTAINER [CONTAINER...]", SOME, run)
