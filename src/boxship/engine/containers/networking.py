"""The joint of containers and networks: what a start, an end and a change of name do to plugs.

::

    leased    addresses, names of interfaces and ports are in the record, and the record is handed
              to the writer; nobody else gets them any more
    plugged   interfaces, firewall and names are there, the record is committed: now the shim
    cleared   the record says nothing of it any more; what it had is free

A daemon that is killed leaves the record of the first step at least, so its successor knows what
belongs to whom. Errors of the networks undo everything before they are raised.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec

from boxship.base.errors import UnavailableError
from boxship.engine.containers import egresschecks, endpoints, identity, linking, portclaims
from boxship.engine.containers.checks.modes import joined_container
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.networks import leasing
from boxship.engine.networks.egress import words_of as egress_words
from boxship.engine.networks.plug import Plug
from boxship.engine.networks.plugging import Running
from boxship.engine.networks.portwishes import wishes_of
from boxship.engine.networks.requests import Tenant
from boxship.engine.networks.wiring import Socket

_RECORD_PATIENCE = 5.0
"""Seconds; the shelf goes on trying, but nobody should be given what might be forgotten."""


def tenant(record: ContainerRecord) -> Tenant:
    """Return whom networks have to do with."""
    return Tenant(record.id, record.name)


def plug_of(context: Context, record: ContainerRecord) -> Plug:
    """Return the container as its networks see it."""
    return Plug(
        tenant=tenant(record),
        endpoints=record.endpoints,
        ports=record.ports,
        egress=egress_words(record.host),
        hostname=record.config.hostname,
        upstreams=identity.upstreams(record, context.settings),
        links=linking.links_of(context.shelf, record),
    )


# ── a start and an end ───────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def plugged(context: Context, container: Container) -> AsyncIterator[Socket | None]:
    """Have a container's networks ready for the body, which starts it; the lock is held.

    In the body its record is committed with what it has. An error of the body takes everything
    away again. None: it needs no namespace that is made before. NotFoundError: a network is gone;
    ConflictError: an address or a port is somebody's; UnavailableError: the kernel refuses.
    """
    socket = None
    try:
        socket = await _plug(context, container)
        yield socket
    except BaseException:
        unplug(context, container)
        raise
    finally:
        if socket is not None:
            socket.close()
    tell_linked(context, container.record)


async def _plug(context: Context, container: Container) -> Socket | None:
    if joined_container(container.record.host.network_mode) is not None:
        return None  # what it has is the other's
    linking.check_linked(context.shelf, container.record)
    await _lease(context, container)
    egresschecks.check_kept(context, container.record.host, container.record.endpoints)
    committed = context.shelf.save(container, container.record, "")
    users = context.planner.users_of(container.record, context.shelf)
    socket = await context.plugging.plug(replace(plug_of(context, container.record), users=users))
    try:
        if socket is not None:  # nobody else wants what the others have
            await recorded(committed)
    except BaseException:
        if socket is not None:
            socket.close()
        raise
    for endpoint in container.record.endpoints:
        context.networks.announce("connect", endpoint, tenant(container.record))
    return socket


async def recorded(saved: asyncio.Future[None]) -> None:
    """Wait until a record is committed. UnavailableError: the disk does not take it."""
    await asyncio.wait([saved], timeout=_RECORD_PATIENCE)
    if not saved.done():
        raise UnavailableError(
            "what the container has of its networks cannot be recorded: is the disk full?"
        )
    saved.result()


async def _lease(context: Context, container: Container) -> None:
    """Put addresses and ports into the record, in memory; nothing is waited for but plugins."""
    record = container.record
    settled = tuple(endpoints.settled(context.networks, e) for e in record.endpoints)
    leased = await leasing.lease(context.plugging, settled, tenant(record))
    container.record = msgspec.structs.replace(record, endpoints=leased)
    record = container.record = portclaims.claimed(context, container.record)
    wishes = wishes_of(record.config, record.host)
    joined = await leasing.join(context.plugging, record.endpoints, tenant(record), wishes)
    if joined != record.endpoints:
        container.record = msgspec.structs.replace(record, endpoints=joined)


def cleared(record: ContainerRecord) -> ContainerRecord:
    """Return the record of one that has no part of any network now."""
    unplugged = tuple(endpoint.unplugged() for endpoint in record.endpoints)
    return msgspec.structs.replace(record, endpoints=unplugged, ports=())


def unplug(context: Context, container: Container) -> asyncio.Future[None]:
    """Take back what it has, at once; what is returned is done when the kernel knows it too.

    The record in memory is cleared; committing it is the caller's, together with the next state.
    """
    record = container.record
    container.record = cleared(record)
    context.publications.release(record.id)
    shared = any(
        other.record.state.alive
        and joined_container(other.record.host.network_mode) == container.id
        for other in context.shelf
    )
    return context.plugging.unplug(container.id, record.endpoints, shared=shared)


def announce_end(context: Context, record: ContainerRecord) -> None:
    """Say that a container has left its networks; ``record`` still has its endpoints."""
    for endpoint in record.endpoints:
        if endpoint.plugged:
            context.networks.announce("disconnect", endpoint, tenant(record))


# ── what others are told ─────────────────────────────────────────────────────────────────────


async def renamed(context: Context, container: Container) -> None:
    """Let networks know it by its new name."""
    record = container.record
    context.publications.rename(record.id, record.name)
    if record.state.alive:
        await context.plugging.refresh(plug_of(context, record))
    tell_linked(context, record)


def tell_linked(context: Context, record: ContainerRecord) -> None:
    """Have those who link to a container on the default bridge find it where it is now."""
    for other in linking.who_link_to(context.shelf, record.id):
        wanted = linking.lines(context.shelf, other.record)
        known = {line.partition("\t")[2].split(" ")[0] for line in wanted}
        identity.replace_hosts(context, other.record, wanted, known)


# ── after a daemon that was killed ───────────────────────────────────────────────────────────


def claim(context: Context) -> None:
    """Keep what the records say is somebody's, before anybody can ask for an address."""
    for container in context.shelf:
        record = container.record
        context.plugging.claim(record.endpoints, tenant(record))
        if record.ports:
            portclaims.adopt(context, record, record.ports)


async def recover(context: Context) -> None:
    """Make networks agree with the containers that were found running; the rest has nothing."""
    running = []
    for container in context.shelf:
        record = container.record
        if record.state.alive:
            running.append(Running(plug_of(context, record), record.state.pid))
        elif any(endpoint.plugged for endpoint in record.endpoints):
            unplug(context, container)
            context.shelf.save(container, container.record, "")
    await context.plugging.recover(running)


async def catch_up(context: Context, container: Container) -> None:
    """Complete the networks of one whose process was not known at :func:`recover`."""
    record = container.record
    if record.state.alive and record.state.pid:
        await context.plugging.catch_up(Running(plug_of(context, record), record.state.pid))
