"""``boxship network prune``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.pruning import DRY_RUN_FLAG, FORCE_FLAG, confirmed, filters_of, report
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client import pruning

FLAGS = (
    Flag("filter", "", kinds.FILTER, "Remove those that match, as until=24h or label!=keep"),
    DRY_RUN_FLAG,
    FORCE_FLAG,
)


def run(session: Session, given: Invocation) -> int:
    filters = filters_of(session, given)
    warning = "This will remove all custom networks not used by at least one container."
    dry = given.values.on("dry-run")
    if dry or confirmed(session, given, warning):
        pruned = pruning.networks(session.client, filters, dry=dry)
        if dry:
            report(session, [pruned], dry=True)
        elif pruned.lines:
            session.say("\n".join((pruned.title, *pruned.lines, "")))
    return 0


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
