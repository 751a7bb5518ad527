"""``boxship buildx ls``: the one builder that there is."""

from boxship.cli import kinds
from boxship.cli.building.builders import BUILDER as NAME
from boxship.cli.building.flags import BUILDER, DEBUG
from boxship.cli.command.buildx.inspect import BuilderDetails, details
from boxship.cli.flags import Flag
from boxship.cli.format.directive import Column, Directive, View, columns_template
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation

FLAGS = (
    BUILDER,
    DEBUG,
    Flag("format", "", kinds.STRING, "How to print: table, json or a Go template"),
    Flag("no-trunc", "", kinds.BOOL, "Do not shorten anything"),
    Flag("timeout", "", kinds.DURATION, "Accepted, no effect", default=20_000_000_000),
)

_DEFAULT = ("Name", "DriverEndpoint", "Status", "Buildkit", "Platforms")

ROW: View[BuilderDetails] = View(
    go_type="*buildx.builder",
    columns={
        "Name": Column("NAME/NODE", lambda found: f"{NAME}*"),
        "DriverEndpoint": Column("DRIVER/ENDPOINT", lambda found: "docker"),
        "Status": Column("STATUS", lambda found: "running"),
        "Buildkit": Column("BUILDKIT", lambda found: found.version),
        "Platforms": Column("PLATFORMS", lambda found: ", ".join(found.platforms)),
    },
    methods={},
)


def run(session: Session, given: Invocation) -> int:
    chosen = given.values.text("format") or "table"
    directive = Directive(chosen, table_default=columns_template(_DEFAULT))
    session.out.write(directive.render(ROW, [details(session, given)]))
    return 0


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
