"""Further processes in a running container: prepare, run, look at.

An exec is not recorded: it ends with its container at the latest, and a daemon that comes up asks
the shims for those that run.
"""

import os
from dataclasses import replace

from boxship.base import ids
from boxship.base.errors import (
    BoxshipError,
    ConflictError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    StartRefusedError,
)
from boxship.engine.containers.attachments import attachment, parse_detach_keys
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container, Exec
from boxship.engine.containers.record import ContainerRecord, Status
from boxship.engine.containers.requests import (
    DetachedStream,
    ExecConfig,
    ExecView,
    HijackedStream,
)
from boxship.engine.containers.shimlink import ShimGoneError
from boxship.runtime.messages import RUNTIME, USER, Attachment, Failed, Started, Stdio
from boxship.runtime.messages import Exec as ExecMessage
from boxship.wire.stdcopy import STDOUT, frame

FOREIGN_PREFIX = "OCI runtime exec failed: "
FAILED_PREFIX = f"{FOREIGN_PREFIX}exec failed: unable to start container process: "
_KEPT_NS = 5 * 60 * 10**9
_KILLED = 137
_NOT_STARTED = 126


async def create(
    context: Context, container: Container, config: ExecConfig, *, exec_id: str = ""
) -> str:
    """Prepare an exec and return its id, a new one unless given."""
    _check_can(container.record)
    if not config.cmd:
        raise InvalidArgumentError("No exec command specified")
    parse_detach_keys(config.detach_keys)
    for variable in config.env:
        if not variable or variable.startswith("="):
            raise InvalidArgumentError(f"invalid environment variable: {variable}")
    if config.working_dir and not config.working_dir.startswith("/"):
        raise InvalidArgumentError(
            f"the working directory '{config.working_dir}' is invalid, "
            "it needs to be an absolute path"
        )
    _forget_old(context, container)
    found = Exec(exec_id or ids.new_id(), container.id, config)
    container.execs[found.id] = found
    context.execs[found.id] = container.id
    _say(context, container, found, "exec_create")
    return found.id


async def start(
    context: Context,
    exec_id: str,
    *,
    detach: bool,
    tty: bool,
    console_size: tuple[int, int] | None,
    stream: HijackedStream | None,
) -> None:
    """Run a prepared exec. See :meth:`ContainerService.exec_start`."""
    container, found = find(context, exec_id)
    if found.started:
        state = "is already running" if found.running else "has already run"
        raise ConflictError(f"Error: Exec command {exec_id} {state}")
    _check_can(container.record)
    found.started = True  # before the first await: nobody else may start it
    found.config = replace(
        found.config,
        tty=found.config.tty or tty,
        console_size=console_size or found.config.console_size,
    )
    _say(context, container, found, "exec_start")
    client: DetachedStream | None = None
    try:
        if stream is not None and not detach:
            client = await stream.detach()
        await _run(context, container, found, client)
    except BoxshipError as error:
        ended(context, container, found, getattr(error, "exit_code", _NOT_STARTED))
        if client is None:
            raise
        _tell(client, str(error), framed=not found.config.tty)
    except BaseException as error:
        # Cancelled with the request under way it may run, and its end will be told by the shim.
        if isinstance(error, Exception) or not found.running:
            ended(context, container, found, _NOT_STARTED)
        raise
    finally:
        if client is not None:
            os.close(client.fd)


async def start_probe(
    context: Context, container: Container, found: Exec, client: DetachedStream
) -> None:
    """Run a prepared exec whose output goes to ``client`` unframed, which stays the caller's.

    Unlike those of clients it fails with an error, and not with words on the connection.
    """
    _check_can(container.record)
    found.started = True
    _say(context, container, found, "exec_start")
    try:
        await _run(context, container, found, client, raw=True)
    except BaseException as error:
        if isinstance(error, Exception) or not found.running:
            ended(context, container, found, getattr(error, "exit_code", _NOT_STARTED))
        raise


async def _run(
    context: Context,
    container: Container,
    found: Exec,
    client: DetachedStream | None,
    *,
    raw: bool = False,
) -> None:
    config = found.config
    plan = context.planner.plan_exec(container.record, config, context.shelf)
    height, width = config.console_size or (0, 0)
    attachments = () if client is None else (_attachment(config, client, framed=not raw),)
    request = ExecMessage(
        exec_id=found.id,
        plan=plan,
        stdio=Stdio(
            tty=config.tty, open_stdin=config.attach_stdin, stdin_once=True,
            height=height, width=width,
        ),
        attachments=attachments,
    )  # fmt: skip
    link = container.shim
    if link is None:
        raise _not_running(container.record)
    found.running = True
    try:
        reply = await link.request(request, [] if client is None else [client.fd])
    except ShimGoneError:
        raise _not_running(container.record) from None
    if isinstance(reply, Started):
        found.pid = reply.pid if found.running else 0
        found.settled.set()
        return
    raise _as_error(reply)


