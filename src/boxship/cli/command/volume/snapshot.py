"""``boxship volume snapshot``: a copy that nobody can write to."""

from boxship.cli.command.volume.copying import FLAGS, copy
from boxship.cli.session import Session
from boxship.cli.verb import TWO, Command, Invocation


def run(session: Session, given: Invocation) -> int:
    return copy(session, given, "snapshot")


COMMAND = Command("[OPTIONS] VOLUME SNAPSHOT_NAME", TWO, run, FLAGS)
