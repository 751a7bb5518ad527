"""``boxship image prune``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.pruning import DRY_RUN_FLAG, FORCE_FLAG, confirmed, filters_of, report
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client import pruning

FLAGS = (
    Flag("all", "a", kinds.BOOL, "Remove all unused images, not just dangling ones"),
    Flag(
        "filter",
        "",
        kinds.FILTER,
        "Remove those that match, as until=24h, label!=keep or unused-for=30d",
    ),
    DRY_RUN_FLAG,
    FORCE_FLAG,
)
_DANGLING = "This will remove all dangling images."
_UNUSED = "This will remove all images without at least one container associated to them."


def run(session: Session, given: Invocation) -> int:
    all_unused = given.values.on("all")
    filters = filters_of(session, given)
    dry = given.values.on("dry-run")
    if dry or confirmed(session, given, _UNUSED if all_unused else _DANGLING):
        report(
            session,
            [pruning.images(session.client, filters, all_unused=all_unused, dry=dry)],
            dry=dry,
        )
    return 0


COMMAND = Command(
    "[OPTIONS]",
    NONE,
    run,
    FLAGS,
    about="""\
An image is unused if no container was made from it, running or not. unused-for spares
images that were used, tagged or added within that time: an image counts as used when a
container of it is created, started or removed.""",
)
