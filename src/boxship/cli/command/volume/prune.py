"""``boxship volume prune``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.pruning import DRY_RUN_FLAG, FORCE_FLAG, confirmed, filters_of, report
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client import pruning

FLAGS = (
    Flag("all", "a", kinds.BOOL, "Remove those that have a name as well"),
    Flag("filter", "", kinds.FILTER, "Remove those that match, as label!=keep"),
    DRY_RUN_FLAG,
    FORCE_FLAG,
)


def run(session: Session, given: Invocation) -> int:
    filters = filters_of(session, given)
    which = "anonymous local volumes not used by at least one container"
    if given.values.on("all"):
        which = "local volumes not used by at least one container"
        filters.append(("all", "true"))
    dry = given.values.on("dry-run")
    if dry or confirmed(session, given, f"This will remove all {which}."):
        report(session, [pruning.volumes(session.client, filters, dry=dry)], dry=dry)
    return 0


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
