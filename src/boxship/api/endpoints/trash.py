"""The trash, which Docker has not: what was removed, bringing it back, and emptying it."""

from boxship.api.call import Call
from boxship.api.http.messages import Answer
from boxship.base.clock import format_ns
from boxship.engine.housekeeping.trash import TrashEntry
from boxship.wire.trash import TrashEmptied, TrashRow


async def list_trash(call: Call) -> Answer:
    return call.json_list([_row(entry) for entry in await call.backend.trash.list()])


async def restore(call: Call) -> Answer:
    return call.json(_row(await call.backend.trash.restore(call.target, call.text("name"))))


async def empty(call: Call) -> Answer:
    """Everything, or each ``id`` that is given."""
    emptied = await call.backend.trash.empty(tuple(call.request.query.get("id", ())))
    return call.json(TrashEmptied(emptied.ids, emptied.reclaimed))


def _row(entry: TrashEntry) -> TrashRow:
    return TrashRow(
        id=entry.id,
        type=entry.kind.value,
        name=entry.name,
        removed=format_ns(entry.removed_ns),
        expires=format_ns(entry.expires_ns),
        size=entry.size,
    )


ROUTES = (
    ("GET", "/system/trash", list_trash),
    ("POST", "/system/trash/empty", empty),
    ("POST", "/system/trash/{id...}/restore", restore),
)
