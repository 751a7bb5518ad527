"""``boxship volume ls``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.format.directive import Directive, columns_template
from boxship.cli.format.diskusage import VOLUME, VolumeView
from boxship.cli.format.naturalorder import natural
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client import volumes
from boxship.client.filters import parse_filter

FLAGS = (
    Flag("filter", "f", kinds.FILTER, "Show those that match, as dangling=true or label=name"),
    Flag(
        "format",
        "",
        kinds.STRING,
        "How to print: table, json, 'table TEMPLATE' or a Go template",
    ),
    Flag("quiet", "q", kinds.BOOL, "Print names only"),
)
_COLUMNS = ("Driver", "Name")


def run(session: Session, given: Invocation) -> int:
    values = given.values
    directive = Directive(_format(session, given), table_default=columns_template(_COLUMNS))
    filters = [parse_filter(text) for text in values.many("filter")]
    found = volumes.listing(session.client, filters)
    found.sort(key=lambda volume: natural(volume["Name"]))
    session.out.write(directive.render(VOLUME, [VolumeView(volume) for volume in found]))
    return 0


def _format(session: Session, given: Invocation) -> str:
    chosen = given.values.text("format")
    if given.values.on("quiet") and chosen in ("", "table"):
        return "{{.Name}}"
    return chosen or session.config.volumes_format or "table"


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
