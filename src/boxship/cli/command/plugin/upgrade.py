"""``boxship plugin upgrade``."""

import sys

from boxship.base.errors import BoxshipError, InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.command.plugin.consenting import GRANT_FLAG, TRUST_FLAG, consent
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.progress import show
from boxship.cli.registryauth import header_for
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import plugins
from boxship.oci.reference import InvalidReferenceError, Reference, parse

FLAGS = (
    TRUST_FLAG,
    GRANT_FLAG,
    Flag("skip-remote-check", "", kinds.BOOL, "Do not ask if it comes from elsewhere now"),
)


def run(session: Session, given: Invocation) -> int:
    values, client = given.values, session.client
    try:
        plugin = plugins.inspect(client, given.arguments[0])
    except BoxshipError as error:
        raise ExitError(FAILURE, f"error reading plugin data: {error}") from error
    if plugin["Enabled"]:
        raise ExitError(FAILURE, "the plugin must be disabled before upgrading")
    name, source = plugin["Name"], plugin.get("PluginReference") or ""
    target = given.arguments[1] if len(given.arguments) > 1 else source
    reference = _parsed(target)
    whole = reference.with_default_tag()
    session.say(f"Upgrading plugin {name} from {source} to {whole.familiar}")
    unchecked = values.on("skip-remote-check") or _parsed(source).with_default_tag() == whole
    if not unchecked and not _agreed(session):
        return 0
    remote, headers = str(reference), header_for(session, reference)
    wanted = plugins.privileges(client, remote, headers)
    if not values.on("grant-all-permissions"):
        consent(session, name, remote, wanted)
    show(session, plugins.upgrade(client, name, remote, wanted, headers))
    session.say(f"Upgraded plugin {name} to {target}")
    return 0


def _parsed(text: str) -> Reference:
    try:
        return parse(text)
    except InvalidReferenceError as error:
        raise InvalidArgumentError(str(error)) from error


def _agreed(session: Session) -> bool:
    session.out.write("Plugin images do not match, are you sure? [y/N] ")
    session.out.flush()
    return sys.stdin.readline().strip().lower() == "y"


COMMAND = Command("[OPTIONS] PLUGIN [REMOTE]", Arity(1, 2), run, FLAGS)
