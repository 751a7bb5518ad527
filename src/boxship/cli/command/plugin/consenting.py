"""Asking whether a plugin may have what it asks for."""

import sys
from collections.abc import Sequence

from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.client.engine import JsonObject

GRANT_FLAG = Flag("grant-all-permissions", "", kinds.BOOL, "Do not ask what it may do")
TRUST_FLAG = Flag(
    "disable-content-trust", "", kinds.BOOL, "Accepted; signatures are not checked", True
)


def consent(session: Session, name: str, remote: str, wanted: Sequence[JsonObject]) -> None:
    """Ask on the terminal. ExitError, which names ``remote``: anything but a yes."""
    if not wanted:
        return
    session.say(f'Plugin "{name}" is requesting the following privileges:')
    for each in wanted:
        session.say(f" - {each['Name']}: [{' '.join(each.get('Value') or ())}]")
    session.out.write("Do you grant the above permissions? [y/N] ")
    session.out.flush()
    if sys.stdin.readline().strip().lower() != "y":
        raise ExitError(FAILURE, f"permission denied while installing plugin {remote}")
