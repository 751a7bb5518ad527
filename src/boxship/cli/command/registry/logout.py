"""``boxship logout``."""

from boxship.base.errors import BoxshipError
from boxship.cli.keychain import server_key
from boxship.cli.registryauth import keychain
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation


def run(session: Session, given: Invocation) -> int:
    server = server_key(given.arguments[0] if given.arguments else "")
    session.say(f"Removing login credentials for {server}")
    try:
        keychain(session).erase(server)
    except BoxshipError as error:
        session.warn(f"WARNING: could not erase credentials: {error}")
    return 0


COMMAND = Command(
    "[SERVER]",
    Arity(0, 1),
    run,
    about="SERVER is a registry's host and port; without it, Docker Hub is meant.",
)
