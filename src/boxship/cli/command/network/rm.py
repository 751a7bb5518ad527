"""``boxship network rm``."""

from boxship.base.errors import NotFoundError
from boxship.cli import kinds
from boxship.cli.batch import for_each
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import networks

FLAGS = (Flag("force", "f", kinds.BOOL, "Do not mind networks that do not exist"),)


def run(session: Session, given: Invocation) -> int:
    gone = []

    def remove(name: str) -> None:
        try:
            networks.remove(session.client, name)
        except NotFoundError:
            if not given.values.on("force"):
                raise
            gone.append(name)

    # What was gone already is not printed, as it was not removed.
    return for_each(session, given.arguments, remove, quiet=gone)


COMMAND = Command("NETWORK [NETWORK...]", SOME, run, FLAGS)
