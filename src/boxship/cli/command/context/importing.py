"""``boxship context import``."""

from boxship.base.errors import ConflictError, InvalidArgumentError
from boxship.cli.session import Session
from boxship.cli.verb import TWO, Command, Invocation
from boxship.client.contextarchive import unpacked
from boxship.client.contexts import ContextStore, check_name

_FROM_STDIN = "-"


def run(session: Session, given: Invocation) -> int:
    name, path = given.arguments
    check_name(name)
    store = ContextStore(session.config_directory)
    if store.has(name):
        raise ConflictError(f'context "{name}" already exists')
    document, tls = unpacked(_read(path), name)
    store.create(document, tls)
    session.say(name)
    session.warn(f'Successfully imported context "{name}"')
    return 0


def _read(path: str) -> bytes:
    try:
        with open(0 if path == _FROM_STDIN else path, "rb", closefd=path != _FROM_STDIN) as file:
            return file.read()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InvalidArgumentError(f"open {path}: {reason}") from error


COMMAND = Command("CONTEXT FILE|-", TWO, run)
