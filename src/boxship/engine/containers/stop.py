"""End a container: stop (ask, then kill), kill (any signal), restart.

None of these holds the lock while it waits for the end: the end itself needs it.
"""

import asyncio
import contextlib
import errno
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from signal import SIGKILL

from msgspec import UNSET
from msgspec.structs import replace

from boxship.base.errors import (
    BoxshipError,
    ConflictError,
    InternalError,
    NotFoundError,
    NotModifiedError,
    UnavailableError,
)
from boxship.engine.containers import ending, freeze, start, states
from boxship.engine.containers.context import Context
from boxship.engine.containers.facts import NOTHING, Course, Fact
from boxship.engine.containers.live import Container, locked
from boxship.engine.containers.record import Status
from boxship.engine.containers.shimlink import ShimGoneError, ShimSilentError
from boxship.engine.containers.signals import parse_signal
from boxship.runtime.messages import Failed, Signal

_log = logging.getLogger(__name__)
DEFAULT_SIGNAL = "SIGTERM"
SILENT_PATIENCE = 1.0
"""Seconds for a shim that did not answer to notice that its container's processes are dead."""
KILL_PATIENCE = 10.0
"""Seconds that a SIGKILL may take; longer means processes that even it cannot end (disk, NFS)."""


@dataclass(frozen=True)
class _Signalled:
    """The run that a signal was sent to: whoever had the lock before may have begun another."""

    ended: asyncio.Event
    answered: bool = True
    """The shim has sent the signal on; otherwise it hangs, or there is none."""


async def stop(
    context: Context,
    container: Container,
    *,
    signal: str | None,
    grace: int | None,
    cause: Fact = NOTHING,
) -> None:
    """Ask it to end, wait ``grace`` seconds (-1: for ever), kill it.

    ``cause`` is for whoever asks later why it has ended.
    """
    config = container.record.config
    number = parse_signal(signal or str(config.stop_signal or DEFAULT_SIGNAL))
    if not container.record.state.running:
        raise NotModifiedError(f"Container {container.id} is already stopped")
    if grace is None:
        grace = _own_grace(context, container)
    signalled = await _send(context, container, number, cause, for_good=True)
    patience = None if grace < 0 else grace  # of a silent shim too, which may be slow and do it
    if signalled is not None and not await _wait(signalled.ended, patience):
        await end_now(context, container, cause)
    context.announcer.say(container.record, "stop")


async def stop_for_now(context: Context, container: Container, *, at_most: int) -> None:
    """Stop it because the daemon goes: nobody wanted it stopped, so its policy still counts."""
    container.daemon_goes = True
    grace = _own_grace(context, container)
    if at_most >= 0:
        grace = at_most if grace < 0 else min(grace, at_most)
    with contextlib.suppress(NotModifiedError, NotFoundError):  # it has ended by itself
        cause = Fact(course=Course.DAEMON_STOP)
        await stop(context, container, signal=None, grace=grace, cause=cause)


def _own_grace(context: Context, container: Container) -> int:
    own = container.record.config.stop_timeout
    return context.settings.stop_timeout if own is UNSET or own is None else own


async def end_now(context: Context, container: Container, cause: Fact = NOTHING) -> None:
    """Kill it and wait until it has ended. UnavailableError: it does not end."""
    signalled = await _send(context, container, SIGKILL, cause, for_good=True)
    if signalled is not None:
        await _make_sure(context, container, signalled)


def schedule_end(context: Context, container: Container) -> None:
    """End an unhealthy container as a stop would, for its policy to start it again."""
    context.background.spawn(_end_unhealthy(context, container))


async def _end_unhealthy(context: Context, container: Container) -> None:
    number = parse_signal(str(container.record.config.stop_signal or DEFAULT_SIGNAL))
    grace, cause = _own_grace(context, container), Fact(course=Course.HEALTH)
    with contextlib.suppress(NotFoundError):
        signalled = await _send(context, container, number, cause, for_good=None)
        if signalled is None or await _wait(signalled.ended, None if grace < 0 else grace):
            return
        killed = await _send(context, container, SIGKILL, cause, for_good=None)
        if killed is not None and killed.ended is signalled.ended:
            await _make_sure(context, container, killed)


