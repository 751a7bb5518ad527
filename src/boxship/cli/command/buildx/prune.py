"""``boxship buildx prune``."""

import time

from boxship.base.errors import InvalidArgumentError
from boxship.base.moments import parse_duration
from boxship.cli import kinds
from boxship.cli.building.builders import opened
from boxship.cli.building.flags import BUILDER, DEBUG
from boxship.cli.command.buildx.du import buildkit_filters
from boxship.cli.flags import Flag
from boxship.cli.format.directive import Directive, columns_template
from boxship.cli.format.sizes import human_size
from boxship.cli.pruning import FORCE_FLAG, confirmed
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation

FLAGS = (
    Flag("all", "a", kinds.BOOL, "Remove what is internal as well"),
    BUILDER,
    DEBUG,
    Flag("filter", "", kinds.FILTER, "Remove what matches, as until=24h"),
    FORCE_FLAG,
    Flag("keep-storage", "", kinds.BYTES, "Keep as many bytes", hidden=True),
    Flag("max-used-space", "", kinds.BYTES, "Keep no more bytes than this"),
    Flag("min-free-space", "", kinds.BYTES, "Have as many bytes free on the disk"),
    Flag("reserved-space", "", kinds.BYTES, "Keep as many bytes"),
    Flag("timeout", "", kinds.DURATION, "Accepted, no effect", default=20_000_000_000),
    Flag("verbose", "", kinds.BOOL, "Show all that is known of what went"),
)


def run(session: Session, given: Invocation) -> int:
    from boxship.cli.format.buildcache import CACHE, DEFAULT_COLUMNS, CacheView
    from boxship.wire.buildkit import methods
    from boxship.wire.buildkit.control import PruneRequest

    values = given.values
    age, rest = _age(values.many("filter"))
    every = values.on("all")
    what = "all build cache" if every else "all dangling build cache"
    if not confirmed(session, given, f"This will remove {what}."):
        return 0
    question = PruneRequest(
        filter=buildkit_filters(rest),
        all=every,
        keep_duration=age,
        reserved_space=values.number("reserved-space") or values.number("keep-storage"),
        max_used_space=values.number("max-used-space"),
        min_free_space=values.number("min-free-space"),
    )
    with opened(session, given) as builder:
        records = list(builder.listen(methods.PRUNE, question))
    rows = [CacheView(record, time.time_ns()) for record in records]
    if values.on("verbose"):
        session.out.write("\n".join(row.paragraph() for row in rows))
    elif rows:
        directive = Directive("table", table_default=columns_template(DEFAULT_COLUMNS))
        session.out.write(directive.render(CACHE, rows))
    session.say(f"Total:\t{human_size(sum(record.size for record in records))}")
    return 0


def _age(filters: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    """Take ``until`` (``unused-for`` of old) out of the filters; nanoseconds."""
    age, rest = 0, []
    for text in filters:
        name, _, value = text.partition("=")
        if name not in ("until", "unused-for"):
            rest.append(text)
            continue
        try:
            age = parse_duration(value)
        except ValueError as error:
            raise InvalidArgumentError(f'"until" filter expects a duration: {error}') from error
    return age, tuple(rest)


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
