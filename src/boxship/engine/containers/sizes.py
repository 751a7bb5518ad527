"""How many bytes containers have written, and with those of their images."""

import asyncio
from collections.abc import Sequence

from boxship.engine.containers import explain
from boxship.engine.containers.context import Context
from boxship.engine.containers.record import ContainerRecord


async def measure(context: Context, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return both sizes by container id, of those that are there.

    What they have written is walked, all of it in one thread: one for each container would cost
    more than most walks.
    """
    records = [context.shelf.find(one).record for one in ids if one in context.shelf]
    below = _below(context, records)
    written = await asyncio.to_thread(lambda: [explain.written(context, one) for one in records])
    return {
        record.id: (own, own + below[record.image_id, record.layers])
        for record, own in zip(records, written, strict=True)
    }


def _below(
    context: Context, records: Sequence[ContainerRecord]
) -> dict[tuple[str, tuple[str, ...]], int]:
    """Return the sizes of what they stand on, which most containers have in common with others."""
    below: dict[tuple[str, tuple[str, ...]], int] = {}
    for record in records:
        key = record.image_id, record.layers
        if key not in below:
            below[key] = sum(layer.size for layer in explain.layers(context, record))
    return below
