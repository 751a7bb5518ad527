"""Two things happen to one container at once, or one of those who take part does not answer."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from boxship.base.errors import ConflictError, NotFoundError, UnavailableError
from boxship.engine.containers import shimlink, start, states
from boxship.engine.containers.context import Context
from boxship.engine.containers.discard import discard
from boxship.engine.containers.live import Container, locked
from boxship.engine.containers.record import Status
from boxship.engine.containers.requests import CommitRequest
from boxship.engine.engine import Engine
from boxship.model.container import HostConfig, RestartPolicy
from support.opened import (
    Client,
    Place,
    attached,
    engine_of_its_own,
    make,
    outcome,
    output,
    run,
    text_of,
    until,
)

pytestmark = pytest.mark.privileged

Body = Callable[[Engine, Place], Coroutine[Any, Any, None]]
ALWAYS = HostConfig(restart_policy=RestartPolicy("always"))


def with_engine(body: Body) -> Callable[[], None]:
    """Run an async test with an engine of its own."""

    @wraps(body)
    def test() -> None:
        async def scene() -> None:
            async with engine_of_its_own() as (engine, place), asyncio.timeout(60):
                await body(engine, place)

        asyncio.run(scene())

    del test.__wrapped__  # type: ignore[attr-defined]  # pytest must not see the parameters
    return test


def inside(engine: Engine, container: str) -> tuple[Context, Container]:
    """Return what the verbs work with."""
    context = engine.containers._context
    return context, context.shelf.find(container)


async def waiting_for_the_lock(
    found: Container, work: Coroutine[Any, Any, None]
) -> asyncio.Task[None]:
    """Begin ``work`` while the lock is held; return once it waits for it."""
    before = len(found.lock._waiters or ())
    task = asyncio.create_task(work)
    await until(lambda: len(found.lock._waiters or ()) > before)
    return task


@with_engine
async def test_stop_ends_the_run_that_its_policy_has_just_begun(engine: Engine, _: Place) -> None:
    again = "test -e /again && exec sleep 1000; touch /again; exit 1"
    container = await run(engine, "sh", "-c", again, host=ALWAYS)
    context, found = inside(engine, container)
    await until(lambda: found.record.status is Status.RESTARTING)
    async with found.lock:
        stopping = await waiting_for_the_lock(found, engine.containers.stop(container, timeout=1))
        await start.launch(context, found)
    await stopping
    assert found.record.status is Status.EXITED


async def ended_unseen(engine: Engine, container: str) -> None:
    """End it and wait until its shim has taken its cgroups away; the lock is held."""
    context, found = inside(engine, container)
    os.kill(found.record.state.pid, signal.SIGKILL)
    directories = context.planner.cgroup(found.record).directories
    await until(lambda: not any(os.path.exists(each.path) for each in directories))
    assert found.record.state.running


@with_engine
async def test_what_has_ended_just_now_need_not_stand_still_to_be_read(
    engine: Engine, _: Place
) -> None:
    container = await run(engine, "sh", "-c", "echo 1 >/f; exec sleep 1000")
    _context, found = inside(engine, container)
    async with found.lock:
        commit = await waiting_for_the_lock(
            found, engine.container_files.commit(container, CommitRequest("made"))
        )
        await ended_unseen(engine, container)
    await commit
    await until(lambda: found.record.status is Status.EXITED)


@with_engine
async def test_what_has_ended_just_now_can_not_be_paused(engine: Engine, _: Place) -> None:
    container = await run(engine, "sleep", "1000")
    _context, found = inside(engine, container)
    async with found.lock:
        pause = await waiting_for_the_lock(found, engine.containers.pause(container))
        await ended_unseen(engine, container)
    with pytest.raises(ConflictError, match=f"container {container} is not running"):
        await pause
    await until(lambda: found.record.status is Status.EXITED)


@with_engine
async def test_what_was_killed_while_it_was_paused_can_be_unpaused(
    engine: Engine, _: Place
) -> None:
    container = await run(engine, "sleep", "1000")
    context, found = inside(engine, container)
    await engine.containers.pause(container)
    async with found.lock:
        unpause = await waiting_for_the_lock(found, engine.containers.unpause(container))
        await context.planner.thaw(found.record)
        await ended_unseen(engine, container)
    await unpause
    await until(lambda: found.record.status is Status.EXITED)


@contextlib.contextmanager
def hanging(place: Place, container: str) -> Iterator[int]:
    """Let the container's shim hang; nobody waits long for it. Yield its pid."""
    note = Path(f"{place.home}/exec/c/{container}/shim.pid")
    pidfd = os.pidfd_open(pid := int(note.read_text().split()[0]))
    signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shimlink, "PATIENCE", 0.2)
            yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGCONT)
        os.close(pidfd)


@with_engine
async def test_a_container_whose_shim_hangs_can_be_killed(engine: Engine, place: Place) -> None:
    container = await run(engine, "sleep", "1000")
    with hanging(place, container):
        with pytest.raises(UnavailableError, match="hangs"):
            await engine.containers.kill(container, "HUP")
        async with asyncio.timeout(10):
            await engine.containers.kill(container)
    state = engine.containers.get(container).state
    assert (state.status, state.exit_code) == (Status.EXITED, 137)
    await engine.containers.start(container)


@with_engine
async def test_a_frozen_one_whose_shim_hangs_can_be_removed(engine: Engine, place: Place) -> None:
    container = await run(engine, "sleep", "1000")
    await engine.containers.pause(container)
    with hanging(place, container):
        async with asyncio.timeout(10):
            await engine.containers.remove(container, force=True)
    assert place.remains() == []


