"""``boxship exec``."""

from contextlib import ExitStack
from typing import Any

from boxship.cli import kinds
from boxship.cli.command.container.attaching import Wanted, check_terminal
from boxship.cli.exitcodes import DETACHED, ExitError
from boxship.cli.flags import Flag, Kind
from boxship.cli.session import Session
from boxship.cli.streams import terminal
from boxship.cli.streams.attached import Ending, Plan, converse
from boxship.cli.syntax import environment
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import containers

FLAGS = (
    Flag("detach", "d", kinds.BOOL, "Let it run in the background"),
    Flag("detach-keys", "", kinds.STRING, "Keys that leave it running, as ctrl-p,ctrl-q"),
    Flag(
        "env",
        "e",
        Kind("list", environment.check_env, (), repeats=True),
        "Set NAME=value, or NAME to pass on ours",
    ),
    Flag("env-file", "", kinds.LIST, "Set the variables listed in a file"),
    Flag("interactive", "i", kinds.BOOL, "Keep standard input open"),
    Flag("privileged", "", kinds.BOOL, "Give the command every capability"),
    Flag("tty", "t", kinds.BOOL, "Give it a terminal"),
    Flag("user", "u", kinds.STRING, "User (and group) by name or number: user[:group]"),
    Flag("workdir", "w", kinds.STRING, "Directory to start in"),
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    keys = values.text("detach-keys") or session.config.detach_keys
    body = exec_body(given, session, keys)
    wanted = Wanted(
        stdin=body["AttachStdin"],
        stdout=body["AttachStdout"],
        stderr=body["AttachStderr"],
        tty=body["Tty"],
    )
    # A container that is not there is worth more to say than a terminal that is not there.
    containers.inspect(session.client, given.arguments[0])
    if not values.on("detach"):
        check_terminal(wanted)
    exec_id = containers.exec_create(session.client, given.arguments[0], body)
    start: dict[str, Any] = {"Detach": values.on("detach"), "Tty": wanted.tty}
    if wanted.tty and any(terminal.size()):
        start["ConsoleSize"] = list(terminal.size())
    if values.on("detach"):
        containers.exec_start_detached(session.client, exec_id, start)
        return 0
    return _interactive(session, exec_id, start, _plan(session, exec_id, wanted, keys))


def exec_body(given: Invocation, session: Session, keys: str) -> dict[str, Any]:
    """The body of ``POST /containers/{id}/exec``."""
    values = given.values
    attached = not values.on("detach")
    tty = values.on("tty")
    return {
        "User": values.text("user"),
        "Privileged": values.on("privileged"),
        "Tty": tty,
        **({"ConsoleSize": list(terminal.size())} if tty and any(terminal.size()) else {}),
        "AttachStdin": values.on("interactive") and attached,
        "AttachStderr": attached,
        "AttachStdout": attached,
        "DetachKeys": keys,
        "Env": environment.variables(
            values.many("env-file"), values.many("env"), session.environment
        )
        or None,
        "WorkingDir": values.text("workdir"),
        "Cmd": list(given.arguments[1:]),
    }


def _plan(session: Session, exec_id: str, wanted: Wanted, keys: str) -> Plan:
    beside = session.client.beside()

    def resize(height: int, width: int) -> None:
        containers.exec_resize(beside, exec_id, height=height, width=width)

    return Plan(
        stdin=wanted.stdin,
        output=True,
        tty=wanted.tty,
        detach_keys=keys,
        resize=resize if wanted.tty and terminal.is_terminal(terminal.STDOUT) else None,
    )


def _interactive(session: Session, exec_id: str, start: dict[str, Any], plan: Plan) -> int:
    with ExitStack() as stack:
        stream = containers.exec_start(session.client, exec_id, start)
        stack.callback(stream.close)
        if converse(stream, plan, lambda: None) is Ending.DETACHED:
            raise ExitError(DETACHED, "read escape sequence")
    state = containers.exec_inspect(session.client, exec_id)
    return int(state.get("ExitCode") or 0)


COMMAND = Command(
    "[OPTIONS] CONTAINER COMMAND [ARG...]", Arity(2, None), run, FLAGS, interspersed=False
)
