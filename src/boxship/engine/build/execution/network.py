"""The network of one step: a place on the default bridge, or on another network, while it runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec

from boxship.engine.containers import endpoints, networking
from boxship.engine.containers.context import Context
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.networks import leasing
from boxship.engine.networks.plug import NOTHING_MADE, NamespacePaths
from boxship.engine.networks.wiring import Socket


class Connection:
    """What a step has of its networks; ``record`` has its addresses."""

    def __init__(self, record: ContainerRecord, socket: Socket | None) -> None:
        self.record = record
        self._socket = socket

    @property
    def paths(self) -> NamespacePaths:
        return self._socket.paths if self._socket is not None else NOTHING_MADE

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


@asynccontextmanager
async def connected(context: Context, record: ContainerRecord) -> AsyncIterator[Connection]:
    """Give the step's record its addresses, and have its interfaces ready for the body.

    NotFoundError: no such network; UnavailableError: the kernel refuses. No record of it is kept:
    what a killed daemon leaves ends with the step's processes.
    """
    if not record.endpoints:
        yield Connection(record, None)
        return
    settled = tuple(endpoints.settled(context.networks, each) for each in record.endpoints)
    tenant = networking.tenant(record)
    leased = await leasing.lease(context.plugging, settled, tenant)
    connection = Connection(record, None)
    try:
        leased = await leasing.join(context.plugging, leased, tenant)
        record = msgspec.structs.replace(record, endpoints=leased)
        users = context.planner.users_of(record, context.shelf)
        plug = replace(networking.plug_of(context, record), users=users)
        connection = Connection(record, await context.plugging.plug(plug))
        yield connection
    finally:
        connection.close()
        context.plugging.unplug(record.id, leased)
