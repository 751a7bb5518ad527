"""Start-up: bring records, shims, directories and cgroups back into agreement.

The daemon may have been killed at any point, and containers have gone on since. For each record::

    its shim answers, running     take it over: state RUNNING or PAUSED, go on listening
    its shim answers, ended       the end as the shim tells it, unless the record knows it already
    exit.json                     the end as the shim wrote it down, likewise
    no shim, nothing written      it was killed with its shim, or the machine went down
    its shim lives, silent        RUNNING, until the shim can be asked
    REMOVING                      finish removing it

and for what has no record: a shim is ended, directories and cgroups are removed. Only ids that left
a trace in our own directories are touched, because cgroups may be shared with another daemon.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterable
from signal import SIGKILL

import msgspec

from boxship.base import ids
from boxship.base.errors import BoxshipError, NotFoundError
from boxship.engine.containers import (
    ending,
    execprobe,
    execs,
    mountsources,
    networking,
    oomwatch,
    policy,
    probing,
    sharedmemory,
    states,
)
from boxship.engine.containers.checks.modes import joined_container
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container, Exec
from boxship.engine.containers.reach import call_shim, connect
from boxship.engine.containers.record import ContainerRecord, Status
from boxship.engine.containers.requests import ExecConfig
from boxship.engine.containers.shimlink import ShimGoneError, ShimLink, ShimSilentError
from boxship.model.container import ContainerConfig, HostConfig
from boxship.runtime.messages import Exit, Exited, Message, Release, Signal, State
from boxship.runtime.shim.directory import EXIT, PID

_log = logging.getLogger(__name__)
_PATIENCE = 5.0
_PATIENCE_UNDER_WAY = 1.0
"""Less, because whoever wants something of the container waits meanwhile."""
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 4.0
_LOST_WITH_MACHINE = 255
_AT_ONCE = 16


async def recover(context: Context) -> None:
    """Reconcile everything; afterwards the shelf is true."""
    for directory in (context.paths.containers, context.paths.shims, context.paths.mountpoint):
        os.makedirs(directory, 0o711, exist_ok=True)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(container: Container) -> None:
        async with gate:
            try:
                await _recover_one(context, container)
            except (BoxshipError, OSError):
                _log.exception("container %s could not be recovered", container.id)

    await asyncio.gather(*(one(container) for container in context.shelf))
    await _remove_orphans(context)
    await context.shelf.trim_history()


async def start_wanted(context: Context) -> None:
    """Start what the restart policies say runs whenever the daemon does.

    One that joins another's namespaces is started behind it, whoever starts that one.
    """
    wanted = []
    for container in context.shelf:
        async with container.lock:
            record = container.record
            if record.status is Status.EXITED and policy.wanted_at_startup(record):
                waiting = states.with_status(record.state, Status.RESTARTING)
                container.record = record.with_state(waiting)
                container.called_up = True
            if container.record.status is Status.RESTARTING and container.again is None:
                wanted.append(container)
    for container in wanted:
        async with container.lock:
            if container.record.status is not Status.RESTARTING:
                continue
            joined = _joined(container.record)
            donors = [
                other
                for other in context.shelf
                if other.id in joined and other.record.status is Status.RESTARTING
            ]
            if donors:
                behind = _start_behind(context, container, donors)
                container.again = context.background.spawn(behind)
            else:
                context.start_again(context, container)


def _joined(record: ContainerRecord) -> set[str]:
    modes = (record.host.network_mode, record.host.pid_mode, record.host.ipc_mode)
    return {other for other in map(joined_container, modes) if other is not None}


async def _start_behind(context: Context, container: Container, donors: list[Container]) -> None:
    """Start it when the starts of those whose namespaces it joins have come about, or failed."""
    for donor in donors:
        while donor.record.status is Status.RESTARTING:
            # Their tasks follow each other: the wait for another's start, the pause, the start.
            if donor.again is not None:
                await asyncio.wait([donor.again])
            async with donor.lock:  # held by the start itself
                await asyncio.sleep(0.02)
    async with container.lock:
        if container.record.status is Status.RESTARTING:
            context.start_again(context, container)


async def _recover_one(context: Context, container: Container) -> None:
    async with container.lock:
        if container.record.status in (Status.REMOVING, Status.DEAD):
            await _end_orphan(context, container.record)
            await ending.remove_itself(context, container)
            return
        try:
            await _settle(context, container, _PATIENCE)
        except ShimSilentError:
            _log.warning("the shim of container %s does not answer yet", container.id)
            _presume_running(context, container)
            context.background.spawn(_keep_asking(context, container))


async def _settle(context: Context, container: Container, patience: float) -> None:
    """Make the record true; the lock is held. ShimSilentError: only the shim knows, and is busy."""
    found = await call_shim(context, container, patience)
    if found is not None and await _take_over(context, container, *found):
        return
    if not container.record.state.alive:
        await _believe_the_directory(context, container)
    if container.record.state.alive:
        await _end_lost(context, container)
    elif _should_be_gone(context, container.record):
        await ending.remove_itself(context, container)


def _presume_running(context: Context, container: Container) -> None:
    """The shim lives and has written no end."""
    record = container.record
    if not record.state.alive:  # its number is the sign of a start that was not recorded
        begun_ns = _unrecorded_start(context, record) or context.clock.now_ns()
        container.record = states.step(
            record, states.started(record.state, 0, begun_ns, context.boot_id)
        )
    _runs(container)


async def _keep_asking(context: Context, container: Container) -> None:
    """Take over from a shim that was too busy. What the container does is not touched meanwhile."""
    pause = _FIRST_PAUSE
    while True:
        await asyncio.sleep(pause)
        async with container.lock:
            if container.shim is not None or not container.record.state.alive:
                return
            try:
                await _settle(context, container, _PATIENCE_UNDER_WAY)
                await networking.catch_up(context, container)
            except ShimSilentError:
                pause = min(2 * pause, _LONGEST_PAUSE)
            except (BoxshipError, OSError):
                _log.exception("container %s could not be recovered", container.id)
                pause = _LONGEST_PAUSE
            else:
                return


def _should_be_gone(context: Context, record: ContainerRecord) -> bool:
    """It was to remove itself, and the daemon died before it could.

    Its start and its end may have been on their way to the disk when its files went; then it has
    none, and the record says that it was never started.
    """
    if not record.host.auto_remove:
        return False
    if record.status is not Status.CREATED or record.state.error:
        return True
    try:
        context.snapshots.place(record.id)
    except NotFoundError:
        return True
    return False


# ── shims that live ──────────────────────────────────────────────────────────────────────────


async def _take_over(context: Context, container: Container, link: ShimLink, state: State) -> bool:
    """Go on with the container's shim; False if there was only an end left that is known."""
    if _is_known_end(container.record, state):
        await ending.let_go(context, container, link)
        return False
    _adopt(context, container, state)
    container.shim = link
    _runs(container)
    _recover_execs(context, container, state)
    if state.exit is not None:
        # Our own listener would do the same, but the event has gone to nobody.
        context.background.chore(ending.exited(context, container, state.exit))
        return True
    await _recover_pause(context, container)
    ending.watch(context, container, link)
    context.background.spawn(execprobe.end_left(context, container))
    probing.begin(context, container, recovered=True)
    oomwatch.begin(context, container, recovered=True)
    _log.info("container %s runs on, pid %d", ids.short_id(container.id), state.pid)
    return True


