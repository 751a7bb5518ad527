"""``boxship context ls``."""

from boxship.cli import kinds
from boxship.cli.command.context.endpoints import DEFAULT_DESCRIPTION, default
from boxship.cli.flags import Flag
from boxship.cli.format.contexts import CONTEXT, DEFAULT_TABLE, ContextView
from boxship.cli.format.directive import Directive
from boxship.cli.format.naturalorder import natural
from boxship.cli.session import Session
from boxship.cli.target import overriding
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client.contexts import DEFAULT, ContextStore

FLAGS = (
    Flag(
        "format", "", kinds.STRING, "How to print: table, json, 'table TEMPLATE' or a Go template"
    ),
    Flag("quiet", "q", kinds.BOOL, "Print names only"),
)


def run(session: Session, given: Invocation) -> int:
    store = ContextStore(session.config_directory)
    there = [default(session), *store.all()]
    rows = [
        ContextView(
            context,
            current=context.name == session.context,
            description=DEFAULT_DESCRIPTION if context.name == DEFAULT else context.description,
        )
        for context in sorted(there, key=lambda context: natural(context.name))
    ]
    if not any(row.current for row in rows):
        rows.append(ContextView.missing(session.context))
    quiet = given.values.on("quiet")
    chosen = given.values.text("format") or ("{{.Name}}" if quiet else "table")
    session.out.write(Directive(chosen, table_default=DEFAULT_TABLE).render(CONTEXT, rows))
    variable = overriding(session.environment)
    if variable and not quiet:
        session.warn(
            f"Warning: {variable} environment variable overrides the active context. To use a "
            f"context, either set the global --context flag, or unset {variable} environment "
            "variable."
        )
    return 0


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
