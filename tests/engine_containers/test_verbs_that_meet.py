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

from boxship.base.errors import UnavailableError
from boxship.engine.containers import shimlink, start
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.record import Status
from boxship.engine.engine import Engine
from boxship.model.container import HostConfig, RestartPolicy
from support.opened import Place, engine_of_its_own, run, until

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
