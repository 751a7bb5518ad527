"""``boxship stop``."""

from typing import Protocol

from boxship.cli import kinds
from boxship.cli.batch import for_each
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import containers
from boxship.client.engine import EngineClient

FLAGS = (
    Flag("signal", "s", kinds.STRING, "Signal that asks the container to end"),
    Flag("timeout", "t", kinds.INT, "Seconds until it is killed; -1 waits for ever"),
    Flag("time", "", kinds.INT, "The same as --timeout", hidden=True, target="timeout"),
)


class Ending(Protocol):
    """A request that ends containers: ``stop`` or ``restart``."""

    def __call__(
        self, client: EngineClient, ref: str, *, signal: str, timeout: int | None
    ) -> object: ...


def end_each(session: Session, given: Invocation, end: Ending) -> int:
    """Carry out ``end`` for every container named, with the flags of this command."""
    values = given.values
    timeout = values.number("timeout") if values.changed("timeout") else None
    return for_each(
        session,
        given.arguments,
        lambda name: end(session.client, name, signal=values.text("signal"), timeout=timeout),
    )


def run(session: Session, given: Invocation) -> int:
    return end_each(session, given, containers.stop)


COMMAND = Command("[OPTIONS] CONTAINER [CONTAINER...]", SOME, run, FLAGS)
