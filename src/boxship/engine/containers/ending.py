"""A container's end, however it comes: by itself, by a signal, or because its shim was killed.

One path for all: the state changes once, under the lock, by whoever notices first; then come the
events, those who wait, the restart policy or the removal. ::

    shim: exited ─────────────┐
    shim's connection ended ──┼──► end ──► state EXITED / RESTARTING ──► die ──► waiters
    start-up finds it ended ──┘                                           └──► start again | remove
"""

import asyncio
import contextlib
import errno
import logging
import os
import select
import shutil
import signal
from collections.abc import Callable, Iterator

from boxship.base.errors import BoxshipError
from boxship.engine.containers import execs, networking, oomwatch, policy, probing, states, volumes
from boxship.engine.containers.context import Context
from boxship.engine.containers.discard import discard
from boxship.engine.containers.facts import Course, Fact
from boxship.engine.containers.live import Container
from boxship.engine.containers.mountsources import unmount_sources
from boxship.engine.containers.record import ContainerRecord, Status
from boxship.engine.containers.requests import WaitOutcome
from boxship.engine.containers.sharedmemory import unmount_shm
from boxship.engine.containers.shimlink import ShimGoneError, ShimLink, ShimSilentError
from boxship.runtime.control_codec import ProtocolError, exit_from_json
from boxship.runtime.messages import Detached, ExecExited, Exit, Exited, Message, Release
from boxship.runtime.shim.directory import PID, start_time

_log = logging.getLogger(__name__)
KILLED = 137
_HISTORY_PATIENCE = 10.0
_RECORD_PATIENCE = 5.0
"""Seconds for the record of an end; the disk may be full, and the shelf goes on trying."""
_LEAVING_PATIENCE = 1.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


def listener(context: Context, container: Container) -> Callable[[Message], None]:
    """Return what a container's shim link tells its events to."""

    def listen(message: Message) -> None:
        if isinstance(message, Exited):
            context.background.chore(exited(context, container, message.exit))
        elif isinstance(message, ExecExited):
            execs.exited(context, container, message.exec_id, message.exit_code)
        elif isinstance(message, Detached) and message.keys:
            context.announcer.say(container.record, "detach")

    return listen


def watch(context: Context, container: Container, link: ShimLink) -> None:
    """Notice when the shim goes without having told the container's end."""
    link.closed.add_done_callback(
        lambda _: (
            context.background.chore(shim_gone(context, container, link))
            if container.shim is link and not context.background.closed
            else None
        )
    )


async def exited(context: Context, container: Container, exit_: Exit) -> None:
    """The shim says that the container has ended."""
    async with container.lock:
        link, container.shim = container.shim, None
        if link is None:
            return
        await end(context, container, exit_, link)


async def shim_gone(context: Context, container: Container, link: ShimLink) -> None:
    """The shim's connection ended. It may have ended with its container, or been killed."""
    async with container.lock:
        if container.shim is not link:
            return
        container.shim = None
        await lost(context, container)


async def lost(context: Context, container: Container) -> None:
    """Nobody looks after the container any more: take its end from ``exit.json``, or end it."""
    exit_ = recorded_exit(context, container.id)
    if exit_ is None:
        _log.error("the shim of container %s was killed; ending the container", container.id)
        try:
            await context.planner.kill(container.record)
        except (BoxshipError, OSError):  # nobody is left who could tell a later end
            _log.exception("processes of container %s stay", container.id)
        exit_ = Exit(
            exit_code=KILLED,
            oom_killed=False,
            finished_ns=context.clock.now_ns(),
            error="the container's shim was killed, and the container with it",
        )
    await clean_up_or_retry(context, container)
    await end(context, container, exit_, None)


async def clean_up_or_retry(context: Context, container: Container) -> None:
    """Clean up; what can't be removed yet is tried again later, and holds nothing up."""
    try:
        await asyncio.to_thread(clean_up, context, container.record)
    except (BoxshipError, OSError):
        _log.exception("what is left of container %s cannot be removed yet", container.id)
        context.background.spawn(_keep_cleaning(context, container))


async def _keep_cleaning(context: Context, container: Container) -> None:
    pause = _FIRST_PAUSE
    while True:
        await asyncio.sleep(pause)
        async with container.lock:
            if container.shim is not None:  # it has been started again, in the same cgroups
                return
            with contextlib.suppress(BoxshipError, OSError):
                await asyncio.to_thread(clean_up, context, container.record)
                return
        pause = min(2 * pause, _LONGEST_PAUSE)


def recorded_exit(context: Context, container_id: str) -> Exit | None:
    """Return what the shim wrote before it went, if it did."""
    try:
        with open(f"{context.paths.shim(container_id)}/exit.json", "rb") as file:
            return exit_from_json(file.read())
    except (OSError, ProtocolError):
        return None


def clean_up(context: Context, record: ContainerRecord) -> None:
    """Remove what a shim leaves when it is killed: its directory and the cgroups."""
    directory = context.paths.shim(record.id)
    kill_shim(directory)
    if os.path.exists(bundle := context.paths.bundle(record.id)):
        context.planner.forget(record, bundle)
    context.planner.remove_cgroups(record)
    shutil.rmtree(directory, ignore_errors=True)


def kill_shim(directory: str) -> None:
    """Kill a shim that does not answer; one that is gone already is no error."""
    with contextlib.suppress(OSError, ValueError), _shim_process(directory) as pidfd:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)


def wait_for_shim(directory: str, seconds: float) -> None:
    """Wait until a shim that has been told to go is gone, and kill it if it is not; blocking."""
    with contextlib.suppress(OSError, ValueError), _shim_process(directory) as pidfd:
        polled = select.poll()
        polled.register(pidfd, select.POLLIN)
        if not polled.poll(1000 * seconds):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            polled.poll(1000 * seconds)


