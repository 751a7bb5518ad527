"""Two things happen to one container at once, or one of those who take part does not answer."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest

from boxship.engine.containers import start
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
        stopping = await waiting_for_the_lock(found, engine.containers.stop(container, timeout=0))
        await start.launch(context, found)
    await stopping
    assert found.record.status is Status.EXITED
