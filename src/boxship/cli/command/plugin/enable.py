"""``boxship plugin enable``."""

from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client import plugins

FLAGS = (Flag("timeout", "", kinds.INT, "Seconds that it has to answer a call", default="30"),)


def run(session: Session, given: Invocation) -> int:
    timeout = given.values.number("timeout")
    if timeout < 0:
        raise ExitError(FAILURE, f"negative value {timeout} is invalid for --timeout")
    plugins.enable(session.client, given.arguments[0], timeout)
    session.say(given.arguments[0])
    return 0


COMMAND = Command("[OPTIONS] PLUGIN", ONE, run, FLAGS)
