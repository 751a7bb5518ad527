"""What is mounted on the host so that a container can have it: images, and parts of volumes.

A bind names its source by a path, which somebody inside another container may turn into a link
elsewhere before it is walked. So a part of a volume is opened from the volume's root, out of which
no link leads, and mounted at a place nobody else writes to. An image is mounted there as well, its
layers alone and read-only. ::

    <exec-root>/sources/<id>/<n>     the n-th of the record's mounts, as long as the container runs

Any runtime can bind these. A daemon that is killed finds them again; those of containers that do
not run are removed at start-up.
"""

import contextlib
import logging
import os
import stat
import tempfile
from collections.abc import Iterator
from errno import EIO

import msgspec

from boxship.base.errors import BoxshipError, InvalidArgumentError, UnavailableError
from boxship.base.files import opened
from boxship.engine.containers.paths import Paths
from boxship.engine.containers.record import ContainerRecord, MountPoint
from boxship.kernel import mounts as k
from boxship.kernel.paths import RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, openat2
from boxship.oci.digest import Digest
from boxship.storage.snapshots import OverlayMount, SnapshotDriver

_log = logging.getLogger(__name__)
_WHOLE = k.OPEN_TREE_CLONE | k.AT_RECURSIVE | k.AT_EMPTY_PATH
_MOST_OPTIONS = 4095
_ATTRIBUTES = k.MOUNT_ATTR_RDONLY | k.MOUNT_ATTR_NODEV


def needs_source(point: MountPoint) -> bool:
    """Tell whether a mount point's source is made here."""
    return point.type == "image" or bool(point.subpath)


def has_sources(record: ContainerRecord) -> bool:
    """Tell whether there is anything to mount for a container; of most there is not."""
    return any(map(needs_source, record.mounts))


def settled(record: ContainerRecord, paths: Paths) -> ContainerRecord:
    """Return the record with the sources that are made for it."""
    return _settled(record, _place(paths, record.id))


def mount_sources(
    record: ContainerRecord, paths: Paths, snapshots: SnapshotDriver, owners: int = -1
) -> None:
    """Mount what the container needs; before its start. Blocking, for ever where a server is dead.

    ``owners`` is a user namespace as which images show whose their files are; -1: as on the disk.
    InvalidArgumentError: a part is missing, or its path leads out; UnavailableError: the kernel
    cannot stack the layers.
    """
    place = _place(paths, record.id)
    discard(place)
    mount_all(record, place, snapshots, owners)


def unmount_sources(record: ContainerRecord, paths: Paths) -> None:
    """Undo it; the container keeps what it has mounted until it ends."""
    if has_sources(record):
        discard(_place(paths, record.id))


@contextlib.contextmanager
def mounted_aside(
    record: ContainerRecord, paths: Paths, snapshots: SnapshotDriver
) -> Iterator[tuple[ContainerRecord, dict[str, str]]]:
    """Have them for somebody else for a moment, in whatever state the container is.

    With the record come the destinations of those that cannot be had, each with the reason.
    """
    if not has_sources(record):
        yield record, {}
        return
    os.makedirs(paths.sources, 0o700, exist_ok=True)
    place = tempfile.mkdtemp(dir=paths.sources)
    lost = {}
    try:
        for number, point in enumerate(record.mounts):
            try:
                if needs_source(point):
                    _mount(point, f"{place}/{number}", snapshots)
            except BoxshipError as error:
                lost[point.destination] = str(error)
        yield _settled(record, place), lost
    finally:
        discard(place)


def discard(place: str) -> None:
    """Unmount and remove what is in one of the directories, whatever state it is in.

    What the disk does not let go stays until the next daemon looks: no end may wait for it.
    """
    try:
        for name in os.listdir(place):
            clear(f"{place}/{name}")
        os.rmdir(place)
    except FileNotFoundError:
        return
    except OSError as error:
        _log.error("mounted parts of volumes and images stay: %s", error)


def _settled(record: ContainerRecord, place: str) -> ContainerRecord:
    points = tuple(
        msgspec.structs.replace(point, source=f"{place}/{number}") if needs_source(point) else point
        for number, point in enumerate(record.mounts)
    )
    return msgspec.structs.replace(record, mounts=points)


