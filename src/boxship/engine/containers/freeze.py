"""Pause and unpause: the cgroup freezer stops every process of a container where it stands."""

from boxship.base.errors import ConflictError
from boxship.engine.containers import states
from boxship.engine.containers.context import Context
from boxship.engine.containers.facts import NOTHING, Fact
from boxship.engine.containers.live import Container, locked
from boxship.engine.containers.record import Status


async def pause(context: Context, container: Container, cause: Fact = NOTHING) -> None:
    """Freeze it; ``cause`` is for whoever asks later."""
    async with locked(container):
        record = container.record
        if record.status is Status.PAUSED:
            raise ConflictError(f"Container {container.id} is already paused")
        if record.status is Status.RESTARTING:
            raise ConflictError(
                f"Container {container.id} is restarting, wait until the container is running"
            )
        if not record.state.alive:
            raise ConflictError(f"container {container.id} is not running")
        if not await context.planner.freeze(record):
            raise ConflictError(f"container {container.id} is not running")
        paused = states.with_status(record.state, Status.PAUSED)
        context.shelf.save(container, states.step(record, paused), "pause", cause)
        context.announcer.say(container.record, "pause")


async def unpause(context: Context, container: Container, cause: Fact = NOTHING) -> None:
    """Thaw it."""
    async with locked(container):
        if container.record.status is not Status.PAUSED:
            raise ConflictError(f"Container {container.id} is not paused")
        await thaw(context, container, cause)


async def thaw(context: Context, container: Container, cause: Fact = NOTHING) -> None:
    """Thaw one that is paused; the lock is held."""
    await context.planner.thaw(container.record)
    running = states.with_status(container.record.state, Status.RUNNING)
    context.shelf.save(container, states.step(container.record, running), "unpause", cause)
    context.announcer.say(container.record, "unpause")