def shim_lives(directory: str) -> bool:
    """Tell whether the shim's process has not ended, whatever it does."""
    with contextlib.suppress(OSError, ValueError), _shim_process(directory) as pidfd:
        polled = select.poll()
        polled.register(pidfd, select.POLLIN)  # from the end of the process on
        return not polled.poll(0)
    return False


@contextlib.contextmanager
def _shim_process(directory: str) -> Iterator[int]:
    """Open the shim's process. OSError or ValueError: there is none."""
    with open(f"{directory}/{PID}") as file:
        pid, started = map(int, file.read().split())
    pidfd = os.pidfd_open(pid)
    try:
        if start_time(pid) != started:  # asked with the pidfd open: nobody else can be meant
            raise ProcessLookupError(errno.ESRCH, "the shim has ended", directory)
        yield pidfd
    finally:
        os.close(pidfd)


async def _release(
    context: Context, container: Container, link: ShimLink, recorded: asyncio.Future[None] | None
) -> None:
    """Let the shim go, and ``exit.json`` with it, once the record says the same."""
    if recorded is not None and not await _committed(recorded):
        context.background.spawn(_clean_up_once(context, container, recorded))
        link.close()  # it leaves exit.json behind, for whoever looks after the container next
        await asyncio.to_thread(wait_for_shim, context.paths.shim(container.id), _LEAVING_PATIENCE)
        return
    # A client that does not read its history must not keep the shim for ever.
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(container.hand_overs.none_left(), _HISTORY_PATIENCE)
    await let_go(context, container, link)


async def _committed(recorded: asyncio.Future[None]) -> bool:
    await asyncio.wait([recorded], timeout=_RECORD_PATIENCE)
    return recorded.done() and recorded.exception() is None


async def _clean_up_once(
    context: Context, container: Container, recorded: asyncio.Future[None]
) -> None:
    """Remove what the shim left, when the record is at last as complete."""
    with contextlib.suppress(Exception):  # the shelf has told the log
        await asyncio.shield(recorded)
        async with container.lock:
            if container.shim is None and not container.record.state.alive:
                await asyncio.to_thread(clean_up, context, container.record)


async def let_go(context: Context, container: Container, link: ShimLink) -> None:
    """Release the shim of a container whose end is recorded; it takes its directory with it."""
    try:
        await link.request(Release())
    except (ShimGoneError, ShimSilentError):
        await clean_up_or_retry(context, container)
    finally:
        link.close()


async def end(context: Context, container: Container, exit_: Exit, link: ShimLink | None) -> None:
    """Take the step; the lock is held. The shim behind ``link`` is let go before another start."""
    before = container.record
    probing.end(container)
    told = oomwatch.end(container)
    networking.unplug(context, container)
    record = container.record
    verdict = policy.decide(record, exit_.exit_code, held=container.held)
    again = verdict is policy.Verdict.AGAIN
    fact = _fact(exit_, verdict)
    state = states.ended(
        record.state,
        exit_code=exit_.exit_code,
        finished_ns=exit_.finished_ns,
        oom_killed=exit_.oom_killed,
        error=exit_.error,
        restart_after=_pause(record, exit_) if again else None,
    )
    ends_here = record.host.auto_remove and not container.kept
    recorded = None
    if ends_here:  # no need to record what is deleted a moment later
        container.record = states.step(record, state)
        context.shelf.note(container, "die", fact)
    else:
        recorded = context.shelf.save(container, states.step(record, state), "die", fact)
    if link is not None:
        letting_go = _release(context, container, link, recorded)
        container.releasing = context.background.chore(letting_go)
    execs.container_ended(context, container)
    _announce(context, container, exit_, told=told)
    networking.announce_end(context, before)
    container.ended.set()
    if not again:
        container.waiters.exited(WaitOutcome(exit_.exit_code))
    unmount_shm(record, context.paths)
    unmount_sources(record, context.paths)
    await volumes.let_go(context, record)
    if ends_here and not again:  # never starts again: nothing depends on the release
        await remove_itself(context, container)
        return
    if again:
        context.start_again(context, container)


def _pause(record: ContainerRecord, exit_: Exit) -> float:
    state = record.state
    run_ns = exit_.finished_ns - state.started_ns if state.started_ns else 0
    return policy.pause_after(state.pause, run_ns)


def _fact(exit_: Exit, verdict: policy.Verdict) -> Fact:
    return Fact(
        exit_code=exit_.exit_code,
        signal=exit_.signal,
        oom_killed=exit_.oom_killed,
        memory_peak=exit_.memory_peak,
        memory_limit=exit_.memory_limit,
        error=exit_.error,
        verdict=verdict,
    )


def _announce(context: Context, container: Container, exit_: Exit, *, told: bool) -> None:
    state = container.record.state
    if exit_.oom_killed and not told:
        context.announcer.say(container.record, "oom")
    seconds = max(0, state.finished_ns - state.started_ns) // 10**9
    context.announcer.say(
        container.record,
        "die",
        {"exitCode": str(exit_.exit_code), "execDuration": str(seconds)},
    )


async def remove_itself(context: Context, container: Container) -> None:
    """Do what ``--rm`` asked for, or a removal that was broken off; the lock is held.

    A failure is for the log: nobody waits.
    """
    try:
        volumes_too = container.record.state.volumes_too
        await discard(context, container, volumes=volumes_too, cause=Fact(course=Course.OTHER))
    except (BoxshipError, OSError):
        _log.exception("container %s could not be removed after its end", container.id)
        with contextlib.suppress(BoxshipError):
            dead = states.with_status(container.record.state, Status.DEAD)
            context.shelf.save(container, container.record.with_state(dead), "dead")
