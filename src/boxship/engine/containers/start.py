"""Start a container: the hot path.

Nothing here starts a program or waits for the disk. The spec and the plan are computed, a shim is
asked of the launcher, and one message with the attached clients' descriptors does the rest. The
record says RUNNING only after the command is executing; a daemon that is killed in between finds
the shim.
"""

import asyncio
import contextlib
import logging
import os
from typing import NamedTuple

import msgspec

from boxship.base.errors import (
    BoxshipError,
    ConflictError,
    InternalError,
    NotModifiedError,
    StartRefusedError,
    UnavailableError,
)
from boxship.engine.containers import (
    checkpoints,
    ending,
    logtarget,
    networking,
    oomwatch,
    policy,
    probing,
    states,
    users,
    volumes,
)
from boxship.engine.containers.attachments import parse_detach_keys
from boxship.engine.containers.context import Context
from boxship.engine.containers.facts import NOTHING, Course, Fact
from boxship.engine.containers.identity import write_files
from boxship.engine.containers.live import Container, locked
from boxship.engine.containers.mountsources import (
    has_sources,
    mount_sources,
    unmount_sources,
)
from boxship.engine.containers.pending import PendingAttachment
from boxship.engine.containers.record import ContainerRecord, Status
from boxship.engine.containers.requests import StepDuration, WaitOutcome
from boxship.engine.containers.sharedmemory import mount_shm, unmount_shm
from boxship.engine.containers.shimlink import (
    LONG_PATIENCE,
    ShimGoneError,
    ShimLink,
    ShimSilentError,
)
from boxship.engine.networks.plug import NOTHING_MADE, NamespacePaths
from boxship.runtime.messages import (
    RUNTIME,
    USER,
    Failed,
    Json,
    LogConfig,
    Message,
    Start,
    Started,
    Stdio,
)

FOREIGN_PREFIX = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
)
"""What Docker puts before a runtime's own words."""
FAILED_PREFIX = f"{FOREIGN_PREFIX}boxship create failed: unable to start container process: "
SETUP_EXIT_CODE = 128
_ATTEMPTS = 3
_UNATTENDED = frozenset({Course.POLICY, Course.DAEMON_START})
_NS = 10**9
_PATIENCE = LONG_PATIENCE
_log = logging.getLogger(__name__)


async def start(
    context: Context,
    container: Container,
    *,
    detach_keys: str | None = None,
    checkpoint: tuple[str, str] | None = None,
    cause: Fact = NOTHING,
) -> tuple[StepDuration, ...]:
    """Start it. See :meth:`ContainerService.start` for the errors.

    ``checkpoint`` is the name of one to go on from, and its directory, empty for the usual one;
    ``cause`` is for whoever asks later why it was started.
    """
    if detach_keys is not None:
        parse_detach_keys(detach_keys)
    async with locked(container, released=True):
        check_startable(container)
        images = checkpoints.find(context, container, *checkpoint) if checkpoint else ""
        return await launch(context, container, cause, images=images)


def check_startable(container: Container) -> None:
    """Raise what stands in the way."""
    state = container.record.state
    if state.status is Status.PAUSED:
        raise ConflictError("cannot start a paused container, try unpause instead")
    if state.running:
        raise NotModifiedError(f"Container {container.id} is already running")
    if state.status in (Status.REMOVING, Status.DEAD) or container.doomed:
        raise ConflictError("container is marked for removal and cannot be started")


async def launch(
    context: Context, container: Container, cause: Fact = NOTHING, *, images: str = ""
) -> tuple[StepDuration, ...]:
    """Bring it to life; its lock is held and it may be started. Return where the time went.

    ``images`` is the directory of a checkpoint that it goes on from.

    On failure the record says why, the waiting clients are let go, and the error is raised; a
    container that removes itself at its end does so now.
    """
    record = container.record
    counted = states.counted(record.state, by_policy=cause.course is Course.POLICY)
    container.record = record.with_state(counted)
    pending = container.take_pending()
    fds = [attachment.take() for attachment in pending]
    try:
        with context.volumes.kept(volumes.ids(container.record)):
            how = _How(images, unattended=cause.course in _UNATTENDED)
            started, network = await _run(context, container, pending, fds, how)
            _begins(context, container, started, cause)
    except BoxshipError as error:
        await _refuse(context, container, error, cause)
        raise
    finally:
        for fd in fds:
            os.close(fd)
    steps = (*network, *(StepDuration(t.step, t.ended - t.started) for t in started.timings))
    for step in steps:
        context.measures.start_steps.observe(step.duration_ns / _NS, step.name)
    return steps