def _runs(container: Container) -> None:
    if container.ended.is_set():  # else somebody waits already
        container.ended = asyncio.Event()


def _is_known_end(record: ContainerRecord, state: State) -> bool:
    """The end is recorded, and the daemon was killed before it could let the shim go."""
    is_same_run = record.state.started_ns == state.started_ns
    return is_same_run and state.exit is not None and not record.state.alive


def _adopt(context: Context, container: Container, state: State) -> None:
    """Believe the shim where the record is behind: the daemon was killed in between.

    Of a run that the record knows, it is right about everything else: who stopped it, above all.
    """
    record = container.record
    if record.state.started_ns != state.started_ns:
        begun = states.started(record.state, state.pid, state.started_ns, context.boot_id)
        context.shelf.save(container, states.step(record, begun), "start")
    elif not record.state.alive:
        goes_on = msgspec.structs.replace(record.state, status=Status.RUNNING, pid=state.pid)
        context.shelf.save(container, states.step(record, goes_on), "")


async def _recover_pause(context: Context, container: Container) -> None:
    record = container.record
    frozen = context.planner.is_frozen(record)
    if record.state.held:  # by a daemon that was killed while it read the container's files
        if frozen:
            await context.planner.thaw(record)
        running = states.with_status(record.state, Status.RUNNING)
        context.shelf.save(container, states.step(record, running), "")
    elif frozen != record.state.paused:
        status = Status.PAUSED if frozen else Status.RUNNING
        state = states.with_status(record.state, status)
        context.shelf.save(container, states.step(record, state), "")


