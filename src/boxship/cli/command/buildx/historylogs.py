"""``boxship buildx history logs``."""

import time

from boxship.cli import kinds
from boxship.cli.building.builders import opened
from boxship.cli.building.flags import BUILDER, DEBUG
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation

FLAGS = (
    BUILDER,
    DEBUG,
    Flag("progress", "", kinds.STRING, "How to show it: plain, tty, rawjson", default="plain"),
)


def run(session: Session, given: Invocation) -> int:
    from boxship.cli.buildprogress.display import check_mode, display_for
    from boxship.cli.command.buildx.records import find

    mode = check_mode(given.values.text("progress"))
    with opened(session, given) as builder:
        record = find(builder, given.arguments[0] if given.arguments else "")
        display = display_for(mode, session.out, time.time_ns())
        for update in builder.log_of(record.ref):
            display.show(update, time.time_ns())
        display.finish(time.time_ns())
    return 0


COMMAND = Command("[OPTIONS] [REF]", Arity(0, 1), run, FLAGS)
