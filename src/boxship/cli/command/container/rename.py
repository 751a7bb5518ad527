"""``boxship rename``."""

from boxship.base.errors import BoxshipError, InvalidArgumentError
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.session import Session
from boxship.cli.verb import TWO, Command, Invocation
from boxship.client import containers


def run(session: Session, given: Invocation) -> int:
    old, new = (name.strip() for name in given.arguments)
    if not old or not new:
        raise InvalidArgumentError("Error: Neither old nor new names may be empty")
    try:
        containers.rename(session.client, old, new)
    except BoxshipError as error:
        reason = f"{error}\nError: failed to rename container named {old}"
        raise ExitError(FAILURE, reason) from error
    return 0


COMMAND = Command("CONTAINER NEW_NAME", TWO, run)
