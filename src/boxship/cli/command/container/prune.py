"""``boxship container prune``."""

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
    dry = given.values.on("dry-run")
    if dry or confirmed(session, given, "This will remove all stopped containers."):
        report(session, [pruning.containers(session.client, filters, dry=dry)], dry=dry)
    return 0


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
