"""What ``boxship volume clone`` and ``boxship volume snapshot`` share."""

from boxship.cli import kinds
from boxship.cli.command.container.flags import LABEL
from boxship.cli.command.volume.create import assigned
from boxship.cli.flags import Flag
from boxship.cli.progress import drain, show
from boxship.cli.session import Session
from boxship.cli.verb import Invocation
from boxship.client import volumes

FLAGS = (
    Flag("label", "", LABEL, "Label as key=value"),
    Flag("no-pause", "", kinds.BOOL, "Don't pause the containers that write to it meanwhile"),
    Flag("quiet", "q", kinds.BOOL, "Don't show the progress"),
)


def copy(session: Session, given: Invocation, how: str) -> int:
    """Have the daemon copy; print the new volume's name."""
    name, new_name = given.arguments
    body = {
        "Name": new_name,
        "Labels": assigned(given.values.many("label")) or None,
        "Pause": not given.values.on("no-pause"),
    }
    with volumes.copy(session.client, name, how, body) as answer:
        lines = answer.documents()
        progress = (line for line in lines if "status" not in line or line.get("progressDetail"))
        if given.values.on("quiet"):
            drain(progress)
        else:
            show(session, progress, to_stderr=True)
    session.say(new_name)
    return 0