def _begins(context: Context, container: Container, started: Started, cause: Fact) -> None:
    record = container.record
    state = states.started(record.state, started.pid, started.started_ns, context.boot_id)
    container.ended = asyncio.Event()
    container.record = states.step(record, state)
    probing.begin(context, container)
    oomwatch.begin(context, container)
    context.shelf.save(container, container.record, "start", cause)
    context.images.used(record.image_id)
    context.volumes.used(volumes.ids(record))
    volumes.announce_mounts(context, record)
    context.announcer.say(container.record, "start")


class _How(NamedTuple):
    """``images`` of a checkpoint to go on from; ``unattended`` if nobody has asked for it now."""

    images: str
    unattended: bool


async def _run(
    context: Context,
    container: Container,
    pending: list[PendingAttachment],
    fds: list[int],
    how: _How,
) -> tuple[Started, tuple[StepDuration, ...]]:
    """Start it in its networks; return what the shim said, and where the time went before."""
    log = await logtarget.prepared(context, container.record, unattended=how.unattended)
    async with networking.plugged(context, container) as socket:
        record, made = container.record, socket.paths if socket else NOTHING_MADE
        try:
            await _make_sources(context, record)
            await context.volumes.mounts.ready(volumes.ids(record))
            if has_sources(record):  # in a thread, for the same reason
                await asyncio.to_thread(
                    mount_sources,
                    record,
                    context.paths,
                    context.snapshots,
                    _owners(context, record),
                )
            plan = _prepare(context, record, made)
            if how.images:
                plan = checkpoints.restoring(context, record, how.images, plan)
        except OSError as error:
            raise UnavailableError(f"cannot prepare the container: {error}") from error
        started = await _hand_over(context, container, pending, fds, _Asked(plan, log))
    steps = socket.steps if socket else ()
    return started, tuple(StepDuration(step.name, step.duration_ns) for step in steps)


class _Asked(NamedTuple):
    """What a shim is to do."""

    plan: Json
    log: LogConfig


async def _hand_over(
    context: Context,
    container: Container,
    pending: list[PendingAttachment],
    fds: list[int],
    asked: _Asked,
) -> Started:
    """Have a shim carry out the plan."""
    record = container.record
    request = Start(
        container_id=record.id,
        directory=context.paths.shim(record.id),
        plan=asked.plan,
        stdio=_stdio(record),
        log=asked.log,
        attachments=tuple(attachment.attachment for attachment in pending),
    )
    link, reply = await _ask_a_shim(context, container, request, fds)
    if isinstance(reply, Started):
        container.shim = link
        ending.watch(context, container, link)
        return reply
    link.close()
    raise _as_error(reply)


async def _ask_a_shim(
    context: Context, container: Container, request: Start, fds: list[int]
) -> tuple[ShimLink, Message]:
    """Return the answer of a new shim.

    The launcher may die with our request unread; nothing has begun then, and the next one is asked.
    A shim that began and was killed is not replaced: what it left is removed, and that is the end.
    """
    for _ in range(_ATTEMPTS):
        try:
            connection = await context.shims.new_shim()
        except OSError as error:
            raise UnavailableError(f"cannot reach the launcher: {error}") from error
        link = ShimLink(connection, ending.listener(context, container))
        try:
            return link, await link.request(request, fds, patience=_PATIENCE)
        except ShimSilentError:
            link.close()
            context.shims.replace()
            await asyncio.to_thread(ending.clean_up, context, container.record)
            raise UnavailableError("the container's shim does not answer") from None
        except ShimGoneError:
            if await asyncio.to_thread(os.path.exists, request.directory):
                await asyncio.to_thread(ending.clean_up, context, container.record)
                raise
        except BaseException:
            link.close()
            raise
    raise UnavailableError("the launcher died before it could start the container")


