"""``boxship buildx stop``: the engine's own builder goes on, as with Docker's."""

from boxship.cli.building.builders import check_name
from boxship.cli.building.flags import BUILDER, DEBUG
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation


def run(session: Session, given: Invocation) -> int:
    check_name(given.arguments[0] if given.arguments else "")
    return 0


COMMAND = Command("[NAME]", Arity(0, 1), run, (BUILDER, DEBUG))
