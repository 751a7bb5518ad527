"""``boxship attach``."""

from contextlib import ExitStack

from boxship.base.errors import ConflictError
from boxship.cli import kinds
from boxship.cli.command.container.attaching import Wanted, check_terminal, plan_for
from boxship.cli.exitcodes import DETACHED, FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.streams.attached import Ending, converse
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client import containers
from boxship.client.containers import AttachOptions

FLAGS = (
    Flag("detach-keys", "", kinds.STRING, "Keys that leave it running, as ctrl-p,ctrl-q"),
    Flag("no-stdin", "", kinds.BOOL, "Do not connect standard input"),
    Flag("sig-proxy", "", kinds.BOOL, "Pass signals on to it", default=True),
)

_OBSTACLES = (
    ("Running", False, "cannot attach to a stopped container, start it first"),
    ("Paused", True, "cannot attach to a paused container, unpause it first"),
    ("Restarting", True, "cannot attach to a restarting container, wait until it is running"),
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    found = containers.inspect(session.client, given.arguments[0])
    for state, hinders, reason in _OBSTACLES:
        if bool(found["State"].get(state)) is hinders:
            raise ConflictError(reason)
    config = found["Config"]
    wanted = Wanted(
        stdin=bool(config["OpenStdin"]) and not values.on("no-stdin"),
        stdout=True,
        stderr=True,
        tty=bool(config["Tty"]),
    )
    check_terminal(wanted)
    keys = values.text("detach-keys") or session.config.detach_keys
    proxy = values.on("sig-proxy") and not wanted.tty
    plan = plan_for(session, found["Id"], wanted, detach_keys=keys, sig_proxy=proxy)
    plan = plan._replace(redraw=True)
    with ExitStack() as stack:
        wait = containers.wait(session.client, found["Id"])
        stack.callback(wait.close)
        options = AttachOptions(stdin=wanted.stdin, detach_keys=keys)
        stream = containers.attach(session.client, found["Id"], options)
        stack.callback(stream.close)
        if converse(stream, plan, lambda: None) is Ending.DETACHED:
            raise ExitError(DETACHED, "read escape sequence")
        status = wait.result()
    if status.error:
        raise ExitError(FAILURE, status.error)
    return status.code


COMMAND = Command("[OPTIONS] CONTAINER", ONE, run, FLAGS)
