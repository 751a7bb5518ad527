"""``boxship search``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.format.directive import Directive, columns_template
from boxship.cli.format.search import FOUND, FoundView
from boxship.cli.keychain import HUB_KEY, server_key
from boxship.cli.registryauth import HEADER, login_at
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client import registries
from boxship.client.filters import parse_filter

FLAGS = (
    Flag("filter", "f", kinds.FILTER, "Show those that match, as stars=3 or is-official=true"),
    Flag("format", "", kinds.STRING, "How to print: table, json or a Go template"),
    Flag("limit", "", kinds.INT, "At most so many, 1 to 100"),
    Flag("no-trunc", "", kinds.BOOL, "Do not shorten anything"),
)

_AUTOMATED = (
    'WARNING: the "is-automated" filter is deprecated, and searching for "is-automated=true" will '
    "not yield any results in future."
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    template = columns_template(["Name", "Description", "StarCount", "IsOfficial"])
    directive = Directive(values.text("format") or "table", table_default=template)
    filters = [parse_filter(text) for text in values.many("filter")]
    if any(name == "is-automated" for name, _ in filters):
        session.warn(_AUTOMATED)
    term = given.arguments[0]
    login = login_at(session, _server(term))
    found = registries.search(
        session.client,
        term,
        limit=values.number("limit"),
        filters=filters,
        headers=((HEADER, login.encoded()),) if login.given else (),
    )
    rows = [FoundView(result, full=values.on("no-trunc")) for result in found]
    session.out.write(directive.render(FOUND, rows))
    return 0


def _server(term: str) -> str:
    first, slash, _ = term.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost")
    return server_key(first) if is_host else HUB_KEY


COMMAND = Command("[OPTIONS] TERM", ONE, run, FLAGS)
