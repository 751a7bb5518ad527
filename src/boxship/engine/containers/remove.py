"""Remove a container on request."""

from boxship.base.errors import ConflictError, NotFoundError
from boxship.engine.containers import stop
from boxship.engine.containers.context import Context
from boxship.engine.containers.discard import discard
from boxship.engine.containers.live import Container
from boxship.engine.containers.record import Status


async def remove(
    context: Context, container: Container, *, force: bool, volumes: bool, link: bool
) -> None:
    """Remove it. ``volumes`` has nothing to remove as long as there are none."""
    del volumes
    if link:
        raise ConflictError("Conflict, cannot remove the default link name of the container")
    state = container.record.state
    if state.status is Status.REMOVING and container.lock.locked():
        raise ConflictError(f"removal of container {container.id} is already in progress")
    if state.running:
        if not force:
            raise _still_running(container)
        await stop.end_now(context, container)
    async with container.lock:
        if container.gone.is_set():
            if force:
                return
            raise NotFoundError(f"No such container: {container.id}")
        if container.record.state.running:  # somebody was faster and started it
            raise _still_running(container)
        await discard(context, container)


def _still_running(container: Container) -> ConflictError:
    status, full_id = container.record.status, container.id
    advice = {
        Status.PAUSED: "Unpause and then stop",
        Status.RESTARTING: "Stop",
    }.get(status, "Stop")
    return ConflictError(
        f"You cannot remove a {status} container {full_id}. "
        f"{advice} the container before attempting removal or force remove"
    )
