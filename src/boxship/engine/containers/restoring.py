"""Containers in the trash: what is kept of one that is removed, and bringing it back.

It comes back as it was when it had ended: it does not run, and does not start by itself.
"""

from collections.abc import Iterable

import msgspec

from boxship.base.errors import ConflictError, NotFoundError
from boxship.engine.containers import names
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.record import (
    ContainerRecord,
    ContainerState,
    Status,
    decode_record,
    encode_record,
)
from boxship.engine.containers.volumes import ids
from boxship.engine.records.trash import TrashBin, TrashItem
from boxship.model.event import EventType


def trashed(trash: TrashBin, record: ContainerRecord) -> TrashItem | None:
    """Return what a container becomes in the trash; None if there is none."""
    if not trash.is_on:
        return None
    body = encode_record(record.with_state(_at_rest(record.state)))
    return trash.item(EventType.CONTAINER, record.id, record.name, body)


def _at_rest(state: ContainerState) -> ContainerState:
    status = Status.EXITED if state.started_ns else Status.CREATED
    return msgspec.structs.replace(
        state, status=status, pid=0, stopped_by_user=True, volumes_too=False
    )


def records(trash: TrashBin) -> Iterable[ContainerRecord]:
    """Return the records of the containers in the trash."""
    return (decode_record(item.body) for item in trash.of(EventType.CONTAINER))


async def restore(context: Context, item: TrashItem, name: str = "") -> ContainerRecord:
    """Bring one back, under another ``name`` if one is given; its volumes are there.

    ConflictError: the name is taken, or a volume of it is gone for good; InvalidArgumentError:
    a bad name.
    """
    record = decode_record(item.body)
    record = msgspec.structs.replace(record, name=names.checked(name) if name else record.name)
    try:
        async with context.volumes.held(ids(record)):
            return await _restore(context, item, record)
    except NotFoundError as error:
        lost = {i for i in ids(record) if not context.volumes.has(i)}
        gone = ", ".join(point.name for point in record.mounts if point.volume_id in lost)
        raise ConflictError(
            f"container {record.name} cannot be restored: its volume {gone} is gone"
        ) from error


async def _restore(context: Context, item: TrashItem, record: ContainerRecord) -> ContainerRecord:
    context.shelf.reserve(record.name, record.id)
    container = Container(record)
    try:
        await context.shelf.add(container, durable=True, also=context.trash.taking(item))
    except BaseException:
        if record.id not in context.shelf:
            context.shelf.release(record.name, record.id)
        raise
    context.trash.taken(item)
    context.announcer.say(record, "restore")
    return record
