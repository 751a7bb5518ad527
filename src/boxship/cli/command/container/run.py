"""``boxship run``.

::

    create ─(404)─► pull ─► create
    attach ─► wait(next-exit | removed) ─► start ─► streams until they end ─► exit code

Attach and wait come before the start, so that neither the first byte nor the exit is missed.
"""

from contextlib import ExitStack
from typing import Any

from boxship.base.errors import BoxshipError
from boxship.cli import kinds
from boxship.cli.command.container import creating
from boxship.cli.command.container.attaching import Wanted, check_terminal, plan_for
from boxship.cli.command.container.flags import CREATE_FLAGS, sorted_by_name
from boxship.cli.exitcodes import FAILURE, USAGE, ExitError, start_failure_code
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.streams.attached import Ending, converse
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import containers
from boxship.client.containers import AttachOptions

FLAGS = sorted_by_name(
    CREATE_FLAGS,
    (
        Flag("detach", "d", kinds.BOOL, "Let it run in the background and print its ID"),
        Flag("detach-keys", "", kinds.STRING, "Keys that leave it running, as ctrl-p,ctrl-q"),
        Flag("sig-proxy", "", kinds.BOOL, "Pass signals on to it", default=True),
        Flag("trace", "", kinds.BOOL, "Print how long each step of the start took"),
    ),
)


class StartError(BoxshipError):
    """The container exists and could not be started."""


def run(session: Session, given: Invocation) -> int:
    values = given.values
    detach = values.on("detach")
    if detach and values.many("attach"):
        raise ExitError(FAILURE, "conflicting options: cannot specify both --attach and --detach")
    body = creating.body_of(session, given)
    if detach:
        body |= {
            "AttachStdin": False,
            "AttachStdout": False,
            "AttachStderr": False,
            "StdinOnce": False,
        }
    wanted = Wanted(
        stdin=body["AttachStdin"],
        stdout=body["AttachStdout"],
        stderr=body["AttachStderr"],
        tty=body["Tty"],
    )
    check_terminal(wanted)
    created = creating.create(session, given, body)
    if wanted.stdin or wanted.stdout or wanted.stderr:
        return _attached(session, given, created.id, body, wanted)
    try:
        _start(session, given, created.id)
    except StartError as error:
        return _start_failed(session, given, error)
    session.say(created.id)
    return 0


def _attached(
    session: Session, given: Invocation, container: str, body: dict[str, Any], wanted: Wanted
) -> int:
    values = given.values
    keys = values.text("detach-keys") or session.config.detach_keys
    plan = plan_for(session, container, wanted, detach_keys=keys, sig_proxy=values.on("sig-proxy"))
    options = AttachOptions(
        stdin=wanted.stdin, stdout=wanted.stdout, stderr=wanted.stderr, detach_keys=keys
    )
    with ExitStack() as stack:
        stream = containers.attach(session.client, container, options)
        stack.callback(stream.close)
        condition = "removed" if body["HostConfig"]["AutoRemove"] else "next-exit"
        wait = containers.wait(session.client, container, condition)
        stack.callback(wait.close)
        try:
            ending = converse(stream, plan, lambda: _start(session, given, container))
        except StartError as error:
            return _start_failed(session, given, error)
        if ending is Ending.DETACHED:
            return 0
        if not wanted.stdout and not wanted.stderr:
            session.say(container)
            return 0
        status = wait.result()
    if status.error:
        session.warn(f"Error waiting for container: {status.error}")
    return status.code


def _start(session: Session, given: Invocation, container: str) -> None:
    try:
        timings = containers.start(session.client, container, trace=given.values.on("trace"))
    except BoxshipError as error:
        raise StartError(str(error)) from error
    for step in timings.get("Steps", ()):
        session.warn(f"{step.get('Milliseconds', 0):9.3f} ms  {step.get('Name', '')}")


def _start_failed(session: Session, given: Invocation, error: StartError) -> int:
    session.warn(f"boxship: {error}\n\nRun 'boxship {given.path} --help' for more information")
    return start_failure_code(str(error))


COMMAND = Command(
    "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    SOME,
    run,
    FLAGS,
    interspersed=False,
    failure_code=USAGE,
)
