"""``boxship context export``."""

import os

from boxship.base.errors import ConflictError, InvalidArgumentError
from boxship.cli.command.context.endpoints import find
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client.contextarchive import packed
from boxship.client.contexts import ContextStore

_TO_STDOUT = "-"


def run(session: Session, given: Invocation) -> int:
    name, *place = given.arguments
    path = place[0] if place else f"{name}.dockercontext"
    store = ContextStore(session.config_directory)
    context = find(name, store, session)
    data = packed(context.document, store.tls_data(context))
    if path == _TO_STDOUT:
        if os.isatty(1):
            raise InvalidArgumentError("cowardly refusing to export to a terminal, specify a file")
        session.out.flush()
        with open(1, "wb", closefd=False) as output:
            output.write(data)
        return 0
    try:  # there are keys in it
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise ConflictError(f"open {path}: file exists") from error
    with open(descriptor, "wb") as file:
        file.write(data)
    session.warn(f'Written file "{path}"')
    return 0


COMMAND = Command("CONTEXT [FILE|-]", Arity(1, 2), run)
