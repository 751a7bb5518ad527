"""``boxship buildx du``."""

import json
import time

from boxship.cli import kinds
from boxship.cli.building.builders import opened
from boxship.cli.building.flags import BUILDER, DEBUG
from boxship.cli.flags import Flag
from boxship.cli.format.directive import Directive, columns_template
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation

FLAGS = (
    BUILDER,
    DEBUG,
    Flag("filter", "", kinds.FILTER, "Show what matches, as type=regular"),
    Flag("format", "", kinds.STRING, "How to print: table, json, pretty or a Go template"),
    Flag("timeout", "", kinds.DURATION, "Accepted, no effect", default=20_000_000_000),
    Flag("verbose", "", kinds.BOOL, "Show all that is known, the same as --format=pretty"),
)


def run(session: Session, given: Invocation) -> int:
    from boxship.cli.format.buildcache import CACHE, DEFAULT_COLUMNS, CacheView, sums
    from boxship.wire.buildkit import methods
    from boxship.wire.buildkit.control import DiskUsageRequest

    with opened(session, given) as builder:
        question = DiskUsageRequest(filter=buildkit_filters(given.values.many("filter")))
        records = builder.ask(methods.DISK_USAGE, question).record
    rows = [CacheView(record, time.time_ns()) for record in records]
    chosen = given.values.text("format") or "table"
    if given.values.on("verbose") or chosen == "pretty":
        session.out.write("\n".join(row.paragraph() for row in rows))
    else:
        directive = Directive(chosen, table_default=columns_template(DEFAULT_COLUMNS))
        session.out.write(directive.render(CACHE, rows))
        if chosen != "table":
            return 0
    session.out.write(sums(records))
    return 0


def buildkit_filters(given: tuple[str, ...]) -> tuple[str, ...]:
    """``name=value`` as BuildKit wants it; truths need their value there, texts are quoted."""
    found = []
    for text in given:
        name, _, value = text.partition("=")
        truth = value if value in ("true", "false") else json.dumps(value)
        found.append(f"{name}=={truth}")
    return (",".join(found),) if found else ()


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
