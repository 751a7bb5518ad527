"""Mounts in requests, as the client's version means them.

====  ============================================================================
1.44  read-only binds are read-only all the way down, unless said otherwise
1.42  ``CreateMountpoint`` came; older clients want a missing source to be an error
====  ============================================================================
"""

from msgspec import structs

from boxship.base.errors import InvalidArgumentError
from boxship.model.container import BindOptions, Mount
from boxship.wire.versions import ApiVersion


def mount_of(mount: Mount, version: ApiVersion) -> Mount:
    """Return the mount in the newest version's terms. InvalidArgumentError: it asks for more."""
    if mount.type != "bind":
        return mount
    options = mount.bind_options or BindOptions()
    if version < 42:
        options = structs.replace(options, create_mountpoint=False)
    if version < 44:
        if options.read_only_force_recursive:
            # Not ignored, as unknown fields are: whoever asks for it counts on the protection.
            raise InvalidArgumentError(
                "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer"
            )
        options = structs.replace(options, read_only_non_recursive=mount.read_only)
    if options == BindOptions() and mount.bind_options is None:
        return mount
    return structs.replace(mount, bind_options=options)
