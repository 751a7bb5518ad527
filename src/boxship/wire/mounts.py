"""Mounts in requests, as the client's version means them.

====  ============================================================================================
1.48  mounts of images
1.45  ``VolumeOptions.Subpath``
1.44  ``ReadOnlyForceRecursive``, ``ReadOnlyNonRecursive``
1.42  ``CreateMountpoint`` came; older clients want a missing source to be an error. Options of
      another type of mount were passed over, and are refused since
1.40  ``NonRecursive``
====  ============================================================================================
"""

from collections.abc import Callable

from msgspec import UNSET, UnsetType, structs

from boxship.base.errors import InvalidArgumentError
from boxship.model.container import Mount
from boxship.wire.versions import ApiVersion

Mounts = tuple[Mount, ...] | UnsetType | None


def mounts_of(mounts: Mounts, version: ApiVersion) -> Mounts:
    """Return mounts in the newest version's terms. InvalidArgumentError: they ask for more."""
    changes = [change for since, change in _CHANGES if version < since]
    if not changes or mounts is UNSET or not mounts:
        return mounts
    return tuple(_changed(mount, changes) for mount in mounts)


def _changed(mount: Mount, changes: list[Callable[[Mount], Mount]]) -> Mount:
    for change in changes:
        mount = change(mount)
    return mount


def _without_bind_options(*names: str) -> Callable[[Mount], Mount]:
    def change(mount: Mount) -> Mount:
        if mount.bind_options is None:
            return mount
        options = structs.replace(mount.bind_options, **dict.fromkeys(names, False))
        return structs.replace(mount, bind_options=options)

    return change


def _own_options_only(mount: Mount) -> Mount:
    """Pass over what daemons of then did not look at; other combinations they refused, too."""
    volume = None if mount.type == "tmpfs" else mount.volume_options
    tmpfs = mount.tmpfs_options if mount.type == "tmpfs" else None
    return structs.replace(mount, volume_options=volume, tmpfs_options=tmpfs)


def _without_forced_recursion(mount: Mount) -> Mount:
    """Refuse it instead of ignoring it: whoever asks for it counts on the protection."""
    if mount.type == "bind" and mount.bind_options and mount.bind_options.read_only_force_recursive:
        raise InvalidArgumentError("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer")
    return mount


def _without_subpath(mount: Mount) -> Mount:
    """Refuse it: all of the volume would be there instead of a part."""
    if mount.volume_options and mount.volume_options.subpath:
        raise InvalidArgumentError("VolumeOptions.Subpath needs API v1.45 or newer")
    return mount


def _without_images(mount: Mount) -> Mount:
    if mount.type == "image":
        raise InvalidArgumentError('Mount type "Image" needs API v1.48 or newer')
    return mount


_CHANGES: tuple[tuple[int, Callable[[Mount], Mount]], ...] = (
    (40, _without_bind_options("non_recursive")),
    (42, _own_options_only),
    (42, _without_bind_options("create_mountpoint")),
    (44, _without_forced_recursion),
    (44, _without_bind_options("read_only_non_recursive")),
    (45, _without_subpath),
    (48, _without_images),
)
