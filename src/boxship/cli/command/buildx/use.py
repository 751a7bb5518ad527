"""``boxship buildx use``."""

from boxship.cli import kinds
from boxship.cli.building.builders import check_name
from boxship.cli.building.flags import BUILDER, DEBUG
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation

FLAGS = (
    BUILDER,
    DEBUG,
    Flag("default", "", kinds.BOOL, "Accepted, no effect"),
    Flag("global", "", kinds.BOOL, "Accepted, no effect"),
)


def run(session: Session, given: Invocation) -> int:
    check_name(given.arguments[0])
    return 0


COMMAND = Command("[OPTIONS] NAME", ONE, run, FLAGS)