def mount_all(
    record: ContainerRecord, place: str, snapshots: SnapshotDriver, owners: int = -1
) -> None:
    """Mount all in the directory ``place``; on an error what is in there is discarded."""
    os.makedirs(place, 0o700, exist_ok=True)
    try:
        for number, point in enumerate(record.mounts):
            if needs_source(point):
                _mount(point, f"{place}/{number}", snapshots, owners)
    except BaseException:
        discard(place)
        raise


def _mount(point: MountPoint, target: str, snapshots: SnapshotDriver, owners: int = -1) -> None:
    if point.type != "image":
        _mount_part(point, point.source, target)
        return
    os.mkdir(target, 0o700)
    try:
        _mount_view(snapshots.view(tuple(map(Digest.parse, point.layers))), target, owners)
    except OSError as error:
        raise UnavailableError(
            f"image {point.source} cannot be mounted on {point.destination}: {error}"
        ) from error
    if point.subpath:
        _mount_part(point, target, target)


def _mount_part(point: MountPoint, root: str, target: str) -> None:
    """Mount ``point.subpath`` of ``root`` at ``target``, which may be the root itself."""
    tree = _part(point, root)
    try:
        clear(target)
        if stat.S_ISDIR(os.fstat(tree).st_mode):
            os.mkdir(target, 0o700)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        _attach(tree, target)
    finally:
        os.close(tree)


def _part(point: MountPoint, root: str) -> int:
    """Return a detached copy of the mount, from where ``point.subpath`` is."""
    where = f'invalid mount config for type "{point.type}": subpath {point.subpath!r} of '
    resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS
    with opened(root, os.O_PATH | os.O_DIRECTORY) as top:
        try:
            part = openat2(top, point.subpath, os.O_PATH, resolve)
        except OSError as error:
            reason = os.strerror(error.errno or EIO).lower()
            raise InvalidArgumentError(f"{where}{point.name or point.source}: {reason}") from error
    try:
        return k.open_tree(part, "", _WHOLE)
    finally:
        os.close(part)


def _mount_view(view: OverlayMount, target: str, owners: int) -> None:
    with opened(view.cwd, os.O_PATH | os.O_DIRECTORY) as top:
        if len(view.lower) == 1:
            tree = k.open_tree(top, view.lower[0], k.OPEN_TREE_CLONE)
            try:
                if owners >= 0:
                    k.map_owners(tree, owners)
                k.mount_setattr(tree, _ATTRIBUTES)
                _attach(tree, target)
            finally:
                os.close(tree)
        elif owners >= 0:
            _mount_mapped(view, top, target, owners)
        else:
            _mount_stack(view, top, target)


def _mount_mapped(view: OverlayMount, top: int, target: str, owners: int) -> None:
    """Mount it on a mapped copy of what the layers are in: an overlay itself cannot be mapped.

    The copy lies below the overlay, where nobody reaches it. It is private: what is mounted on a
    copy of a shared mount appears on that as well, and would cover the data root.
    """
    tree = k.open_tree(top, "", k.OPEN_TREE_CLONE | k.AT_EMPTY_PATH)
    try:
        k.map_owners(tree, owners)
        k.mount_setattr(tree, 0, propagation=k.MS_PRIVATE)
        _attach(tree, target)
        _mount_stack(view, tree, target)
    finally:
        os.close(tree)


def _mount_stack(view: OverlayMount, top: int, target: str) -> None:
    lower = [f"/proc/self/fd/{top}/{name}" for name in view.lower]
    options = ",".join((f"lowerdir={':'.join(lower)}", *view.options))
    if len(options) <= _MOST_OPTIONS:
        k.mount("overlay", target, "overlay", k.MS_RDONLY | k.MS_NODEV, options)
        return
    by_one = (*(f"lowerdir+={name}" for name in lower), *view.options)
    made = k.new_filesystem("overlay", "overlay", by_one, _ATTRIBUTES)
    try:
        _attach(made, target)
    finally:
        os.close(made)


def _attach(tree: int, target: str) -> None:
    with opened(target, os.O_PATH) as place:
        k.move_mount(tree, place)


def clear(target: str) -> None:
    """Unmount whatever is on ``target``, and remove it; not there is fine."""
    with contextlib.suppress(OSError):
        while True:
            k.umount2(target, k.MNT_DETACH)
    with contextlib.suppress(FileNotFoundError):
        try:
            os.unlink(target)
        except IsADirectoryError:
            os.rmdir(target)


def _place(paths: Paths, container_id: str) -> str:
    return f"{paths.sources}/{container_id}"
