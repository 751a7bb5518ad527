"""/dev/shm of containers that share it: a tmpfs on the host, as long as its owner runs.

A private one is mounted by the container itself and needs nothing here. ``shareable`` cannot do
so, because another container could not reach a mount inside the first one's mount namespace. ::

    <exec-root>/shm/<id>/      mounted before the owner's start, unmounted after its end
"""

import contextlib
import os

from boxship.engine.containers.checks.modes import joined_container
from boxship.engine.containers.paths import Paths
from boxship.engine.containers.record import ContainerRecord
from boxship.kernel.mounts import mount, umount2

_HOST_SHM = "/dev/shm"
_MNT_DETACH = 2
_NOSUID_NODEV_NOEXEC = 2 | 4 | 8


def shm_directory(record: ContainerRecord, paths: Paths) -> str:
    """Return the host directory to show as /dev/shm; empty: a tmpfs of the container's own."""
    mode = record.host.ipc_mode
    if mode == "host":
        return _HOST_SHM
    if mode == "shareable":
        return _place(paths, record.id)
    other = joined_container(mode)
    return _place(paths, other) if other else ""


def mount_shm(record: ContainerRecord, paths: Paths, owner: tuple[int, int]) -> None:
    """Mount what others may share, for the host's ``owner``; before the start."""
    if record.host.ipc_mode != "shareable":
        return
    place = _place(paths, record.id)
    os.makedirs(place, 0o700, exist_ok=True)
    if not os.path.ismount(place):
        uid, gid = owner
        options = f"mode=1777,size={record.host.shm_size},uid={uid},gid={gid}"
        mount("shm", place, "tmpfs", _NOSUID_NODEV_NOEXEC, options)


def unmount_shm(record: ContainerRecord, paths: Paths) -> None:
    """Undo it; those that still share it keep it until they end."""
    if record.host.ipc_mode == "shareable":
        discard(_place(paths, record.id))


def discard(place: str) -> None:
    """Unmount and remove one of the directories, whatever state it is in."""
    with contextlib.suppress(OSError):
        umount2(place, _MNT_DETACH)
    with contextlib.suppress(OSError):
        os.rmdir(place)


def _place(paths: Paths, container_id: str) -> str:
    return f"{paths.shared_memory}/{container_id}"
