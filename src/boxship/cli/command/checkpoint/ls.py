"""``boxship checkpoint ls``."""

from boxship.cli.command.checkpoint.create import DIRECTORY
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client import containers


def run(session: Session, given: Invocation) -> int:
    directory = given.values.text("checkpoint-dir")
    session.say("CHECKPOINT NAME")
    for row in containers.checkpoints(session.client, given.arguments[0], directory=directory):
        session.say(row["Name"])
    return 0


COMMAND = Command("[OPTIONS] CONTAINER", ONE, run, (DIRECTORY,))
