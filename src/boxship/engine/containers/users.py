"""Which user namespace a container is in, and whom its files belong to on the host.

Layers and what containers write keep the owners that images have, 0 and up; maps decide about how
they are shown, at each start. So nothing on disk depends on the mode, and it may change.
"""

import os

from boxship.base.errors import ConflictError
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.settings import EngineSettings, UserMaps
from boxship.model.container import HostConfig
from boxship.oci.runtime import IdMapping

_HOST = (0, 0)


def maps_of(host: HostConfig, settings: EngineSettings) -> UserMaps | None:
    """Return a container's maps; None: it is in the host's user namespace."""
    return None if host.userns_mode == "host" else settings.user_maps


def root_of(record: ContainerRecord, settings: EngineSettings) -> tuple[int, int]:
    """Return the host's user and group ids of the container's root."""
    maps = maps_of(record.host, settings)
    return _HOST if maps is None else maps.root


def shared_namespace(pids: tuple[int, ...], maps: UserMaps | None) -> int:
    """Return of the containers whose namespaces are shared one, whose users are shared too; or 0.

    Only who is root over a namespace can make use of it. ConflictError: that is somebody else.
    """
    if maps is None or not pids:
        return 0
    found = {os.stat(f"/proc/{pid}/ns/user").st_ino for pid in pids}
    if len(found) > 1:
        raise ConflictError(
            "cannot share namespaces of containers that have different user namespaces"
        )
    if os.stat("/proc/self/ns/user").st_ino in found:
        raise ConflictError(
            "cannot share a namespace of a container that is in the host's user namespace: "
            "that needs --userns=host"
        )
    if _maps_at(pids[0]) != maps:
        raise ConflictError(
            "cannot share a namespace of a container whose users are mapped in another way; "
            "it was started before the daemon's userns-remap was changed"
        )
    return pids[0]


def _maps_at(pid: int) -> UserMaps:
    return UserMaps(_read(f"/proc/{pid}/uid_map"), _read(f"/proc/{pid}/gid_map"))


def _read(path: str) -> tuple[IdMapping, ...]:
    with open(path, encoding="ascii") as file:
        return tuple(IdMapping(*map(int, line.split())) for line in file)
