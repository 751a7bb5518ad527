"""``boxship rename``."""

from boxship.base.errors import InvalidArgumentError
from boxship.cli.session import Session
from boxship.cli.verb import TWO, Command, Invocation
from boxship.client import containers


def run(session: Session, given: Invocation) -> int:
    old, new = (name.strip() for name in given.arguments)
    if not old or not new:
        raise InvalidArgumentError("Error: Neither old nor new names may be empty")
    containers.rename(session.client, old, new)
    return 0


COMMAND = Command("CONTAINER NEW_NAME", TWO, run)
