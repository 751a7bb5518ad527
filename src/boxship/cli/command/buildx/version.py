"""``boxship buildx version``."""

from boxship import __version__
from boxship.cli.building.flags import BUILDER, DEBUG
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation


def run(session: Session, given: Invocation) -> int:
    session.say(f"boxship {__version__}")
    return 0


COMMAND = Command("", NONE, run, (BUILDER, DEBUG))
