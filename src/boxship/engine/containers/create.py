"""Create a container: check, merge with the image, prepare the directories, commit the record.

The order makes every interruption harmless: the name is reserved in memory, the snapshot and the
container's directory are made under the final id, and the record, committed last, turns them into
a container. What has no record is garbage and removed at start-up.
"""

import asyncio
import os
from dataclasses import replace

import msgspec

from boxship.base import ids
from boxship.base.errors import BoxshipError, InvalidArgumentError, NotFoundError, UnavailableError
from boxship.engine.containers import (
    defaults,
    endpoints,
    imagemounts,
    linking,
    merging,
    mounts,
    names,
    portclaims,
    users,
    volumes,
)
from boxship.engine.containers.checks import request as checks
from boxship.engine.containers.checks import support
from boxship.engine.containers.checks.limits import check_cgroup_parent
from boxship.engine.containers.checks.modes import check_mapped, joined_container
from boxship.engine.containers.checks.options import check_log
from boxship.engine.containers.checks.refusals import size_limit
from boxship.engine.containers.checks.rights import check_writable_cgroups
from boxship.engine.containers.context import Context, FoundImage
from boxship.engine.containers.facts import Fact
from boxship.engine.containers.live import Container
from boxship.engine.containers.logtarget import check_plugin
from boxship.engine.containers.record import ContainerRecord, MountPoint
from boxship.engine.containers.requests import CreateContainer, CreatedContainer
from boxship.model.container import ContainerConfig, HostConfig
from boxship.model.requester import Requester
from boxship.oci import platform
from boxship.oci.platform import Platform


async def create(context: Context, request: CreateContainer) -> CreatedContainer:
    """Make a container. See :meth:`ContainerService.create` for the errors."""
    possible, warnings = support.discard(request.host, context.machine)
    request = replace(request, host=possible)
    warnings += checks.check(request.config, request.host, context.machine)
    context.runtimes.program(request.host.runtime or context.runtimes.default)
    if users.maps_of(request.host, context.settings) is not None:
        check_mapped(request.host)
    check_cgroup_parent(request.host, systemd=context.settings.systemd_cgroups)
    check_writable_cgroups(request.host, unified=context.planner.unified_cgroups)
    own = await resolved(context, request.host)
    if request.shallow_read_only:
        own = mounts.shallow_read_only(own)
    mounts.tmpfs_options(request.host)
    await check_plugin(context, request.host.log_config.type or context.settings.log_config.type)
    if not request.config.image:
        raise InvalidArgumentError("no command specified")
    with context.images.hold(request.config.image, _platform(request)) as image:
        container_id = ids.new_id()
        name = _reserve_name(context, request.name, container_id)
        try:
            asked = request.config.labels or {}
            merged = merging.merge(request.config, image.image.config)
            inherited = tuple(name for name in merged.labels or () if name not in asked)
            request = replace(request, config=merged)
            wanted = volumes.points(context, own, merged, request.host)
            with imagemounts.held(context, wanted) as found:
                async with volumes.claimed(context, found, request.host) as points:
                    identity = (container_id, name)
                    record = record_of(context, request, image, identity=identity, points=points)
                    record = msgspec.structs.replace(record, inherited_labels=inherited)
                    container = Container(record)
                    await _make(context, container, image, request.by)
        except Exception:  # if it was cancelled, the commit is on its way: see ``Shelf.add``
            context.shelf.release(name, container_id)
            raise
    warnings += _network_warnings(context, container.record)
    context.images.used(container.record.image_id)
    context.volumes.used(volumes.ids(container.record))
    context.announcer.say(container.record, "create")
    return CreatedContainer(container_id, tuple(warnings))


async def resolved(context: Context, host: HostConfig) -> tuple[MountPoint, ...]:
    """Return the mount points of a host config. InvalidArgumentError."""
    if mounts.looks_at_host(host):
        return await asyncio.to_thread(mounts.resolve, host, context.settings.data_root)
    return mounts.resolve(host, context.settings.data_root)


def _platform(request: CreateContainer) -> Platform | None:
    try:
        return platform.parse(request.platform) if request.platform else None
    except platform.PlatformError as error:
        raise InvalidArgumentError(str(error)) from None


