"""``boxship create``."""

from boxship.cli.command.container import creating
from boxship.cli.command.container.flags import CREATE_FLAGS
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation


def run(session: Session, given: Invocation) -> int:
    body = creating.body_of(session, given)
    session.say(creating.create(session, given, body).id)
    return 0


COMMAND = Command(
    "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    SOME,
    run,
    CREATE_FLAGS,
    interspersed=False,
)
