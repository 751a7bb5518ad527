"""Let a container stand still while its files are read.

It is paused as by a person, with the same events, unless it does not run or is paused already; and
goes on when the last one has read who wanted it still, whatever became of the reading. That the
daemon did it stands in the record from before the pause, so that one that is killed meanwhile lets
the container go when it is started again (``recovery.py``). Should a person unpause it meanwhile,
it is theirs.
"""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from boxship.base.errors import NotFoundError
from boxship.engine.containers import freeze, states
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container, locked
from boxship.engine.containers.record import Status


@asynccontextmanager
async def still(context: Context, container: Container) -> AsyncIterator[None]:
    """Pause it for the length of a ``with``.

    UnavailableError: the kernel does not do it, or the disk takes no record of it.
    """
    if not await _hold(context, container):
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(NotFoundError):  # removed meanwhile
            await _let_go(context, container)


@asynccontextmanager
async def users_still(context: Context, volume_id: str) -> AsyncIterator[None]:
    """Pause whoever may be writing to a volume, for the length of a ``with``."""
    async with contextlib.AsyncExitStack() as held:
        for container in context.shelf:
            points = container.record.mounts
            if any(point.volume_id == volume_id and point.read_write for point in points):
                with contextlib.suppress(NotFoundError):
                    await held.enter_async_context(still(context, container))
        yield


async def _hold(context: Context, container: Container) -> bool:
    async with locked(container):
        record = container.record
        if record.status is Status.PAUSED and record.state.held:
            container.readers += 1
            return True
        if record.status is not Status.RUNNING:
            return False
        about_to = states.step(record, states.held(record.state, Status.RUNNING))
        is_still = False
        try:
            await context.shelf.save_now(container, about_to)
            is_still = await context.planner.freeze(record)
        finally:
            if not is_still:
                let_be = states.with_status(container.record.state, Status.RUNNING)
                context.shelf.save(container, states.step(container.record, let_be), "")
        if not is_still:  # it has ended just now
            return False
        paused = states.held(container.record.state, Status.PAUSED)
        context.shelf.save(container, states.step(container.record, paused), "pause")
        context.announcer.say(container.record, "pause")
        container.readers += 1
        return True


async def _let_go(context: Context, container: Container) -> None:
    async with locked(container):
        container.readers -= 1
        state = container.record.state
        if container.readers == 0 and state.held and state.status is Status.PAUSED:
            await freeze.thaw(context, container)
