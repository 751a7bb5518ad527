"""``boxship plugin ls``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.format.directive import Directive, columns_template
from boxship.cli.format.naturalorder import natural
from boxship.cli.format.plugins import PLUGIN, PluginView
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client import plugins
from boxship.client.filters import parse_filter

FLAGS = (
    Flag("filter", "f", kinds.FILTER, "Show those that match: enabled=true, capability=authz"),
    Flag(
        "format", "", kinds.STRING, "How to print: table, json, 'table TEMPLATE' or a Go template"
    ),
    Flag("no-trunc", "", kinds.BOOL, "Show whole ids and descriptions"),
    Flag("quiet", "q", kinds.BOOL, "Print ids only"),
)
_COLUMNS = ("ID", "Name", "Description", "Enabled")


def run(session: Session, given: Invocation) -> int:
    values = given.values
    directive = Directive(_format(session, given), table_default=columns_template(_COLUMNS))
    found = plugins.listing(session.client, [parse_filter(t) for t in values.many("filter")])
    found.sort(key=lambda plugin: natural(plugin["Name"]))
    views = [PluginView(plugin, full=values.on("no-trunc")) for plugin in found]
    session.out.write(directive.render(PLUGIN, views))
    return 0


def _format(session: Session, given: Invocation) -> str:
    chosen = given.values.text("format")
    if given.values.on("quiet") and chosen in ("", "table"):
        return "{{.ID}}"
    return chosen or session.config.plugins_format or "table"


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
