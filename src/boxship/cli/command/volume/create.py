"""``boxship volume create``."""

from boxship.cli import kinds
from boxship.cli.command.container.flags import LABEL
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import volumes

FLAGS = (
    Flag("driver", "d", kinds.STRING, "Who keeps the files", default="local"),
    Flag("label", "", LABEL, "Label as key=value"),
    Flag("opt", "o", kinds.LIST, "Option for the driver, as type=nfs"),
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    body = {
        "Name": given.arguments[0] if given.arguments else "",
        "Driver": values.text("driver"),
        "DriverOpts": assigned(values.many("opt")),
        "Labels": assigned(values.many("label")),
    }
    body = {field: value for field, value in body.items() if value}
    session.say(volumes.create(session.client, body)["Name"])
    return 0


def assigned(texts: tuple[str, ...]) -> dict[str, str]:
    """Read ``key=value`` words."""
    return {key: value for key, _, value in (text.partition("=") for text in texts)}


COMMAND = Command("[OPTIONS] [VOLUME]", Arity(0, 1), run, FLAGS)
