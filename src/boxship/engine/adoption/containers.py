"""Containers: as any others are made, but with a past, and with the files that they had.

::

    archive unpacked in tmp → checks → volumes claimed → snapshot, directory → on the disk → record

The record is the commit point. What is unpacked goes if it does not come that far.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from boxship.base.errors import BoxshipError, ConflictError, InvalidArgumentError, UnavailableError
from boxship.engine.adoption.logs import put_logs
from boxship.engine.containers import create, imagemounts, names, volumes
from boxship.engine.containers.checks import request as checks
from boxship.engine.containers.checks import support
from boxship.engine.containers.checks.modes import joined_container
from boxship.engine.containers.checks.refusals import size_limit
from boxship.engine.containers.context import Context, FoundImage
from boxship.engine.containers.facts import Fact
from boxship.engine.containers.live import Container
from boxship.engine.containers.logconfig import log_place
from boxship.engine.containers.record import ContainerRecord, ContainerState, MountPoint, Status
from boxship.engine.containers.requests import CreateContainer
from boxship.engine.images.bridge import consume, in_thread, to_the_end
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.volumes.record import LOCAL
from boxship.model.adoption import (
    CONTAINER,
    FILES,
    LOGS,
    Adopted,
    AdoptedContainer,
    AdoptedEndpoint,
    AdoptedMount,
    AdoptedState,
)
from boxship.model.container import ContainerConfig, HostConfig
from boxship.model.requester import Requester
from boxship.oci.digest import Digest
from boxship.storage.arrival import unpack_arrival
from boxship.storage.deleting import delete_tree
from boxship.storage.storage import Storage

_ID_DIGITS = 64


async def adopt(
    context: Context, storage: Storage, archive: AsyncIterator[bytes], by: Requester
) -> Adopted:
    """See :meth:`Adoption.container`."""
    async with _unpacked(storage, archive) as place:
        wanted = await asyncio.to_thread(_read, place)
        if any(container.id == wanted.id for container in context.shelf):
            return Adopted(wanted.id, already=True)
        name = names.checked(wanted.name)
        context.shelf.reserve(name, wanted.id)
        try:
            return await to_the_end(_adopt(context, storage, wanted, place, by))
        except Exception:
            context.shelf.release(name, wanted.id)
            raise


@asynccontextmanager
async def _unpacked(storage: Storage, archive: AsyncIterator[bytes]) -> AsyncIterator[str]:
    place = storage.root.new_temporary()
    try:
        yield await consume(archive, lambda chunks: unpack_arrival(place, chunks, storage.rights))
    except OSError as error:
        raise UnavailableError(f"the container's files cannot be kept: {error}") from error
    finally:
        await to_the_end(asyncio.to_thread(delete_tree, place))


def _read(place: str) -> AdoptedContainer:
    try:
        with open(os.path.join(place, CONTAINER), "rb", opener=_no_links) as file:
            wanted = msgspec.json.decode(file.read(), type=AdoptedContainer)
    except (OSError, msgspec.MsgspecError) as error:
        raise InvalidArgumentError(f"{CONTAINER} of the archive cannot be read: {error}") from error
    if len(wanted.id) != _ID_DIGITS or not set(wanted.id) <= set("0123456789abcdef"):
        raise InvalidArgumentError(f"{wanted.id!r} is no container's id: it is 64 digits, in hex")
    if not os.path.isdir(os.path.join(place, FILES)):
        raise InvalidArgumentError(f"the archive has no directory {FILES}")
    return wanted


def _no_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)


async def _adopt(
    context: Context, storage: Storage, wanted: AdoptedContainer, place: str, by: Requester
) -> Adopted:
    possible, warnings = support.discard(wanted.host_config, context.machine)
    warnings += checks.check(_as_asked(wanted.config, possible), possible, context.machine)
    context.runtimes.program(possible.runtime or context.runtimes.default)
    request = CreateContainer(
        wanted.config, possible, endpoints=tuple(map(_endpoint, wanted.endpoints)), by=by
    )
    points = _points(context, await create.resolved(context, possible), wanted.mounts)
    with (
        context.images.hold(wanted.image) as image,
        imagemounts.held(context, points) as found,
    ):
        async with volumes.claimed(context, found, possible) as claimed:
            record = _record(context, request, image, wanted, claimed)
            await _commit(context, storage, Container(record), place, by)
    context.announcer.say(record, "create")
    return Adopted(record.id, warnings=tuple(warnings))


def _as_asked(config: ContainerConfig, host: HostConfig) -> ContainerConfig:
    """Return what a person may have asked for: without names that the engine itself filled in.

    Docker gives a container that shares another's network, or the host's name, that one's name, and
    refuses to be asked for one.
    """
    if joined_container(host.network_mode) is None and host.uts_mode != "host":
        return config
    return msgspec.structs.replace(config, hostname="", domainname="", exposed_ports=msgspec.UNSET)


def _endpoint(wanted: AdoptedEndpoint) -> EndpointRecord:
    return EndpointRecord(
        network_id="",
        network=wanted.network,
        aliases=wanted.aliases,
        links=wanted.links,
        driver_opts=wanted.driver_opts,
        mac_asked=wanted.mac_address,
        ipv4_asked=wanted.ipv4_address,
        ipv6_asked=wanted.ipv6_address,
        link_local=wanted.link_local_ips,
    )


def _points(
    context: Context, own: tuple[MountPoint, ...], mounts: tuple[AdoptedMount, ...]
) -> tuple[MountPoint, ...]:
    """Return everything to be mounted; its volumes are those that it had, and are not filled."""
    found = {point.destination: msgspec.structs.replace(point, copy=False) for point in own}
    for mount in mounts:
        if mount.type == "volume":
            found[mount.destination] = _volume(context, found.get(mount.destination), mount)
        elif mount.type == "bind":
            found.setdefault(mount.destination, _bind(mount))
        else:
            raise InvalidArgumentError(f"{mount.destination}: a {mount.type} is not taken over")
    return tuple(found.values())


def _volume(context: Context, own: MountPoint | None, mount: AdoptedMount) -> MountPoint:
    record = context.volumes.inspect(mount.name).record  # NotFoundError: make no empty one
    if mount.source and record.taken_from != mount.source:
        raise ConflictError(
            f"its volume {mount.name} is not here: the one that has this name is another"
        )
    if own is not None:
        return msgspec.structs.replace(own, name=record.name)
    nameless = record.anonymous or len(record.name) == _ID_DIGITS
    return MountPoint(
        "volume",
        mount.destination,
        mode=mount.mode,
        read_write=mount.read_write,
        name=record.name,
        driver=LOCAL,
        anonymous=nameless,
    )


def _bind(mount: AdoptedMount) -> MountPoint:
    return MountPoint(
        "bind",
        mount.destination,
        mount.source,
        mode=mount.mode,
        read_write=mount.read_write,
        propagation=mount.propagation or "rprivate",
        options=("rbind",),
    )


def _record(
    context: Context,
    request: CreateContainer,
    image: FoundImage,
    wanted: AdoptedContainer,
    points: tuple[MountPoint, ...],
) -> ContainerRecord:
    identity = (wanted.id, wanted.name)
    record = create.record_of(context, request, image, identity=identity, points=points)
    return msgspec.structs.replace(
        record,
        created_ns=wanted.created_ns,
        path=wanted.path,
        args=wanted.args,
        state=_state(wanted.state),
    )


def _state(past: AdoptedState) -> ContainerState:
    return ContainerState(
        status=Status.EXITED if past.started_ns else Status.CREATED,
        exit_code=past.exit_code,
        error=past.error,
        oom_killed=past.oom_killed,
        started_ns=past.started_ns,
        finished_ns=past.finished_ns,
        restart_count=past.restart_count,
        stopped_by_user=past.stopped_by_user,
    )


async def _commit(
    context: Context, storage: Storage, container: Container, place: str, by: Requester
) -> None:
    record = container.record
    directory = context.paths.of(record.id).directory
    try:
        await in_thread(lambda: _furnish(context, storage, record, place))
        fact = Fact(by=by, name=record.name)
        await context.shelf.add(container, durable=True, fact=fact)
    except Exception as error:
        context.snapshots.remove(record.id)
        context.throw_away(directory)
        if isinstance(error, OSError) and not isinstance(error, BoxshipError):
            raise UnavailableError(f"cannot keep the container's files: {error}") from error
        raise


def _furnish(context: Context, storage: Storage, record: ContainerRecord, place: str) -> None:
    """Put snapshot and logs into their places, and wait until they are on the disk."""
    files = context.paths.of(record.id)
    os.mkdir(files.directory, 0o710)
    layers = tuple(map(Digest.parse, record.layers))
    context.snapshots.prepare(record.id, layers)
    context.snapshots.take_over(record.id, os.path.join(place, FILES))
    if size := size_limit(record.host):
        context.snapshots.limit(record.id, size)
    put_logs(os.path.join(place, LOGS), log_place(record, context.paths))
    storage.root.sync()
