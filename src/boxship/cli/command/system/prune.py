"""``boxship system prune``."""

from collections.abc import Iterable, Iterator

from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.pruning import DRY_RUN_FLAG, FORCE_FLAG, confirmed, filters_of, report
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client import pruning
from boxship.client.pruning import Pruned

FLAGS = (
    Flag("all", "a", kinds.BOOL, "Remove all unused images, not just dangling ones"),
    Flag("filter", "", kinds.FILTER, "Remove those that match, as until=24h or label!=keep"),
    DRY_RUN_FLAG,
    FORCE_FLAG,
    Flag("volumes", "", kinds.BOOL, "Remove anonymous volumes too"),
)


def run(session: Session, given: Invocation) -> int:
    filters = filters_of(session, given)
    volumes = given.values.on("volumes")
    if volumes and any(name == "until" for name, _ in filters):
        raise ExitError(FAILURE, 'ERROR: The "until" filter is not supported with "--volumes"')
    if given.values.on("dry-run"):
        every = given.values.on("all")
        plan = pruning.plan(session.client, filters, all_unused=every, with_volumes=volumes)
        report(session, plan, dry=True)
    elif confirmed(session, given, _warning(given, filters)):
        report(session, _prune(session, given, filters))
    return 0


def _prune(session: Session, given: Invocation, filters: list[tuple[str, str]]) -> Iterator[Pruned]:
    """Containers first: only then is free what they used."""
    client, all_unused = session.client, given.values.on("all")
    yield pruning.containers(client, filters)
    yield pruning.networks(client, filters)
    if given.values.on("volumes"):
        yield pruning.volumes(client, filters)
    yield pruning.images(client, filters, all_unused=all_unused)
    yield pruning.build_cache(client, filters, all_unused=all_unused)


def _warning(given: Invocation, filters: Iterable[tuple[str, str]]) -> str:
    all_unused = given.values.on("all")
    kinds_removed = [
        "all stopped containers",
        "all networks not used by at least one container",
        *["all anonymous volumes not used by at least one container"] * given.values.on("volumes"),
        "all images without at least one container associated to them"
        if all_unused
        else "all dangling images",
        "all build cache" if all_unused else "unused build cache",
    ]
    lines = ["This will remove:", *(f"  - {kind}" for kind in kinds_removed), ""]
    if shown := sorted(f"{name}={value}" for name, value in filters):
        lines += ["  Items to be pruned will be filtered with:"]
        lines += [*(f"  - {each}" for each in shown), ""]
    return "\n".join(lines)


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
