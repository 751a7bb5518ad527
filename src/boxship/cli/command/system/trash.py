"""``boxship system trash``: look at what was removed, bring it back, or empty the trash."""

import time

from boxship.cli import kinds
from boxship.cli.batch import for_each
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.format.directive import Directive, columns_template
from boxship.cli.format.sizes import human_size
from boxship.cli.format.trash import TRASH, TrashView
from boxship.cli.pruning import FORCE_FLAG, confirmed
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import trash

FLAGS = (
    FORCE_FLAG,
    Flag("format", "", kinds.STRING, "ls: table, json, 'table TEMPLATE' or a Go template"),
    Flag("name", "", kinds.STRING, "restore: bring it back under another name"),
    Flag("quiet", "q", kinds.BOOL, "ls: print ids only"),
)
_COLUMNS = ("ID", "Type", "Name", "Removed", "Expires", "Size")


def run(session: Session, given: Invocation) -> int:
    action, *references = given.arguments
    if action in ("ls", "list") and not references:
        return _list(session, given)
    if action == "restore" and references:
        return _restore(session, given, references)
    if action == "empty":
        return _empty(session, given, references)
    raise ExitError(FAILURE, "say what to do: ls, restore ID|NAME..., or empty [ID|NAME...]")


def _list(session: Session, given: Invocation) -> int:
    chosen = given.values.text("format") or ("{{.ID}}" if given.values.on("quiet") else "table")
    directive = Directive(chosen, table_default=columns_template(_COLUMNS))
    now_ns = time.time_ns()
    rows = [TrashView(entry, now_ns) for entry in trash.listing(session.client)]
    session.out.write(directive.render(TRASH, rows))
    return 0


def _restore(session: Session, given: Invocation, references: list[str]) -> int:
    name = given.values.text("name")
    if name and len(references) > 1:
        raise ExitError(FAILURE, "--name is for one object: several cannot have the same")
    return for_each(session, references, lambda each: trash.restore(session.client, each, name))


def _empty(session: Session, given: Invocation, references: list[str]) -> int:
    what = "what is named" if references else "everything"
    if confirmed(session, given, f"This will remove {what} in the trash for good."):
        emptied = trash.empty(session.client, references)
        for identity in emptied["ItemsDeleted"]:
            session.say(identity)
        session.say(f"Total reclaimed space: {human_size(emptied['SpaceReclaimed'])}")
    return 0


COMMAND = Command(
    "ls | restore ID|NAME... | empty [ID|NAME...]",
    SOME,
    run,
    FLAGS,
    about="""\
What is removed goes to the trash if the daemon is started with --trash-retention (as
24h), and for good when that time is over. A container comes back with the volumes and
networks it had, an image with its names. What removes itself (--rm) does not go there.""",
)
