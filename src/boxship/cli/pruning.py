"""What the prune verbs share: filters, the question, and the report."""

import sys
from collections.abc import Iterable

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.format.sizes import human_size
from boxship.cli.session import Session
from boxship.cli.verb import Invocation
from boxship.client.filters import parse_filter
from boxship.client.pruning import Pruned

FORCE_FLAG = Flag("force", "f", kinds.BOOL, "Do not ask")
DRY_RUN_FLAG = Flag("dry-run", "", kinds.BOOL, "Show what would be removed, and remove nothing")
QUESTION = "Are you sure you want to continue? [y/N] "


def filters_of(session: Session, given: Invocation) -> list[tuple[str, str]]:
    """Those of the command line and of ``pruneFilters`` in the config file, which give way."""
    asked = [parse_filter(text) for text in given.values.many("filter")]
    opposite = {"label": "label!", "label!": "label"}
    for text in session.config.prune_filters:
        name, equals, value = text.partition("=")
        if equals and (opposite.get(name, ""), value) not in asked:
            asked.append((name, value))
    return asked


def confirmed(session: Session, given: Invocation, warning: str) -> bool:
    """Ask on the terminal, unless told not to. Anything but a yes is a no."""
    if given.values.on("force"):
        return True
    session.out.write(f"WARNING! {warning}\n{QUESTION}")
    session.out.flush()
    return sys.stdin.readline().strip().lower() == "y"


def report(session: Session, pruned: Iterable[Pruned], *, dry: bool = False) -> None:
    """Print what went (or would go, if ``dry``) as it goes, and the sum of the space at the end."""
    total = 0
    for each in pruned:
        total += each.reclaimed
        if each.lines:
            title = each.title.replace("Deleted", "Would delete", 1) if dry else each.title
            session.say("\n".join((title, *each.lines, "")))
    what = "Space that would be reclaimed" if dry else "Total reclaimed space"
    session.say(f"{what}: {human_size(total)}")
