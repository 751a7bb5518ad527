"""``boxship checkpoint create``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import TWO, Command, Invocation
from boxship.client import containers

DIRECTORY = Flag("checkpoint-dir", "", kinds.STRING, "Directory to keep checkpoints in")
FLAGS = (
    DIRECTORY,
    Flag("leave-running", "", kinds.BOOL, "Let the container go on"),
)


def run(session: Session, given: Invocation) -> int:
    container, name = given.arguments
    containers.checkpoint(
        session.client,
        container,
        name,
        directory=given.values.text("checkpoint-dir"),
        leave_running=given.values.on("leave-running"),
    )
    session.say(name)
    return 0


COMMAND = Command("[OPTIONS] CONTAINER CHECKPOINT", TWO, run, FLAGS)
