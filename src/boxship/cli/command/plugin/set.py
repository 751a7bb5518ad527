"""``boxship plugin set``."""

from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import plugins


def run(session: Session, given: Invocation) -> int:
    name, *settings = given.arguments
    plugins.change(session.client, name, settings)
    return 0


COMMAND = Command("PLUGIN KEY=VALUE [KEY=VALUE...]", Arity(2, None), run)
