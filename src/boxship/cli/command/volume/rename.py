"""``boxship volume rename``."""

from boxship.cli.session import Session
from boxship.cli.verb import TWO, Command, Invocation
from boxship.client import volumes


def run(session: Session, given: Invocation) -> int:
    volumes.rename(session.client, *given.arguments)
    return 0


COMMAND = Command("VOLUME NEW_NAME", TWO, run)
