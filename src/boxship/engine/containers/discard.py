"""Make a container that does not run disappear.

Usually it is marked, everything is undone, and the record is deleted last: whoever is told that it
is gone finds nothing of it. Killed in between, the daemon finds the mark at start-up and finishes.

One that removes itself is in a hurry and has nobody to report trouble to. Its record goes first;
the directories, garbage from then on, follow at once, or else at start-up.
"""

import asyncio
import contextlib
import shutil

from boxship.base.errors import UnavailableError
from boxship.engine.containers import states
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.record import Status
from boxship.engine.containers.requests import WaitOutcome


async def discard(context: Context, container: Container) -> None:
    """Remove one that does not run; the lock is held. UnavailableError: something is in the way."""
    record = container.record
    container.drop_pending()
    if record.host.auto_remove:
        await context.shelf.delete(container, durable=False)
        context.background.chore(asyncio.to_thread(_undo, context, container))
    else:
        await _remove_durably(context, container)
    container.gone.set()
    for exec_id in container.execs:
        context.execs.pop(exec_id, None)
    context.announcer.say(record, "destroy")
    container.waiters.removed(WaitOutcome(record.state.exit_code))


async def _remove_durably(context: Context, container: Container) -> None:
    record = container.record
    if record.status is not Status.REMOVING:
        removing = states.step(record, states.with_status(record.state, Status.REMOVING))
        await context.shelf.save_durable(container, removing, "")
    try:
        await asyncio.to_thread(_undo, context, container)
    except OSError as error:
        dead = states.with_status(container.record.state, Status.DEAD)
        context.shelf.save(container, states.step(container.record, dead), "dead")
        raise UnavailableError(f"container {record.id} cannot be removed: {error}") from error
    await context.shelf.delete(container, durable=True)


def _undo(context: Context, container: Container) -> None:
    context.snapshots.remove(container.id)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(context.paths.of(container.id).directory)
