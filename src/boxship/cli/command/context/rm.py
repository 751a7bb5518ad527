"""``boxship context rm``."""

from boxship.base.errors import BoxshipError, ConflictError, InvalidArgumentError, NotFoundError
from boxship.cli import kinds
from boxship.cli.command.context.use import choose
from boxship.cli.exitcodes import FAILURE
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client.contexts import DEFAULT, ContextStore

FLAGS = (
    Flag("force", "f", kinds.BOOL, "Also the one that holds; of one that isn't there, nothing"),
)


def run(session: Session, given: Invocation) -> int:
    store, force = ContextStore(session.config_directory), given.values.on("force")
    problems = []
    for name in given.arguments:
        try:
            _remove(session, store, name, force=force)
        except BoxshipError as error:
            problems.append(str(error))
        else:
            session.say(name)
    for problem in problems:
        session.warn(problem)
    return FAILURE if problems else 0


def _remove(session: Session, store: ContextStore, name: str, *, force: bool) -> None:
    if name == DEFAULT:
        raise InvalidArgumentError('context "default" cannot be removed')
    if not (force or store.has(name)):
        raise NotFoundError(f'context "{name}" does not exist')
    if name == session.context:
        if not force:
            raise ConflictError(f'context "{name}" is in use, set -f flag to force remove')
        choose(session, DEFAULT)
    store.remove(name)


COMMAND = Command("[OPTIONS] CONTEXT [CONTEXT...]", SOME, run, FLAGS)
