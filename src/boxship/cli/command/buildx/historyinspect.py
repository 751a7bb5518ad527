"""``boxship buildx history inspect``."""

import time

from boxship.cli import kinds
from boxship.cli.building.builders import opened
from boxship.cli.building.flags import BUILDER, DEBUG
from boxship.cli.flags import Flag
from boxship.cli.format.directive import Directive
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation

FLAGS = (
    BUILDER,
    DEBUG,
    Flag("format", "", kinds.STRING, "How to print: pretty, json or a Go template"),
)


def run(session: Session, given: Invocation) -> int:
    from boxship.cli.command.buildx.records import find
    from boxship.cli.format.buildrecords import RECORD, RecordView

    with opened(session, given) as builder:
        record = find(builder, given.arguments[0] if given.arguments else "")
    view = RecordView(record, time.time_ns())
    chosen = given.values.text("format") or "pretty"
    if chosen == "pretty":
        session.out.write(view.page())
    else:
        session.out.write(Directive(chosen, table_default="").render(RECORD, [view]))
    return 0


COMMAND = Command("[OPTIONS] [REF]", Arity(0, 1), run, FLAGS)
