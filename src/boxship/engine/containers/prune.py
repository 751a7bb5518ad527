"""Remove the containers that do not run, one after the other, as ``rm`` without force would.

One that somebody starts or removes meanwhile is left to them.
"""

import asyncio

from boxship.base.errors import BoxshipError, ConflictError, NotFoundError
from boxship.engine.containers import explain, remove
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.requests import ContainerPrune, PrunedContainers


async def prune(context: Context, wanted: ContainerPrune) -> PrunedContainers:
    """Do it. ConflictError while another one is at it."""
    if context.pruning.locked():
        raise ConflictError("a prune operation is already running")
    async with context.pruning:
        ids: list[str] = []
        reclaimed = 0
        for container in [each for each in context.shelf if _is_wanted(each.record, wanted)]:
            freed = await _remove(context, container)
            if freed is not None:
                ids.append(container.id)
                reclaimed += freed
    if context.trash.is_on:
        reclaimed = 0
    context.announcer.pruned(reclaimed)
    return PrunedContainers(tuple(ids), reclaimed)


async def plan(context: Context, wanted: ContainerPrune) -> PrunedContainers:
    """Say what :func:`prune` would remove now."""
    found = [each.record for each in context.shelf if _is_wanted(each.record, wanted)]
    sizes = await asyncio.to_thread(lambda: [explain.written(context, each) for each in found])
    return PrunedContainers(tuple(record.id for record in found), sum(sizes))


def _is_wanted(record: ContainerRecord, wanted: ContainerPrune) -> bool:
    if record.state.running:
        return False
    if wanted.until_ns is not None and record.created_ns > wanted.until_ns:
        return False
    return wanted.labels.admits(record.config.labels or {})


async def _remove(context: Context, container: Container) -> int | None:
    """Return the bytes that came free, or None if it stays."""
    written = await asyncio.to_thread(explain.written, context, container.record)
    try:
        await remove.remove(context, container, force=False, volumes=False, link=False)
    except (ConflictError, NotFoundError):
        return None
    except BoxshipError:
        return None  # it is marked as dead and told so in the list
    return written
