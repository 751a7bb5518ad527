"""``boxship start``."""

from contextlib import ExitStack

from boxship.base.errors import BoxshipError
from boxship.cli import kinds
from boxship.cli.command.container.attaching import Wanted, plan_for
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.streams.attached import Ending, converse
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import containers
from boxship.client.containers import AttachOptions

FLAGS = (
    Flag("attach", "a", kinds.BOOL, "Connect its output and pass signals on"),
    Flag("checkpoint", "", kinds.STRING, "Go on from this checkpoint"),
    Flag("checkpoint-dir", "", kinds.STRING, "Directory that it is kept in"),
    Flag("detach-keys", "", kinds.STRING, "Keys that leave it running, as ctrl-p,ctrl-q"),
    Flag("interactive", "i", kinds.BOOL, "Connect standard input"),
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    if values.text("checkpoint") and len(given.arguments) > 1:
        raise ExitError(FAILURE, "you cannot restore multiple containers at once")
    if not (values.on("attach") or values.on("interactive")):
        return _start_all(session, given)
    if len(given.arguments) > 1:
        raise ExitError(FAILURE, "you cannot start and attach multiple containers at once")
    return _start_attached(session, given)


def _start_all(session: Session, given: Invocation) -> int:
    failed: list[str] = []
    for name in given.arguments:
        try:
            _start(session, name, given)
        except BoxshipError as error:
            session.warn(str(error))
            failed.append(name)
            continue
        if not given.values.text("checkpoint"):  # as Docker's client: nothing
            session.say(name)
    if failed:
        raise ExitError(FAILURE, f"Error: failed to start containers: {', '.join(failed)}")
    return 0


def _start_attached(session: Session, given: Invocation) -> int:
    values = given.values
    found = containers.inspect(session.client, given.arguments[0])
    config, container = found["Config"], found["Id"]
    wanted = Wanted(
        stdin=values.on("interactive") and bool(config["OpenStdin"]),
        stdout=True,
        stderr=True,
        tty=bool(config["Tty"]),
    )
    keys = values.text("detach-keys") or session.config.detach_keys
    plan = plan_for(session, container, wanted, detach_keys=keys, sig_proxy=not wanted.tty)
    with ExitStack() as stack:
        options = AttachOptions(stdin=wanted.stdin, detach_keys=keys)
        stream = containers.attach(session.client, container, options)
        stack.callback(stream.close)
        removes_itself = bool(found["HostConfig"].get("AutoRemove"))
        wait = containers.wait(
            session.client, container, "removed" if removes_itself else "next-exit"
        )
        stack.callback(wait.close)
        ending = converse(stream, plan, lambda: _start(session, container, given))
        if ending is Ending.DETACHED:
            return 0
        status = wait.result()
    if status.error:
        raise ExitError(FAILURE, status.error)
    return status.code


def _start(session: Session, container: str, given: Invocation) -> None:
    containers.start(
        session.client,
        container,
        checkpoint=given.values.text("checkpoint"),
        checkpoint_dir=given.values.text("checkpoint-dir"),
    )


COMMAND = Command("[OPTIONS] CONTAINER [CONTAINER...]", SOME, run, FLAGS)
