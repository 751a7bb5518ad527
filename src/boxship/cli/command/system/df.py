"""``boxship system df``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.format.directive import Directive, columns_template
from boxship.cli.format.diskusage import (
    DETAILS,
    SUMMARY,
    SUMMARY_COLUMNS,
    Details,
    detail_tables,
    summary_rows,
)
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client.diskusage import disk_usage

FLAGS = (
    Flag(
        "format",
        "",
        kinds.STRING,
        "How to print: table, json, 'table TEMPLATE' or a Go template",
    ),
    Flag("verbose", "v", kinds.BOOL, "Show every image, container and volume"),
)


def run(session: Session, given: Invocation) -> int:
    chosen = given.values.text("format") or "table"
    details = given.values.on("verbose")
    directive = Directive(chosen, table_default=columns_template(SUMMARY_COLUMNS))
    usage = disk_usage(session.client, details=details)
    if not details:
        session.out.write(directive.render(SUMMARY, summary_rows(usage)))
    elif directive.is_table:
        session.out.write(detail_tables(Details(usage, full=False)))
    else:
        session.out.write(directive.render(DETAILS, [Details(usage, full=True)]))
    return 0


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
