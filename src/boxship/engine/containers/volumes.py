"""The joint of containers and volumes: what a container has mounted besides its own binds.

Of what asks for the same place, the first in this list gets it::

    binds and mounts of the request
    --volumes-from, the last container first
    volumes that the request or its image declares: anonymous ones

A volume stays as long as a container's record names it; while a container is being made, the claim
keeps it (``engine/volumes/service.py``).
"""

import posixpath
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import msgspec
from msgspec import UNSET

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.engine.containers import mounts, viewed
from boxship.engine.containers.context import Context
from boxship.engine.containers.record import ContainerRecord, MountPoint
from boxship.engine.volumes.record import LOCAL
from boxship.engine.volumes.requests import CreateVolume, VolumeView
from boxship.model.container import ContainerConfig, HostConfig, Mount, VolumeOptions

_INHERITED_MODES = frozenset({"ro", "rw", "z", "Z"})


def ids(record: ContainerRecord) -> tuple[str, ...]:
    """Return the ids of a container's volumes."""
    return tuple(dict.fromkeys(point.volume_id for point in record.mounts if point.volume_id))


def staying(record: ContainerRecord) -> tuple[str, ...]:
    """Return the ids of the volumes that a container needs: not those that go with it just now.

    Of two that share one and are removed at once, neither leaves it to the other.
    """
    if not record.state.volumes_too:
        return ids(record)
    wanted = (point for point in record.mounts if point.volume_id and not point.anonymous)
    return tuple(dict.fromkeys(point.volume_id for point in wanted))


def points(
    context: Context, own: Iterable[MountPoint], config: ContainerConfig, host: HostConfig
) -> tuple[MountPoint, ...]:
    """Return everything to be mounted; volumes of the request have no id yet.

    InvalidArgumentError: about ``volumes_from`` and declared volumes.
    """
    found = {point.destination: point for point in own}
    tmpfs = host.tmpfs if host.tmpfs is not UNSET else None
    taken = {*found, *map(posixpath.normpath, tmpfs or ())}
    for spec in reversed(host.volumes_from or ()):
        for point in _inherited(context, spec):
            if point.destination not in taken:
                found[point.destination] = point
        taken |= found.keys()
    for path in config.volumes or ():
        target = mounts.checked_target(path if path.startswith("/") else f"/{path}", "")
        if target not in taken:
            found[target] = MountPoint("volume", target, driver=LOCAL, anonymous=True, copy=True)
    return tuple(found.values())


def _inherited(context: Context, spec: str) -> list[MountPoint]:
    reference, _, mode = spec.partition(":")
    if mode and mode not in _INHERITED_MODES:
        raise InvalidArgumentError(f"invalid mode: {mode}")
    if not spec:
        raise InvalidArgumentError("volumes-from specification cannot be an empty string")
    try:
        record = context.shelf.find(reference).record
    except NotFoundError as error:
        # Docker's client takes a creation's "not found" for the image's, and pulls it.
        raise InvalidArgumentError(str(error)) from error
    return [
        msgspec.structs.replace(
            point, mode=mode, read_write=point.read_write and mode != "ro", copy=False
        )
        for point in record.mounts
    ]


@asynccontextmanager
async def claimed(
    context: Context, wanted: tuple[MountPoint, ...], host: HostConfig
) -> AsyncIterator[tuple[MountPoint, ...]]:
    """Have the volumes of mount points made; the points come back with what they are."""
    fresh = [point for point in wanted if point.type == "volume" and not point.volume_id]
    known = [point.volume_id for point in wanted if point.volume_id]
    if not fresh and not known:
        yield wanted
        return
    wishes = [_wish(point, host) for point in fresh]
    async with _held(context, known), context.volumes.claimed(wishes) as views:
        made = {
            point.destination: _of(point, view) for point, view in zip(fresh, views, strict=True)
        }
        yield tuple(made.get(point.destination, point) for point in wanted)


@asynccontextmanager
async def _held(context: Context, inherited: Collection[str]) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        if inherited:
            try:
                await stack.enter_async_context(context.volumes.held(inherited))
            except NotFoundError as error:  # as in :func:`_inherited`
                raise InvalidArgumentError(
                    f"volumes-from: the container is being removed: {error}"
                ) from error
        yield


