"""``boxship stop``."""

from boxship.cli import kinds
from boxship.cli.batch import for_each
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import containers

FLAGS = (
    Flag("signal", "s", kinds.STRING, "Signal that asks the container to end"),
    Flag("timeout", "t", kinds.INT, "Seconds until it is killed; -1 waits for ever"),
    Flag("time", "", kinds.INT, "The same as --timeout", hidden=True, target="timeout"),
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    timeout = values.number("timeout") if values.changed("timeout") else None
    return for_each(
        session,
        given.arguments,
        lambda name: containers.stop(
            session.client, name, signal=values.text("signal"), timeout=timeout
        ),
    )


COMMAND = Command("[OPTIONS] CONTAINER [CONTAINER...]", SOME, run, FLAGS)