async def _make_sure(context: Context, container: Container, killed: _Signalled) -> None:
    """Wait for the end of what has been killed. UnavailableError: it does not end."""
    if killed.answered and await _wait(killed.ended, KILL_PATIENCE):
        return
    # The signal went through the shim, which hangs; the cgroup needs nobody, and thaws as well.
    await context.planner.kill(container.record)
    if await _wait(killed.ended, KILL_PATIENCE if killed.answered else SILENT_PATIENCE):
        return
    # No process is left and the shim doesn't tell. Without it the end is found as of a lost one.
    await asyncio.to_thread(ending.kill_shim, context.paths.shim(container.id))
    if not await _wait(killed.ended, KILL_PATIENCE):
        raise UnavailableError(f"container {container.id} did not end after SIGKILL")


async def kill(context: Context, container: Container, signal: str, cause: Fact = NOTHING) -> None:
    """Send a signal; SIGKILL is waited for."""
    number = parse_signal(signal or "SIGKILL")
    if not container.record.state.running:
        raise ConflictError(f"container {container.id} is not running")
    signalled = await _send(context, container, number, cause, for_good=False)
    if signalled is None:
        return
    if number == SIGKILL:
        await _make_sure(context, container, signalled)
    elif not signalled.answered:
        raise UnavailableError(f"cannot send signal {number} to {container.id}: its shim hangs")


@contextlib.contextmanager
def failing_to_restart(reference: str) -> Iterator[None]:
    """Have errors say, in Docker's words, that a restart has failed, and of what is called so."""
    with _saying(f"Cannot restart container {reference}"):
        yield


@contextlib.contextmanager
def failing_to(verb: str, reference: str) -> Iterator[None]:
    """The same of a stop or a kill, whose errors begin in lower case."""
    with _saying(f"cannot {verb} container: {reference}"):
        yield


@contextlib.contextmanager
def _saying(what: str) -> Iterator[None]:
    try:
        yield
    except NotModifiedError:
        raise
    except BoxshipError as error:
        error.args = (f"{what}: {error}",)
        raise


async def restart(
    context: Context,
    container: Container,
    *,
    signal: str | None,
    grace: int | None,
    cause: Fact = NOTHING,
) -> None:
    """Stop it if it runs, then start it; one that removes itself at its end stays."""
    container.kept += 1
    try:
        if container.record.state.running:
            try:
                await stop(context, container, signal=signal, grace=grace, cause=cause)
            except NotModifiedError:
                _log.debug("container %s ended before its restart", container.id)
        async with locked(container, released=True):
            if not container.record.state.running:
                start.check_startable(container)
                await start.launch(context, container, cause)
    finally:
        container.kept -= 1
    context.announcer.say(container.record, "restart")


async def _send(
    context: Context, container: Container, number: int, cause: Fact, *, for_good: bool | None
) -> _Signalled | None:
    """Send a signal to its first process; None if there was none to send to any more.

    ``for_good``: whatever the signal is, no policy is to start the container again; None: the
    policy itself sends it, and wants the container again.
    """
    async with locked(container):
        state = container.record.state
        if state.status is Status.RESTARTING:
            start.give_up(context, container, cause)
            return None
        if not state.alive:
            return None
        link, ended = container.shim, container.ended
        by_person = for_good is not None and not container.daemon_goes
        if by_person and (for_good or _is_to_stay_ended(container, number)):
            wanted = states.stopped_by_user(state)
            context.shelf.save(container, container.record.with_state(wanted), "")
        context.shelf.note(container, "signal", replace(cause, signal=int(number)))
        if link is None:
            return _Signalled(ended, answered=False)
        try:
            reply = await link.request(Signal(signal=number))
        except ShimGoneError:
            return _Signalled(ended)  # which is on the way
        except ShimSilentError:
            return _Signalled(ended, answered=False)
        if isinstance(reply, Failed) and reply.errno not in (0, errno.ESRCH):  # 0: ended already
            raise InternalError(f"cannot send signal {number} to {container.id}: {reply.message}")
        context.announcer.say(container.record, "kill", {"signal": str(int(number))})
        if state.status is Status.PAUSED and _ends_it(container, number):
            await freeze.thaw(context, container, cause)
    return _Signalled(ended)


def _ends_it(container: Container, number: int) -> bool:
    """A signal that is meant to end a frozen container is of no use unless it thaws."""
    asked = container.record.config.stop_signal
    return number in (SIGKILL, parse_signal(str(asked or DEFAULT_SIGNAL)))


def _is_to_stay_ended(container: Container, number: int) -> bool:
    """Where a stop signal is named, an end by another signal is like one of its own accord."""
    asked = container.record.config.stop_signal
    return not asked or number in (SIGKILL, parse_signal(str(asked)))


async def _wait(ended: asyncio.Event, seconds: float | None) -> bool:
    try:
        await asyncio.wait_for(ended.wait(), seconds)
    except TimeoutError:
        return False
    return True
