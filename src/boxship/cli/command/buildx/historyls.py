"""``boxship buildx history ls``."""

import time
from typing import TYPE_CHECKING

from boxship.cli import kinds
from boxship.cli.building.builders import opened
from boxship.cli.building.flags import BUILDER, DEBUG
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.format.directive import Directive, columns_template
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation

if TYPE_CHECKING:
    from boxship.cli.format.buildrecords import RecordView

FLAGS = (
    BUILDER,
    DEBUG,
    Flag("filter", "", kinds.FILTER, "Show those that match, as status=error or ref=ID"),
    Flag("format", "", kinds.STRING, "How to print: table, json or a Go template"),
    Flag("local", "", kinds.BOOL, "Accepted, no effect: the engine knows no repositories"),
    Flag("no-trunc", "", kinds.BOOL, "Do not shorten anything"),
)

_NAMES = ("ref", "status")


def run(session: Session, given: Invocation) -> int:
    from boxship.cli.format.buildrecords import DEFAULT_COLUMNS, RECORD, RecordView

    wanted = [text.partition("=")[::2] for text in given.values.many("filter")]
    for name, _ in wanted:
        if name not in _NAMES:
            raise ExitError(FAILURE, f"unknown filter {name!r}: use ref or status")
    with opened(session, given) as builder:
        rows = [RecordView(record, time.time_ns()) for record in builder.records()]
    for name, value in wanted:
        rows = [row for row in rows if _value(row, name) == value.lower()]
    chosen = given.values.text("format") or "table"
    directive = Directive(chosen, table_default=columns_template(DEFAULT_COLUMNS))
    session.out.write(directive.render(RECORD, rows))
    return 0


def _value(row: "RecordView", name: str) -> str:
    return row.record.ref if name == "ref" else row.status().lower()


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
