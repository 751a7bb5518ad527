"""``boxship stats``."""

import time
from typing import Any

from boxship.base.errors import NotFoundError
from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.format.directive import Directive, columns_template
from boxship.cli.format.statistics import DEFAULT_COLUMNS, STATISTICS, StatisticsView
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import containers

_INTERVAL = 1.0
_CLEAR = "\033[H\033[J"

FLAGS = (
    Flag("all", "a", kinds.BOOL, "Show stopped containers too"),
    Flag(
        "format",
        "",
        kinds.STRING,
        "How to print: table, json, 'table TEMPLATE' or a Go template",
    ),
    Flag("no-stream", "", kinds.BOOL, "Print once"),
    Flag("no-trunc", "", kinds.BOOL, "Do not shorten anything"),
)

Samples = dict[str, dict[str, Any]]


def run(session: Session, given: Invocation) -> int:
    values = given.values
    chosen = values.text("format") or session.config.stats_format or "table"
    directive = Directive(chosen, table_default=columns_template(DEFAULT_COLUMNS))
    before = _sample(session, given, patient=False)
    while True:
        time.sleep(_INTERVAL)
        now = _sample(session, given, patient=True)
        rows = [
            StatisticsView(asked, sample, before.get(asked), full=values.on("no-trunc"))
            for asked, sample in now.items()
        ]
        text = directive.render(STATISTICS, rows)
        if values.on("no-stream"):
            session.out.write(text)
            return 0
        session.out.write(_CLEAR + text if session.out.isatty() else text)
        session.out.flush()
        before = now


def _sample(session: Session, given: Invocation, *, patient: bool) -> Samples:
    """Ask for each container. One that has gone since the first time is no error any more."""
    client, found = session.client, {}
    names = given.arguments or tuple(
        row["Id"][:12] for row in containers.listing(client, all=given.values.on("all"))
    )
    for name in names:
        try:
            found[name] = containers.statistics(client, name)
        except NotFoundError:
            if given.arguments and not patient:
                raise
    return found


COMMAND = Command("[OPTIONS] [CONTAINER...]", Arity(0, None), run, FLAGS)
