"""Remove a container on request."""

import contextlib

from boxship.base.errors import ConflictError, NotFoundError
from boxship.engine.containers import stop
from boxship.engine.containers.context import Context
from boxship.engine.containers.discard import discard
from boxship.engine.containers.facts import Course, Fact
from boxship.engine.containers.live import Container, locked
from boxship.engine.containers.record import Status
from boxship.model.requester import NOBODY, Requester


async def remove(
    context: Context,
    container: Container,
    *,
    force: bool,
    volumes: bool,
    link: bool,
    by: Requester = NOBODY,
) -> None:
    """Remove it, with ``volumes`` its anonymous ones as well."""
    cause = Fact(by=by, course=Course.REMOVE)
    if link:
        raise ConflictError("Conflict, cannot remove the default link name of the container")
    state = container.record.state
    if state.status is Status.REMOVING and container.lock.locked():
        raise ConflictError(f"removal of container {container.id} is already in progress")
    if not force:
        if state.running:
            raise _still_running(container)
        await _discard(context, container, cause, volumes=volumes)
        return
    container.doomed += 1
    try:
        # Who was about to start it when it was doomed may be faster than the lock.
        while not container.gone.is_set():
            await stop.end_now(context, container, cause)
            with contextlib.suppress(_StillRunningError):
                await _discard(context, container, cause, volumes=volumes)
    except NotFoundError:
        return  # somebody else has removed it, or it has itself
    finally:
        container.doomed -= 1


async def _discard(context: Context, container: Container, cause: Fact, *, volumes: bool) -> None:
    async with locked(container, released=True):
        if container.record.state.running:
            raise _still_running(container)
        await discard(context, container, volumes=volumes, cause=cause)


class _StillRunningError(ConflictError):
    """It has to end first."""


def _still_running(container: Container) -> _StillRunningError:
    record = container.record
    what = (
        "paused and must be unpaused first"
        if record.status is Status.PAUSED
        else f"{record.status}: stop the container before removing or force remove"
    )
    return _StillRunningError(f'cannot remove container "/{record.name}": container is {what}')
