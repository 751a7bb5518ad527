"""``boxship diff``."""

from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import containers

_LETTERS = ("C", "A", "D")


def run(session: Session, given: Invocation) -> int:
    for change in containers.changes(session.client, given.arguments[0]):
        session.out.write(f"{_LETTERS[change['Kind']]} {change['Path']}\n")
    return 0


COMMAND = Command("CONTAINER", Arity(1, 1), run)
