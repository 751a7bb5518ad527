"""Make a container that does not run disappear: mark it, undo everything, delete the record last.

Whoever is told that it is gone finds nothing of it. Killed in between, the daemon finds the mark at
start-up and finishes; one that removes itself at its end needs no mark once it has been started,
because it is removed anyway.
"""

import msgspec

from boxship.base.errors import UnavailableError
from boxship.engine.containers import states
from boxship.engine.containers.context import Context
from boxship.engine.containers.facts import NOTHING, Fact
from boxship.engine.containers.live import Container
from boxship.engine.containers.record import Status
from boxship.engine.containers.requests import WaitOutcome
from boxship.engine.containers.restoring import trashed
from boxship.engine.containers.volumes import ids, remove_anonymous


async def discard(
    context: Context, container: Container, *, volumes: bool = False, cause: Fact = NOTHING
) -> None:
    """Remove one that does not run; the lock is held. UnavailableError: something is in the way.

    Its anonymous volumes go with it, if that is asked for or it was to remove itself. It stays,
    dead, while one of them does, so that nobody is told that all is gone; Docker keeps the volume
    and says nothing.
    """
    record = container.record
    durable = not record.host.auto_remove
    volumes = volumes or record.host.auto_remove
    if durable or record.status is Status.CREATED:
        await _mark(context, container, volumes=volumes)
    container.drop_pending()
    kept = None if record.host.auto_remove else trashed(context.trash, record)
    try:
        if kept is None:
            throw_away(context, container.id)
        if volumes:
            await remove_anonymous(context, record)
    except (OSError, UnavailableError) as error:
        dead = states.with_status(container.record.state, Status.DEAD)
        context.shelf.save(container, container.record.with_state(dead), "dead")
        raise UnavailableError(f"container {record.id} cannot be removed: {error}") from error
    fact = msgspec.structs.replace(cause, name=record.name)
    also = context.trash.putting(kept)
    await context.shelf.delete(container, durable=durable, fact=fact, also=also)
    context.trash.put(kept)
    if volumes:
        # Of two that share them and are removed at once, each has left them to the other.
        await remove_anonymous(context, record)
    context.volumes.used(ids(record))
    container.gone.set()
    for exec_id in container.execs:
        context.execs.pop(exec_id, None)
    context.images.used(record.image_id)  # until now; a prune counts from here
    context.announcer.say(record, "destroy")
    container.waiters.removed(WaitOutcome(record.state.exit_code))


async def _mark(context: Context, container: Container, *, volumes: bool) -> None:
    record = container.record
    removing = states.removing(record.state, volumes=volumes)
    if removing != record.state:
        await context.shelf.save_durable(container, states.step(record, removing), "")


def throw_away(context: Context, container_id: str) -> None:
    """Remove a container's files: renames, both; what they hide is deleted in the background."""
    context.snapshots.remove(container_id)
    context.throw_away(context.paths.of(container_id).directory)
