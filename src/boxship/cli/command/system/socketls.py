"""``boxship system socket ls``."""

import time

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.format.directive import Directive, columns_template
from boxship.cli.format.sockets import SOCKET, SocketView
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client import sockets

FLAGS = (
    Flag(
        "format", "", kinds.STRING, "How to print: table, json, 'table TEMPLATE' or a Go template"
    ),
    Flag("quiet", "q", kinds.BOOL, "Print names only"),
)
_COLUMNS = ("Name", "Kind", "Allow", "Labels", "Created")


def run(session: Session, given: Invocation) -> int:
    quiet = given.values.on("quiet")
    chosen = given.values.text("format") or ("{{.Name}}" if quiet else "table")
    directive = Directive(chosen, table_default=columns_template(_COLUMNS))
    now_ns = time.time_ns()
    rows = [SocketView(entry, now_ns) for entry in sockets.listing(session.client)]
    session.out.write(directive.render(SOCKET, rows))
    return 0


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
