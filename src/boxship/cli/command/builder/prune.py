"""``boxship builder prune``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.pruning import FORCE_FLAG, confirmed, filters_of, report
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client import pruning

FLAGS = (
    Flag("all", "a", kinds.BOOL, "Remove all of it, not just what no image is made of"),
    Flag("filter", "", kinds.FILTER, "Remove what matches, as until=24h"),
    FORCE_FLAG,
    Flag("keep-storage", "", kinds.BYTES, "Keep as many bytes of it"),
)


def run(session: Session, given: Invocation) -> int:
    every = given.values.on("all")
    warning = (
        "This will remove all build cache."
        if every
        else "This will remove all dangling build cache."
    )
    if confirmed(session, given, warning):
        pruned = pruning.build_cache(
            session.client,
            filters_of(session, given),
            all_unused=every,
            keep=given.values.number("keep-storage"),
        )
        report(session, [pruned])
    return 0


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
