"""``boxship context show``."""

from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation


def run(session: Session, _given: Invocation) -> int:
    session.say(session.context)
    return 0


COMMAND = Command("", NONE, run)
