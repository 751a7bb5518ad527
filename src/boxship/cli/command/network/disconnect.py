"""``boxship network disconnect``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import TWO, Command, Invocation
from boxship.client import networks

FLAGS = (Flag("force", "f", kinds.BOOL, "Disconnect a container even if it is gone"),)


def run(session: Session, given: Invocation) -> int:
    network, container = given.arguments
    networks.disconnect(session.client, network, container, force=given.values.on("force"))
    return 0


COMMAND = Command("[OPTIONS] NETWORK CONTAINER", TWO, run, FLAGS)
