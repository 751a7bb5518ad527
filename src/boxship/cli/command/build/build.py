"""``boxship build``."""

from boxship.cli.building.flags import FLAGS
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation


def run(session: Session, given: Invocation) -> int:
    from boxship.cli.building.running import run_build

    return run_build(session, given, _enter)


def _enter(session: Session, image: str) -> None:
    from boxship.cli.command.build.entering import enter

    enter(session, image)


COMMAND = Command("[OPTIONS] PATH|URL|-", ONE, run, FLAGS)
