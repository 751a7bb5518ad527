"""``boxship plugin push``."""

from boxship.base.errors import InvalidArgumentError
from boxship.cli.command.plugin.consenting import TRUST_FLAG
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.progress import show
from boxship.cli.registryauth import header_for
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client import plugins
from boxship.oci.reference import InvalidReferenceError, parse

_NO_CREDENTIALS = (("X-Registry-Auth", "e30="),)
"""An empty document in base64: older daemons insist on the header."""


def run(session: Session, given: Invocation) -> int:
    text = given.arguments[0]
    try:
        reference = parse(text)
    except InvalidReferenceError as error:
        raise InvalidArgumentError(str(error)) from error
    if reference.digest:
        raise ExitError(FAILURE, f"invalid name: {text}")
    headers = header_for(session, reference) or _NO_CREDENTIALS
    name = reference.with_default_tag().familiar
    show(session, plugins.push(session.client, name, headers))
    return 0


COMMAND = Command("[OPTIONS] PLUGIN[:TAG]", ONE, run, (TRUST_FLAG,))
