"""``boxship volume update``: for volumes of swarms, of which there are none."""

from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client import volumes

FLAGS = (Flag("availability", "", kinds.STRING, "active, pause or drain", default="active"),)


def run(session: Session, given: Invocation) -> int:
    volumes.inspect(session.client, given.arguments[0])
    raise ExitError(FAILURE, "can only update cluster volumes")


COMMAND = Command("[OPTIONS] VOLUME", ONE, run, FLAGS)
