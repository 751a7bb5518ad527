"""``boxship checkpoint rm``."""

from boxship.cli.command.checkpoint.create import DIRECTORY
from boxship.cli.session import Session
from boxship.cli.verb import TWO, Command, Invocation
from boxship.client import containers


def run(session: Session, given: Invocation) -> int:
    container, name = given.arguments
    directory = given.values.text("checkpoint-dir")
    containers.remove_checkpoint(session.client, container, name, directory=directory)
    return 0


COMMAND = Command("[OPTIONS] CONTAINER CHECKPOINT", TWO, run, (DIRECTORY,))
