"""``boxship wait``."""

from boxship.base.errors import BoxshipError
from boxship.cli.exitcodes import FAILURE
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import containers


def run(session: Session, given: Invocation) -> int:
    code = 0
    for name in given.arguments:
        try:
            status = containers.wait(session.client, name).result()
        except BoxshipError as error:
            session.warn(str(error))
            code = FAILURE
            continue
        session.say(str(status.code))
        session.out.flush()
    return code


COMMAND = Command("CONTAINER [CONTAINER...]", SOME, run)
