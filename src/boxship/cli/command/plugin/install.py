"""``boxship plugin install``: pull a plugin, set its settings, enable it."""

from boxship.base.errors import InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.command.plugin.consenting import GRANT_FLAG, TRUST_FLAG, consent
from boxship.cli.flags import Flag
from boxship.cli.progress import show
from boxship.cli.registryauth import header_for
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import plugins
from boxship.oci.reference import InvalidReferenceError, parse

FLAGS = (
    Flag("alias", "", kinds.STRING, "What it is called here"),
    Flag("disable", "", kinds.BOOL, "Do not enable it"),
    TRUST_FLAG,
    GRANT_FLAG,
)
_NO_TIMEOUT = 0


def run(session: Session, given: Invocation) -> int:
    values, (text, *settings) = given.values, given.arguments
    try:
        reference = parse(text)
        alias = parse(values.text("alias")) if values.text("alias") else None
    except InvalidReferenceError as error:
        raise InvalidArgumentError(str(error)) from error
    remote = str(reference)
    name = alias.with_default_tag().familiar if alias else ""
    headers, client = header_for(session, reference), session.client
    wanted = plugins.privileges(client, remote, headers)
    if not values.on("grant-all-permissions"):
        consent(session, text, remote, wanted)
    answer = plugins.pull(client, remote, name, wanted, headers)
    called = answer.head.header("docker-plugin-name")
    show(session, answer.documents())
    if settings:
        plugins.change(client, called, settings)
    if not values.on("disable"):
        plugins.enable(client, called, _NO_TIMEOUT)
    session.say(f"Installed plugin {text}")
    return 0


COMMAND = Command("[OPTIONS] PLUGIN [KEY=VALUE...]", Arity(1, None), run, FLAGS)