def _reserve_name(context: Context, asked: str | None, container_id: str) -> str:
    name = names.checked(asked) if asked else names.invent(context.shelf.name_taken)
    context.shelf.reserve(name, container_id)
    return name


def record_of(
    context: Context,
    request: CreateContainer,
    image: FoundImage,
    *,
    identity: tuple[str, str],
    points: tuple[MountPoint, ...],
) -> ContainerRecord:
    """Return the record of a container; the request's config has in it what the image adds.

    InvalidArgumentError: there is no command, or what is asked for does not go together.
    """
    container_id, name = identity
    config = request.config
    host = defaults.fill(
        _with_full_ids(context, request.host),
        context.settings,
        unified_cgroups=context.planner.unified_cgroups,
        runtime=context.runtimes.default,
    )
    check_log(host.log_config)
    command = merging.command(config)
    files = context.paths.of(container_id)
    named_by = context.paths.of(joined_container(host.network_mode) or container_id)
    return ContainerRecord(
        id=container_id,
        name=name,
        created_ns=context.clock.now_ns(),
        image_id=str(image.id),
        path=command[0],
        args=command[1:],
        config=_named(config, host, container_id),
        host=host,
        layers=tuple(str(layer) for layer in image.layers),
        driver=context.snapshots.name,
        log_path=files.log if host.log_config.type == "json-file" else "",
        hostname_path=named_by.hostname,
        hosts_path=named_by.hosts,
        resolv_conf_path=named_by.resolv_conf,
        mounts=points,
        endpoints=endpoints.wanted(context.networks, config, host, request.endpoints),
        links=linking.resolve(context.shelf, host),
    )


def _with_full_ids(context: Context, host: HostConfig) -> HostConfig:
    """Replace names in ``container:X`` by ids, so that a rename changes nothing."""
    changes = {}
    for field in ("network_mode", "pid_mode", "ipc_mode"):
        other = joined_container(getattr(host, field))
        if other is not None:
            found = _found(context, other)
            if field == "ipc_mode" and found.record.host.ipc_mode not in ("shareable", "host"):
                raise InvalidArgumentError(
                    f"cannot join IPC of container {found.id}: non-shareable IPC "
                    "(hint: use IpcMode:shareable for the donor container)"
                )
            changes[field] = f"container:{found.id}"
    return msgspec.structs.replace(host, **changes) if changes else host


def _found(context: Context, reference: str) -> Container:
    try:
        return context.shelf.find(reference)
    except NotFoundError as error:
        # The container asked for isn't the one that is missing: the request is wrong.
        raise InvalidArgumentError(str(error)) from None


def _named(config: ContainerConfig, host: HostConfig, container_id: str) -> ContainerConfig:
    if config.hostname or joined_container(host.network_mode):
        return config
    shares_host = host.network_mode == "host" or host.uts_mode == "host"
    hostname = os.uname().nodename if shares_host else ids.short_id(container_id)
    name, _, domain = hostname.partition(".") if shares_host else (hostname, "", "")
    return msgspec.structs.replace(config, hostname=name, domainname=config.domainname or domain)


async def _make(context: Context, container: Container, image: FoundImage, by: Requester) -> None:
    record = container.record
    try:
        os.mkdir(context.paths.of(record.id).directory, 0o710)
        if context.snapshots.takes_long(image.layers):
            await asyncio.to_thread(context.snapshots.prepare, record.id, image.layers)
        else:
            context.snapshots.prepare(record.id, image.layers)
        if size := size_limit(record.host) or context.settings.container_size:
            context.snapshots.limit(record.id, size)
        await volumes.fill(context, record)
        fact = Fact(by=by, name=record.name)
        await context.shelf.add(container, durable=not record.host.auto_remove, fact=fact)
    except Exception as error:
        context.snapshots.remove(record.id)
        context.throw_away(context.paths.of(record.id).directory)
        if isinstance(error, OSError) and not isinstance(error, BoxshipError):
            raise UnavailableError(f"cannot create the container's directories: {error}") from error
        raise


def _network_warnings(context: Context, record: ContainerRecord) -> list[str]:
    try:
        networks = [
            context.networks.find(end.network_id or end.network) for end in record.endpoints
        ]
    except NotFoundError:
        return []  # what isn't there yet may have anything
    return portclaims.in_vain(networks, record.host)
