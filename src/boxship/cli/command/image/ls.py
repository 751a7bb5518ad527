"""``boxship images``."""

from boxship.base.errors import InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.format.directive import Directive, columns_template
from boxship.cli.format.images import IMAGE, rows
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import images
from boxship.client.filters import parse_filter

FLAGS = (
    Flag("all", "a", kinds.BOOL, "Show intermediate images too"),
    Flag("digests", "", kinds.BOOL, "Show digests"),
    Flag("filter", "f", kinds.FILTER, "Show those that match, as dangling=true or label=name"),
    Flag(
        "format",
        "",
        kinds.STRING,
        "How to print: table, json, 'table TEMPLATE' or a Go template",
    ),
    Flag("no-trunc", "", kinds.BOOL, "Do not shorten anything"),
    Flag("quiet", "q", kinds.BOOL, "Print IDs only"),
    Flag("tree", "", kinds.BOOL, "Show the platforms of each name below it"),
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    if values.on("tree"):
        return _tree(session, given)
    columns = [
        "Repository",
        "Tag",
        *["Digest"] * values.on("digests"),
        "ID",
        "CreatedSince",
        "Size",
    ]
    directive = Directive(_format(session, given), table_default=columns_template(columns))
    filters = [parse_filter(text) for text in values.many("filter")]
    filters += [("reference", name) for name in given.arguments]
    found = images.listing(session.client, all=values.on("all"), filters=filters)
    shown = [
        row
        for summary in found
        for row in rows(summary, digests=values.on("digests"), full=values.on("no-trunc"))
    ]
    session.out.write(directive.render(IMAGE, shown))
    return 0


def _tree(session: Session, given: Invocation) -> int:
    from boxship.cli.format.imagetree import tree

    values = given.values
    for other in ("digests", "format", "quiet"):
        if values.changed(other):
            raise InvalidArgumentError(f"--{other} is not yet supported with --tree")
    filters = [parse_filter(text) for text in values.many("filter")]
    filters += [("reference", name) for name in given.arguments]
    found = images.listing(session.client, all=values.on("all"), manifests=True, filters=filters)
    session.out.write(tree(found, full=values.on("no-trunc")))
    return 0


def _format(session: Session, given: Invocation) -> str:
    chosen = given.values.text("format")
    if given.values.on("quiet") and chosen in ("", "table"):
        return "{{.ID}}"
    return chosen or session.config.images_format or "table"


COMMAND = Command("[OPTIONS] [REPOSITORY[:TAG]]", Arity(0, 1), run, FLAGS)
