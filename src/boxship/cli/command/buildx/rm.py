"""``boxship buildx rm``."""

from boxship.cli import kinds
from boxship.cli.building.builders import BUILDER as NAME
from boxship.cli.building.builders import check_name
from boxship.cli.building.flags import BUILDER, DEBUG
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation

FLAGS = (
    Flag("all-inactive", "", kinds.BOOL, "Remove all that are not running: there are none"),
    BUILDER,
    DEBUG,
    Flag("force", "f", kinds.BOOL, "Do not ask"),
    Flag("keep-daemon", "", kinds.BOOL, "Accepted, no effect"),
    Flag("keep-state", "", kinds.BOOL, "Accepted, no effect"),
    Flag("timeout", "", kinds.DURATION, "Accepted, no effect", default=20_000_000_000),
)


def run(session: Session, given: Invocation) -> int:
    if given.values.on("all-inactive"):
        return 0
    for name in given.arguments or (NAME,):
        check_name(name)
    raise ExitError(FAILURE, f'the builder "{NAME}" is the engine\'s own and cannot be removed')


COMMAND = Command("[OPTIONS] [NAME...]", Arity(0, None), run, FLAGS)
