"""Options that Docker does not know, and with them the question whether the daemon does.

Docker's daemon ignores members of a request that it does not know. That is no harm where an option
asks for more information, but a rule that nobody keeps is worse than none.
"""

from boxship.cli.exitcodes import USAGE, ExitError
from boxship.cli.flags import Values
from boxship.cli.session import Session
from boxship.client import system

_PLATFORM = "Boxship"


def check_created(session: Session, values: Values) -> None:
    """Raise ExitError if ``create`` asks for rules of another daemon than ours."""
    if values.changed("egress"):
        require(session, "--egress")
    if any("source=" in text for text in values.many("publish")):
        require(session, "--publish …,source=")


def require(session: Session, option: str) -> None:
    """Raise ExitError if the daemon is not ours."""
    name = (system.version(session.client).get("Platform") or {}).get("Name", "")
    if name != _PLATFORM:
        raise ExitError(
            USAGE, f"{option} needs the Boxship daemon; this one is {name or 'another'!r}"
        )
