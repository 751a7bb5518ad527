"""``boxship network ls``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.format.directive import Directive, columns_template
from boxship.cli.format.naturalorder import natural
from boxship.cli.format.networks import DEFAULT_COLUMNS, NETWORK, NetworkView
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client import networks
from boxship.client.filters import parse_filter

FLAGS = (
    Flag("filter", "f", kinds.FILTER, "Show those that match, as driver=bridge or label=name"),
    Flag(
        "format",
        "",
        kinds.STRING,
        "How to print: table, json, 'table TEMPLATE' or a Go template",
    ),
    Flag("no-trunc", "", kinds.BOOL, "Do not shorten anything"),
    Flag("quiet", "q", kinds.BOOL, "Print IDs only"),
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    directive = Directive(_format(session, given), table_default=columns_template(DEFAULT_COLUMNS))
    filters = [parse_filter(text) for text in values.many("filter")]
    found = networks.listing(session.client, filters)
    found.sort(key=lambda network: natural(network["Name"]))
    rows = [NetworkView(network, full=values.on("no-trunc")) for network in found]
    session.out.write(directive.render(NETWORK, rows))
    return 0


def _format(session: Session, given: Invocation) -> str:
    chosen = given.values.text("format")
    if given.values.on("quiet") and chosen in ("", "table"):
        return "{{.ID}}"
    return chosen or session.config.networks_format or "table"


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
