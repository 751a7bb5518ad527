"""``boxship system socket rm``: who came in by it is sent away at once."""

from boxship.cli.batch import for_each
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import sockets


def run(session: Session, given: Invocation) -> int:
    return for_each(session, given.arguments, lambda name: sockets.remove(session.client, name))


COMMAND = Command(
    "NAME [NAME...]",
    SOME,
    run,
    about="Requests and streams that came in by it are cut off. Terminals that were handed over\n"
    "by then (attach, exec) end with their process, or with their container.",
)
