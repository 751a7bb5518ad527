"""``boxship kill``."""

from boxship.cli import kinds
from boxship.cli.batch import for_each
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import containers

FLAGS = (Flag("signal", "s", kinds.STRING, "Signal by name or number; SIGKILL if not given"),)


def run(session: Session, given: Invocation) -> int:
    signal = given.values.text("signal")
    return for_each(
        session,
        given.arguments,
        lambda name: containers.kill(session.client, name, signal=signal),
    )


COMMAND = Command("[OPTIONS] CONTAINER [CONTAINER...]", SOME, run, FLAGS)
