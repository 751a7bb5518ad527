"""``boxship history``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.format.directive import Directive, columns_template
from boxship.cli.format.history import HISTORY, HistoryView
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client import images

FLAGS = (
    Flag(
        "format",
        "",
        kinds.STRING,
        "How to print: table, json, 'table TEMPLATE' or a Go template",
    ),
    Flag("human", "H", kinds.BOOL, "Print sizes and dates for people", default=True),
    Flag("no-trunc", "", kinds.BOOL, "Do not shorten anything"),
    Flag("platform", "", kinds.STRING, "Show this platform's history, as linux/amd64"),
    Flag("quiet", "q", kinds.BOOL, "Print IDs only"),
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    chosen = values.text("format") or "table"
    if values.on("quiet") and chosen == "table":
        chosen = "{{.ID}}"
    created = "CreatedSince" if values.on("human") else "CreatedAt"
    columns = ("ID", created, "CreatedBy", "Size", "Comment")
    directive = Directive(chosen, table_default=columns_template(columns))
    entries = images.history(
        session.client, given.arguments[0], platform=values.text("platform") or None
    )
    rows = [
        HistoryView(entry, full=values.on("no-trunc"), human=values.on("human"))
        for entry in entries
    ]
    session.out.write(directive.render(HISTORY, rows))
    return 0


COMMAND = Command("[OPTIONS] IMAGE", ONE, run, FLAGS)
