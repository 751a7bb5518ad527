"""Connect a container to a network, and disconnect it, whether it runs or not.

One that does not run has only its record changed. Of one that runs the record is committed first
and the kernel follows: a daemon that is killed in between has a successor that finishes it.
"""

import msgspec

from boxship.base.errors import (
    ConflictError,
    ForbiddenError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from boxship.engine.containers import egresschecks, hosts, identity, networking, portclaims
from boxship.engine.containers.checks.modes import joined_container
from boxship.engine.containers.context import Context
from boxship.engine.containers.endpoints import PRIVATE, SHARES
from boxship.engine.containers.live import Container, locked
from boxship.engine.containers.record import ContainerRecord, Status
from boxship.engine.networks import leasing
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.record import HOST, NONE, NetworkRecord

_NOT_HOST = "container cannot be disconnected from host network or connected to host network"


async def connect(context: Context, container: Container, wish: EndpointRecord) -> None:
    """Connect it. See :meth:`ContainerService.connect` for the errors."""
    async with locked(container):
        record = container.record
        _check_stays(record)
        network = context.networks.find(wish.network)
        _check_connect(record, network)
        wish = context.networks.check_wish(wish)
        egresschecks.check_kept(context, record.host, (wish,))
        others = tuple(e for e in record.endpoints if not _is_on(e, network))
        if not record.state.alive:
            after = msgspec.structs.replace(record, endpoints=(*others, wish))
            await context.shelf.save_durable(container, after, "connect")
            return
        if len(others) != len(record.endpoints):
            raise ForbiddenError(
                f"endpoint with name {record.name} already exists in network {network.name}"
            )
        await _plug_in(context, container, wish)


async def _plug_in(context: Context, container: Container, wish: EndpointRecord) -> None:
    before = container.record
    tenant = networking.tenant(before)
    leased = await leasing.lease(context.plugging, (*before.endpoints, wish), tenant)
    new = leased[-1]
    try:
        leased = await leasing.join(context.plugging, leased, tenant)
        new = leased[-1]
        after = msgspec.structs.replace(before, endpoints=leased)
        after = portclaims.follow(context, before, after)
        await networking.recorded(context.shelf.save(container, after, "connect"))
        await context.plugging.connect(networking.plug_of(context, after), _pid(after))
    except BaseException:
        portclaims.revert(context, before)
        context.plugging.release((new,))
        context.shelf.save(container, before, "")
        raise
    identity.change_hosts(context, after, add=hosts.own_lines(after.config, (new,)))
    identity.change_resolver(context, before, after)
    context.networks.announce("connect", new, networking.tenant(after))
    networking.tell_linked(context, after)


async def disconnect(context: Context, container: Container, reference: str) -> None:
    """Disconnect it. See :meth:`ContainerService.disconnect` for the errors."""
    async with locked(container):
        record = container.record
        _check_stays(record)
        endpoint = _endpoint_on(context, record, reference)
        if HOST in (record.host.network_mode, endpoint.network):
            raise InvalidArgumentError(_NOT_HOST)
        kept = tuple(e for e in record.endpoints if e is not endpoint)
        after = msgspec.structs.replace(record, endpoints=kept)
        if not record.state.alive:
            await context.shelf.save_durable(container, after, "disconnect")
            return
        await _pull_out(context, container, after, endpoint)


async def _pull_out(
    context: Context, container: Container, after: ContainerRecord, endpoint: EndpointRecord
) -> None:
    before = container.record
    try:
        after = portclaims.follow(context, before, after)
        await networking.recorded(context.shelf.save(container, after, "disconnect"))
        await context.plugging.disconnect(networking.plug_of(context, after), _pid(before))
    except BaseException:
        portclaims.revert(context, before)
        context.shelf.save(container, before, "")
        raise
    lines = hosts.own_lines(after.config, (endpoint,))
    identity.change_hosts(context, after, remove=lines)
    context.networks.announce("disconnect", endpoint, networking.tenant(after))
    networking.tell_linked(context, after)


def _check_stays(record: ContainerRecord) -> None:
    if record.status in (Status.REMOVING, Status.DEAD):
        raise ConflictError(
            f"Container {record.id} is marked for removal and cannot be connected or disconnected "
            "to the network"
        )


def _check_connect(record: ContainerRecord, network: NetworkRecord) -> None:
    """Raise InvalidArgumentError for networks that no others go with, and their containers."""
    mode = record.host.network_mode
    if network.name == HOST:
        raise InvalidArgumentError(_NOT_HOST)
    if mode == HOST or joined_container(mode) is not None:
        raise InvalidArgumentError(SHARES)
    names = {endpoint.network for endpoint in record.endpoints}
    if NONE in names or (network.name == NONE and names):
        raise InvalidArgumentError(PRIVATE)


def _endpoint_on(context: Context, record: ContainerRecord, reference: str) -> EndpointRecord:
    """Return the endpoint on a network, also on one that has been removed since.

    NotFoundError: no such network; InternalError: the container is not on it.
    """
    try:
        network = context.networks.find(reference)
    except NotFoundError:
        for endpoint in record.endpoints:
            if reference in (endpoint.network, endpoint.network_id):
                return endpoint
        raise
    for endpoint in record.endpoints:
        if _is_on(endpoint, network):
            return endpoint
    raise InternalError(f"container {record.id} is not connected to network {network.name}")


def _is_on(endpoint: EndpointRecord, network: NetworkRecord) -> bool:
    if endpoint.network_id:
        return endpoint.network_id == network.id
    return endpoint.network in (network.name, network.id)


def _pid(record: ContainerRecord) -> int:
    if not record.state.pid:
        raise UnavailableError(f"container {record.id} does not answer: try again")
    return record.state.pid