def _attachment(config: ExecConfig, client: DetachedStream, *, framed: bool) -> Attachment:
    joined = attachment(
        stdin=config.attach_stdin,
        stdout=config.attach_stdout,
        stderr=config.attach_stderr,
        tty=config.tty,
        detach_keys=config.detach_keys,
        prefix=client.prefix,
    )
    return replace(joined, framed=joined.framed and framed)


def _as_error(reply: object) -> BoxshipError:
    if not isinstance(reply, Failed):
        return InternalError(f"the shim answered {type(reply).__name__} to exec")
    prefix = FOREIGN_PREFIX if reply.step == RUNTIME else FAILED_PREFIX
    message = reply.message if reply.step == USER else f"{prefix}{reply.message}: unknown"
    if reply.exit_code in (126, 127):
        return StartRefusedError(message, reply.exit_code)
    return InternalError(message)


def _tell(client: DetachedStream, text: str, *, framed: bool) -> None:
    """Write an error to a client whose answer has begun; if it does not take it, it is not told."""
    data = f"{text}\r\n".encode()
    try:
        os.set_blocking(client.fd, False)
        os.write(client.fd, frame(STDOUT, data) if framed else data)
    except OSError:
        return


def find(context: Context, exec_id: str) -> tuple[Container, Exec]:
    """Return an exec and its container, by the exec's id or an unambiguous beginning of it."""
    container_id = context.execs.get(exec_id)
    if container_id is None:
        matches = [full for full in context.execs if exec_id and full.startswith(exec_id)]
        if len(matches) != 1:
            raise NotFoundError(f"No such exec instance: {exec_id}")
        exec_id, container_id = matches[0], context.execs[matches[0]]
    container = context.shelf.find(container_id)
    return container, container.execs[exec_id]


def inspect(context: Context, exec_id: str) -> ExecView:
    """Return an exec as it is now."""
    _, found = find(context, exec_id)
    return ExecView(
        id=found.id,
        container_id=found.container_id,
        config=found.config,
        entrypoint=found.config.cmd[0],
        arguments=found.config.cmd[1:],
        running=found.running,
        exit_code=found.exit_code,
        pid=found.pid,
    )


def exited(context: Context, container: Container, exec_id: str, exit_code: int) -> None:
    """The shim says that an exec has ended."""
    found = container.execs.get(exec_id)
    if found is None or found.exit_code is not None:
        return
    ended(context, container, found, exit_code)
    context.announcer.say(
        container.record, "exec_die", {"execID": exec_id, "exitCode": str(exit_code)}
    )


def ended(context: Context, container: Container, found: Exec, exit_code: int) -> None:
    """Nothing more will happen to it; it can be looked at for a while."""
    if found.exit_code is None:
        found.running, found.exit_code, found.pid = False, exit_code, 0
        found.ended_ns = context.clock.now_ns()
        found.done.set()
        found.settled.set()
        container.ended_execs.append(found)


def container_ended(context: Context, container: Container) -> None:
    """The container has ended, and with it all its execs, also those that were only prepared."""
    for found in tuple(container.execs.values()):
        if found.running:
            exited(context, container, found.id, _KILLED)
        elif not found.started:
            _forget(context, container, found)


def forget_ended(context: Context, container: Container, found: Exec) -> None:
    """Forget one that nobody will ask about; one that has not ended is forgotten later."""
    if found.exit_code is not None and found.id in container.execs:
        container.ended_execs.remove(found)
        _forget(context, container, found)


def unended(container: Container) -> list[str]:
    """Return the ids of those that run or are prepared."""
    return sorted(found.id for found in container.execs.values() if found.exit_code is None)


def _check_can(record: ContainerRecord) -> None:
    if record.status is Status.PAUSED:
        raise ConflictError(f"Container {record.name} is paused, unpause the container before exec")
    if record.status is Status.RESTARTING:
        raise ConflictError(
            f"Container {record.name} is restarting, wait until the container is running"
        )
    if not record.state.alive:
        raise _not_running(record)


def _not_running(record: ContainerRecord) -> ConflictError:
    return ConflictError(f"container {record.id} is not running")


def _forget_old(context: Context, container: Container) -> None:
    horizon = context.clock.now_ns() - _KEPT_NS
    while container.ended_execs and container.ended_execs[0].ended_ns < horizon:
        _forget(context, container, container.ended_execs.popleft())


def _forget(context: Context, container: Container, found: Exec) -> None:
    container.execs.pop(found.id, None)
    context.execs.pop(found.id, None)
    found.settled.set()


def _say(context: Context, container: Container, found: Exec, action: str) -> None:
    command = f"{found.config.cmd[0]} {' '.join(found.config.cmd[1:])}"
    context.announcer.say(container.record, f"{action}: {command}", {"execID": found.id})