def _recover_execs(context: Context, container: Container, state: State) -> None:
    for told in state.execs:
        found = Exec(
            id=told.exec_id,
            container_id=container.id,
            config=ExecConfig(cmd=("(started before the daemon)",)),
            started=True,
            running=told.running,
            pid=told.pid,
        )
        container.execs[found.id] = found
        context.execs[found.id] = container.id
        if not told.running:
            execs.ended(context, container, found, told.exit_code)


# ── shims that are gone ──────────────────────────────────────────────────────────────────────


async def _believe_the_directory(context: Context, container: Container) -> None:
    """A shim's directory may mean that there was a start of which the record never learned."""
    directory = context.paths.shim(container.id)
    if not await asyncio.to_thread(os.path.exists, directory):
        return
    record = container.record
    begun_ns = _unrecorded_start(context, record)
    if begun_ns:
        container.record = states.step(
            record, states.started(record.state, 0, begun_ns, context.boot_id)
        )
    else:
        await asyncio.to_thread(ending.clean_up, context, record)


def _unrecorded_start(context: Context, record: ContainerRecord) -> int:
    """Return when the run began that left the shim's directory; 0 if the record knows of it.

    The shim writes its number when it begins, and takes it away when it goes by itself.
    """
    exit_ = ending.recorded_exit(context, record.id)
    if exit_ is not None and exit_.finished_ns == record.state.finished_ns:
        return 0
    directory = context.paths.shim(record.id)
    for witness in (PID, EXIT):
        with contextlib.suppress(FileNotFoundError):
            seen_ns = os.stat(f"{directory}/{witness}").st_mtime_ns
            return seen_ns if exit_ is not None or seen_ns > record.state.finished_ns else 0
    return 0


async def _end_lost(context: Context, container: Container) -> None:
    _runs(container)
    state = container.record.state
    known = ending.recorded_exit(context, container.id)
    if known is None and state.boot_id not in ("", context.boot_id):
        went_down = Exit(
            exit_code=_LOST_WITH_MACHINE,
            oom_killed=False,
            finished_ns=max(state.started_ns, _boot_ns(context)),
            error="the machine went down while the container ran",
        )
        await ending.clean_up_or_retry(context, container)
        await ending.end(context, container, went_down, None)
    else:
        await ending.lost(context, container)


def _boot_ns(context: Context) -> int:
    with open("/proc/uptime") as file:
        return context.clock.now_ns() - int(float(file.read().split()[0]) * 10**9)


async def _end_orphan(context: Context, record: ContainerRecord) -> None:
    """End a shim that should not be there, and remove what it leaves."""
    try:
        connection = await asyncio.to_thread(connect, context.paths.shim(record.id), _PATIENCE)
    except OSError:
        connection = None
    if connection is not None:
        ended = asyncio.Event()

        def listen(message: Message) -> None:
            if isinstance(message, Exited):
                ended.set()

        link = ShimLink(connection, listen)
        with contextlib.suppress(ShimGoneError, ShimSilentError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await link.request(Signal(signal=SIGKILL, everyone=True))
                await ended.wait()
                await link.request(Release())
        link.close()
    await asyncio.to_thread(ending.clean_up, context, record)


async def _remove_orphans(context: Context) -> None:
    if context.keeps_strangers:
        for container_id in _without_record(context, _entries(context.paths.containers)):
            _log.warning("container %s has no record (any more); its files stay", container_id)
        return
    for container_id in _without_record(context, _entries(context.paths.shims)):
        _log.warning("ending what is left of container %s, which has no record", container_id)
        try:
            await _end_orphan(context, _stub(container_id))
        except (BoxshipError, OSError):
            _log.exception("what is left of container %s could not be removed", container_id)
    for container_id in _without_record(context, _entries(context.paths.containers)):
        context.throw_away(context.paths.of(container_id).directory)
    for container_id in _without_record(context, context.snapshots.keys()):
        context.snapshots.remove(container_id)
    running = {c.id for c in context.shelf if c.record.state.alive}
    for container_id in _entries(context.paths.shared_memory):
        if container_id not in running:
            sharedmemory.discard(f"{context.paths.shared_memory}/{container_id}")
    for name in _entries(context.paths.sources):
        if name not in running:
            mountsources.discard(f"{context.paths.sources}/{name}")


def _without_record(context: Context, found: Iterable[str]) -> list[str]:
    known = (context.shelf, context.trash)
    return [i for i in found if ids.is_full_id(i) and not any(i in those for those in known)]


def _entries(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _stub(container_id: str) -> ContainerRecord:
    """Return just enough of a record to find cgroups by."""
    return ContainerRecord(
        id=container_id,
        name="",
        created_ns=0,
        image_id="",
        path="",
        args=(),
        config=ContainerConfig(),
        host=HostConfig(),
    )
