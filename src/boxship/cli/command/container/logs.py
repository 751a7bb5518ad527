"""``boxship logs``."""

from boxship.cli import kinds
from boxship.cli.exitcodes import MisuseError
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.standardio import copy
from boxship.cli.timestamps import timestamp
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client import containers
from boxship.client.containers import LogOptions

FLAGS = (
    Flag("clear", "", kinds.BOOL, "Forget what was written until now; the container runs on"),
    Flag("details", "", kinds.BOOL, "Show the attributes given by the log driver's options"),
    Flag("follow", "f", kinds.BOOL, "Go on with what is written from now on"),
    Flag("since", "", kinds.STRING, "Only after this time, or the last 42m"),
    Flag("tail", "n", kinds.STRING, "Only the last lines, as many as this", default="all"),
    Flag("timestamps", "t", kinds.BOOL, "Put the time before each line"),
    Flag("until", "", kinds.STRING, "Only before this time, or 42m ago"),
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    if values.on("clear"):
        for name in ("follow", "since", "tail", "until"):
            if values.changed(name):
                raise MisuseError(f"--clear forgets everything: --{name} can't go with it")
        containers.clear_log(session.client, given.arguments[0])
        return 0
    container = containers.inspect(session.client, given.arguments[0])
    options = LogOptions(
        follow=values.on("follow"),
        timestamps=values.on("timestamps"),
        details=values.on("details"),
        since=timestamp(values.text("since"), "since"),
        until=timestamp(values.text("until"), "until"),
        tail=values.text("tail"),
    )
    with containers.logs(session.client, container["Id"], options) as answer:
        copy(answer, multiplexed=not container["Config"]["Tty"])
    _tell_of_losses(session, container["Id"])
    return 0


def _tell_of_losses(session: Session, container: str) -> None:
    """Say on standard error that what was shown isn't everything."""
    state = containers.log_state(session.client, container)
    lost = state["Lost"] if state is not None else {"Lines": 0}
    if lost["Lines"]:
        session.warn(f"{lost['Lines']} lines did not get into this log: {lost['Reason']}")


COMMAND = Command("[OPTIONS] CONTAINER", ONE, run, FLAGS)