async def _make_sources(context: Context, record: ContainerRecord) -> None:
    """Make the directories that are missing on the host.

    In a thread, but only if there is something to look for: a source may be on a network file
    system that has died, and looking at it never returns.
    """
    sources = [p.source for p in record.mounts if p.type == "bind" and "create" in p.options]
    if sources:
        owner = users.root_of(record, context.settings)
        await asyncio.to_thread(_make_missing, sources, owner)


def _owners(context: Context, record: ContainerRecord) -> int:
    is_mapped = users.maps_of(record.host, context.settings) is not None
    return context.mapped_owners if is_mapped else -1


def _make_missing(sources: list[str], owner: tuple[int, int]) -> None:
    for source in sources:
        if not os.path.exists(source):  # a file is as good
            _make_for(source, owner)


def _make_for(path: str, owner: tuple[int, int]) -> None:
    """``mkdir -p`` with what is made belonging to ``owner``."""
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        _make_for(parent, owner)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
        os.chown(path, *owner)


def _prepare(context: Context, record: ContainerRecord, made: NamespacePaths) -> Json:
    write_files(context, record)
    mount_shm(record, context.paths, users.root_of(record, context.settings))
    mount = context.snapshots.mount(record.id)
    return context.planner.plan(record, mount, context.shelf, made)


def _stdio(record: ContainerRecord) -> Stdio:
    config = record.config
    height, width = record.host.console_size or (0, 0)
    return Stdio(
        tty=config.tty,
        open_stdin=config.open_stdin,
        stdin_once=config.stdin_once,
        height=height,
        width=width,
    )


def _as_error(reply: object) -> BoxshipError:
    if not isinstance(reply, Failed):
        return InternalError(f"the shim answered {type(reply).__name__} to start")
    message = _told(reply)
    if reply.exit_code in (126, 127):
        return StartRefusedError(message, reply.exit_code)
    return InternalError(message)


def _told(reply: Failed) -> str:
    """Return what happened, in Docker's words: it looks for the user before it has a runtime."""
    if reply.step == USER:
        return reply.message
    prefix = FOREIGN_PREFIX if reply.step == RUNTIME else FAILED_PREFIX
    return f"{prefix}{reply.message}: unknown"


async def _refuse(context: Context, container: Container, error: BoxshipError, cause: Fact) -> None:
    code = error.exit_code if isinstance(error, StartRefusedError) else SETUP_EXIT_CODE
    record = container.record
    unmount_shm(record, context.paths)
    unmount_sources(record, context.paths)
    await context.volumes.mounts.unneeded(volumes.ids(record))
    state = states.refused(record.state, code, str(error))
    fact = msgspec.structs.replace(cause, exit_code=code, error=str(error))
    context.shelf.save(container, states.step(record, state), "start-refused", fact)
    if record.host.auto_remove:
        await ending.remove_itself(context, container)


# ── by policy ────────────────────────────────────────────────────────────────────────────────


def schedule(context: Context, container: Container) -> None:
    """Start it again after the pause; the lock is held and its state is RESTARTING."""
    container.again = context.background.spawn(_start_again(context, container))


async def _start_again(context: Context, container: Container) -> None:
    await asyncio.sleep(policy.time_left(container.record, context.clock.now_ns()))
    async with locked(container, released=True):
        container.again = None
        course = Course.DAEMON_START if container.called_up else Course.POLICY
        container.called_up = False
        if container.record.status is not Status.RESTARTING:
            return
        try:
            await launch(context, container, Fact(course=course))
        except BoxshipError as error:
            _log.error("container %s cannot be started again: %s", container.id, error)
            container.waiters.exited(WaitOutcome(container.record.state.exit_code, str(error)))


def give_up(context: Context, container: Container, cause: Fact = NOTHING) -> None:
    """Let a container that waits for its next start stay ended; the lock is held."""
    if container.again is not None:
        container.again.cancel()
        container.again = None
    state = states.with_status(states.stopped_by_user(container.record.state), Status.EXITED)
    context.shelf.save(container, states.step(container.record, state), "stop", cause)
    container.waiters.exited(WaitOutcome(state.exit_code))
