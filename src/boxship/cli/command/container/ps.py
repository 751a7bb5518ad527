"""``boxship ps``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.format.containers import CONTAINER, DEFAULT_COLUMNS, ContainerView
from boxship.cli.format.directive import WHOLE, Directive, columns_template
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client import containers
from boxship.client.filters import parse_filter

FLAGS = (
    Flag("all", "a", kinds.BOOL, "Show stopped containers too"),
    Flag("filter", "f", kinds.FILTER, "Show those that match, as status=running or label=name"),
    Flag(
        "format",
        "",
        kinds.STRING,
        "How to print: table, json, 'table TEMPLATE' or a Go template",
    ),
    Flag("last", "n", kinds.INT, "Show the n containers created last, in any state", default=-1),
    Flag("latest", "l", kinds.BOOL, "Show the container created last, in any state"),
    Flag("no-trunc", "", kinds.BOOL, "Do not shorten anything"),
    Flag("quiet", "q", kinds.BOOL, "Print IDs only"),
    Flag("size", "s", kinds.BOOL, "Show how much each container takes on disk"),
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    size = values.on("size")
    directive = Directive(
        _format(session, given),
        table_default=columns_template((*DEFAULT_COLUMNS, *["Size"] * size)),
    )
    limit = 1 if values.on("latest") else values.number("last")
    found = containers.listing(
        session.client,
        all=values.on("all") or limit > 0,
        limit=limit,
        size=size or _shows_size(directive, given),
        filters=[parse_filter(text) for text in values.many("filter")],
    )
    rows = [ContainerView(summary, full=values.on("no-trunc")) for summary in found]
    session.out.write(directive.render(CONTAINER, rows))
    return 0


def _shows_size(directive: Directive, given: Invocation) -> bool:
    """Sizes cost the daemon a walk through every container's files: ask only if shown."""
    if given.values.on("quiet") or given.values.text("format") == "json":
        return False
    return not directive.fields().isdisjoint(("Size", WHOLE))


def _format(session: Session, given: Invocation) -> str:
    chosen = given.values.text("format")
    if given.values.on("quiet") and chosen in ("", "table"):
        return "{{.ID}}"
    return chosen or session.config.ps_format or "table"


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