def _of(point: MountPoint, view: VolumeView) -> MountPoint:
    """Return the mount point of a volume that there is; of a snapshot nothing can be written."""
    writable = not view.record.read_only
    return msgspec.structs.replace(
        point,
        name=view.record.name,
        source=view.mountpoint,
        driver=view.record.driver,
        volume_id=view.record.id,
        read_write=point.read_write and writable,
        copy=point.copy and writable,
    )


def _wish(point: MountPoint, host: HostConfig) -> CreateVolume:
    """Return what is asked of a volume where there is none of that name."""
    options = _options_at(point.destination, host)
    driver = options.driver_config if options else None
    return CreateVolume(
        name=point.name,
        driver=(driver.name if driver else "") or host.volume_driver,
        labels=options.labels if options else None,
        options=driver.options if driver else None,
    )


def _options_at(target: str, host: HostConfig) -> VolumeOptions | None:
    given: tuple[Mount, ...] = (host.mounts or ()) if host.mounts is not UNSET else ()
    for mount in given:
        if mount.type == "volume" and mounts.checked_target(mount.target, "") == target:
            return mount.volume_options
    return None


async def fill(context: Context, record: ContainerRecord) -> None:
    """Give empty volumes what the image has in their places; the snapshot is there.

    InvalidArgumentError: the image has a file there.
    """
    wanted = [point for point in record.mounts if point.copy]
    if not wanted:
        return
    volume_ids = [point.volume_id for point in wanted]
    with context.volumes.kept(volume_ids):
        await context.volumes.mounts.ready(volume_ids)
        with await viewed.made(partial(viewed.bare, context, record)) as view:
            for point in wanted:
                await context.volumes.mounts.fill(point.volume_id, view.root, point.destination)
    await context.volumes.mounts.unneeded(volume_ids)


def renamed(record: ContainerRecord, volume_id: str, old: str, new: str) -> ContainerRecord:
    """Return a record with the new name of a volume, also in what was asked for.

    Who makes a container anew from that would get an empty volume of the old name.
    """
    host = record.host
    binds = tuple(_rebound(text, old, new) for text in host.binds or ())
    own = (host.mounts or ()) if host.mounts is not UNSET else ()
    wanted = tuple(
        msgspec.structs.replace(mount, source=new)
        if mount.type == "volume" and mount.source == old
        else mount
        for mount in own
    )
    changed = msgspec.structs.replace(
        host, binds=binds or host.binds, mounts=wanted if own else host.mounts
    )
    points = tuple(
        msgspec.structs.replace(point, name=new, anonymous=False)
        if point.volume_id == volume_id
        else point
        for point in record.mounts
    )
    return msgspec.structs.replace(record, host=changed, mounts=points)


def _rebound(text: str, old: str, new: str) -> str:
    source, colon, rest = text.partition(":")
    return f"{new}:{rest}" if colon and source == old else text


def catch_up(context: Context) -> None:
    """At start-up: a daemon that was killed may have renamed a volume, and told not everybody."""
    names = {view.record.id: view.record.name for view in context.volumes.list()}
    for container in context.shelf:
        record = container.record
        for point in record.mounts:
            name = names.get(point.volume_id, point.name)
            if name != point.name:
                record = renamed(record, point.volume_id, point.name, name)
        if record is not container.record:
            context.shelf.save(container, record, "")


def announce_mounts(context: Context, record: ContainerRecord) -> None:
    """Say that the volumes of a container that is about to run are mounted."""
    for point in record.mounts:
        if point.volume_id:
            attributes = {
                "container": record.id,
                "destination": point.destination,
                "propagation": point.propagation,
                "read/write": "true" if point.read_write else "false",
            }
            context.volumes.announce("mount", point.volume_id, attributes)


async def let_go(context: Context, record: ContainerRecord) -> None:
    """A container has ended: its volumes are unmounted where it was the last."""
    for point in record.mounts:
        if point.volume_id:
            context.volumes.announce("unmount", point.volume_id, {"container": record.id})
    await context.volumes.mounts.unneeded(ids(record))


async def remove_anonymous(context: Context, record: ContainerRecord) -> None:
    """Remove those of a container's volumes that have no name; its own record goes next.

    In this order, because a daemon that is killed in between finds the record, in which it stands
    that they were to go, and finishes. UnavailableError: the disk refuses some.
    """
    anonymous = [point.volume_id for point in record.mounts if point.anonymous]
    keep = not record.host.auto_remove
    await context.volumes.remove_anonymous(anonymous, record.id, keep=keep)
