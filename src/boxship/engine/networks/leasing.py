"""Leases and joins of endpoints whose networks plugins have a part in.

Of networks that no plugin has to do with nothing is waited for, and nothing else is done than
:meth:`Plugging.lease` does.
"""

from collections.abc import Iterable, Sequence

import msgspec

from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.plug import named
from boxship.engine.networks.plugging import Plugging
from boxship.engine.networks.portwishes import PortWish
from boxship.engine.networks.record import NetworkRecord
from boxship.engine.networks.requests import Tenant


async def lease(
    plugging: Plugging, endpoints: Iterable[EndpointRecord], tenant: Tenant
) -> tuple[EndpointRecord, ...]:
    """Give endpoints their addresses, those of plugins too: all, or none.

    Errors as of :meth:`Plugging.lease`, and of asking plugins.
    """
    wishes = tuple(endpoints)
    remote = plugging.networks.remote
    asked: list[EndpointRecord] = []
    given: list[tuple[NetworkRecord, EndpointRecord]] = []
    try:
        for wish in wishes:
            record = plugging.networks.find(wish.network_id)
            if wish.plugged or not record.remote_pools:
                asked.append(wish)
                continue
            asked.append(await remote.addressed(record, wish))
            given.append((record, asked[-1]))
        leased = plugging.lease(asked, tenant)
    except BaseException:
        for record, wish in given:
            await remote.release_addresses(record, (wish.ipv4_asked, wish.ipv6_asked))
        raise
    return tuple(
        msgspec.structs.replace(one, ipv4_asked=wish.ipv4_asked, ipv6_asked=wish.ipv6_asked)
        for one, wish in zip(leased, wishes, strict=True)
    ) if given else leased  # fmt: skip


async def join(
    plugging: Plugging,
    endpoints: Iterable[EndpointRecord],
    tenant: Tenant,
    ports: Sequence[PortWish] = (),
) -> tuple[EndpointRecord, ...]:
    """Have network plugins make the leased endpoints that are theirs, all or none.

    ``ports`` are wished for; whether and how they are published is the plugins' business.
    """
    found = list(endpoints)
    networks = plugging.networks
    records = {e.network_id: networks.find(e.network_id) for e in found}
    if not any(record.remote for record in records.values()):
        return tuple(found)
    before = list(found)
    try:
        for index, endpoint in enumerate(found):
            record = records[endpoint.network_id]
            found[index] = await networks.remote.joined(record, endpoint, tenant.id, ports)
    except BaseException:
        for old, new in zip(before, found, strict=True):
            if new is not old:
                networks.remote.left(records[new.network_id], new)
        raise
    return named(found, records)