@with_engine
async def test_a_shim_that_takes_its_time_to_leave_holds_up_the_next_start_only(
    engine: Engine, _: Place
) -> None:
    container = await run(engine, "sleep", "1000")
    _context, found = inside(engine, container)
    with found.hand_overs:  # a client who reads its history slowly
        await engine.containers.stop(container, timeout=0)
        async with asyncio.timeout(5):
            await engine.containers.rename(container, "other")
        starting = asyncio.create_task(engine.containers.start(container))
        async with asyncio.timeout(5), locked(found):
            assert not found.record.state.running
    await starting
    assert found.record.state.running


@pytest.mark.parametrize("verb", ["start", "restart", "rename"])
def test_what_has_been_removed_meanwhile_is_not_touched(verb: str) -> None:
    @with_engine
    async def scene(engine: Engine, place: Place) -> None:
        container = await make(engine, "true")
        context, found = inside(engine, container)
        name = {"rename": ("ghost",)}.get(verb, ())
        async with found.lock:
            work = getattr(engine.containers, verb)(container, *name)
            task = await waiting_for_the_lock(found, work)
            await discard(context, found)
        with pytest.raises(NotFoundError):
            await task
        assert place.remains() == []
        await make(engine, "true", name="ghost")

    scene()


@with_engine
async def test_a_container_that_could_not_be_removed_keeps_its_name(
    engine: Engine, _: Place
) -> None:
    container = await make(engine, "true", name="dead")
    _context, found = inside(engine, container)
    async with found.lock:
        for status in (Status.REMOVING, Status.DEAD):
            found.record = states.step(found.record, states.with_status(found.record.state, status))
    with pytest.raises(ConflictError, match="marked for removal"):
        await engine.containers.rename(container, "other")


@with_engine
async def test_force_removes_what_a_start_has_just_begun(engine: Engine, _: Place) -> None:
    container = await make(engine, "sleep", "1000")
    context, found = inside(engine, container)
    async with found.lock:
        removing = await waiting_for_the_lock(
            found, engine.containers.remove(container, force=True)
        )
        await start.launch(context, found)
    await removing
    assert found.gone.is_set()


@with_engine
async def test_what_is_being_removed_by_force_is_not_started_again(
    engine: Engine, _: Place
) -> None:
    container = await run(engine, "sleep", "1000")
    _context, found = inside(engine, container)
    async with found.lock:
        removing = await waiting_for_the_lock(
            found, engine.containers.remove(container, force=True)
        )
        before = len(found.lock._waiters or ())
        os.kill(found.record.state.pid, signal.SIGKILL)
        await until(lambda: len(found.lock._waiters or ()) > before)  # its end is in the queue
        starting = await waiting_for_the_lock(found, engine.containers.start(container))
    await removing
    with pytest.raises((ConflictError, NotFoundError)):
        await starting
    assert found.gone.is_set()


@with_engine
async def test_a_client_that_does_not_read_its_history_holds_up_nobody(
    engine: Engine, _: Place
) -> None:
    container = await run(engine, "seq", "100000")
    await outcome(engine, container)
    client = Client()
    attaching = asyncio.create_task(attached(engine, container, client, logs=True))
    await client.receive()  # it has begun, and is then stuck
    async with asyncio.timeout(5):
        await engine.containers.remove(container, force=True)
    client.close()
    with contextlib.suppress(OSError, NotFoundError):
        await attaching


@with_engine
async def test_a_start_during_the_history_leaves_no_gap(engine: Engine, _: Place) -> None:
    container = await run(engine, "sh", "-c", "seq 40000; exec sleep 1000")

    async def logged(times: int) -> bool:
        return (await output(engine, container)).count("\n") == 40000 * times

    await until(lambda: logged(1))
    await engine.containers.stop(container, timeout=0)
    client = Client()
    attaching = asyncio.create_task(attached(engine, container, client, logs=True))
    data = await client.receive()
    await engine.containers.start(container)
    reading = asyncio.create_task(client.receive_all())
    await attaching
    await until(lambda: logged(2))
    await engine.containers.stop(container, timeout=0)
    data += await reading
    assert text_of(data).split() == [str(n) for n in range(1, 40001)] * 2
    client.close()


@with_engine
async def test_a_client_is_not_left_to_a_shim_that_hangs(engine: Engine, place: Place) -> None:
    container = await run(engine, "sleep", "1000")
    client = Client()
    with hanging(place, container):
        with pytest.raises(UnavailableError):
            await attached(engine, container, client, logs=True)
        assert await client.receive_all() == b""
    client.close()


@with_engine
async def test_only_a_signal_that_is_to_stop_it_outweighs_its_policy(
    engine: Engine, _: Place
) -> None:
    script = "trap 'exit 3' HUP; echo up; while :; do sleep 0.05; done"
    named = await run(engine, "sh", "-c", script, host=ALWAYS, stop_signal="SIGQUIT")
    unnamed = await run(engine, "sh", "-c", script, host=ALWAYS)

    def starts(container: str, number: int) -> Callable[[], Coroutine[Any, Any, bool]]:
        async def so_often() -> bool:
            return (await output(engine, container)).count("up") == number

        return so_often

    await until(starts(named, 1))
    await until(starts(unnamed, 1))
    await engine.containers.kill(named, "HUP")
    await engine.containers.kill(unnamed, "HUP")
    await until(starts(named, 2))
    await until(lambda: engine.containers.get(unnamed).status is Status.EXITED)
    await engine.containers.stop(named, signal="HUP", timeout=5)
    assert engine.containers.get(named).status is Status.EXITED
