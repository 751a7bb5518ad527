"""A container's tree, opened for somebody outside.

Of one that runs it is the tree of its first process. Of one that does not, it is mounted for the
purpose, with its volumes, where nobody else is (``runtime/viewing.py``). What cannot be mounted
then, because a server does not answer or a part of a volume has gone, is missing in its place, and
there alone.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial

from boxship.base.errors import BoxshipError, ConflictError
from boxship.engine.containers.commit import check_readable
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container, locked
from boxship.engine.containers.mountsources import mounted_aside
from boxship.engine.containers.record import ContainerRecord
from boxship.runtime.steps import MountOverlay
from boxship.runtime.viewing import Bind, Missing, View, view_mounted, view_running
from boxship.storage.snapshots import DirectoryMount


@asynccontextmanager
async def viewed(context: Context, container: Container) -> AsyncIterator[View]:
    """Look at a container's tree; it cannot be started meanwhile if it does not run.

    ConflictError: it is being removed, or begins or ends just now.
    """
    check_readable(container, "copy files of")
    state = container.record.state
    if state.alive and state.pid:
        with _running(state.pid, container) as view:
            yield view
        return
    async with locked(container):
        if container.record.state.alive:
            raise ConflictError(f"Container {container.id} was started meanwhile: try again")
        check_readable(container, "copy files of")
        record = container.record
        async with _volumes_opened(context, record) as lost:
            with await made(partial(_mounted, context, record, lost)) as view:
                yield view


@asynccontextmanager
async def _volumes_opened(
    context: Context, record: ContainerRecord
) -> AsyncIterator[Mapping[str, str]]:
    """Have what its volumes' options say mounted; yield why some are not, by the volumes' ids."""
    ids = tuple(dict.fromkeys(point.volume_id for point in record.mounts if point.volume_id))
    lost = {}
    try:
        with context.volumes.kept(ids):
            for volume_id in ids:
                try:
                    await context.volumes.mounts.ready((volume_id,))
                except BoxshipError as error:
                    lost[volume_id] = str(error)
            yield lost
    finally:
        await context.volumes.mounts.unneeded(ids)


async def made(make: Callable[[], View]) -> View:
    """Make a view in a thread. One that nobody waits for any more is closed, and its mounts go."""
    making = asyncio.ensure_future(asyncio.to_thread(make))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        with suppress(Exception), await making:
            pass
        raise


def _running(pid: int, container: Container) -> View:
    try:
        view = view_running(pid)
    except OSError as error:
        raise ConflictError(f"Container {container.id} ended meanwhile: try again") from error
    if container.record.state.pid != pid:
        with view:
            raise ConflictError(f"Container {container.id} ended meanwhile: try again")
    return view


def bare(context: Context, record: ContainerRecord) -> View:
    """Look at a snapshot without what is mounted into the container."""
    place = context.paths.mountpoint
    return view_mounted(_root(context, record), place, (), read_only=True)


def _root(context: Context, record: ContainerRecord) -> MountOverlay | str:
    mount = context.snapshots.mount(record.id)
    if isinstance(mount, DirectoryMount):
        return mount.path
    place = context.paths.mountpoint
    return MountOverlay(mount.cwd, mount.lower, mount.upper, mount.work, place, mount.options)


def _mounted(context: Context, record: ContainerRecord, lost_volumes: Mapping[str, str]) -> View:
    with mounted_aside(record, context.paths, context.snapshots) as (settled, lost):
        lost |= {
            point.destination: lost_volumes[point.volume_id]
            for point in record.mounts
            if point.volume_id in lost_volumes
        }
        files = [
            Bind(source, target)
            for source, target in (
                (record.hostname_path, "/etc/hostname"),
                (record.hosts_path, "/etc/hosts"),
                (record.resolv_conf_path, "/etc/resolv.conf"),
            )
            if source
        ]
        binds = [
            Bind(point.source, point.destination, not point.read_write)
            for point in settled.mounts
            if point.type != "tmpfs" and point.destination not in lost
        ]
        covers = [Missing(target, why) for target, why in lost.items()]
        root, place = _root(context, record), context.paths.mountpoint
        read_only = record.host.readonly_rootfs
        return view_mounted(root, place, [*files, *binds, *covers], read_only=read_only)
