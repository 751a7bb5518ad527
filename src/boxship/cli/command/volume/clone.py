"""``boxship volume clone``: another volume with the same files."""

from boxship.cli.command.volume.copying import FLAGS, copy
from boxship.cli.session import Session
from boxship.cli.verb import TWO, Command, Invocation


def run(session: Session, given: Invocation) -> int:
    return copy(session, given, "clone")


COMMAND = Command("[OPTIONS] VOLUME NEW_NAME", TWO, run, FLAGS)
