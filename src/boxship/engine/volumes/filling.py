"""Copy-up: an empty volume gets what the image has in its place."""

import os

from boxship.base.errors import InvalidArgumentError
from boxship.kernel.paths import RESOLVE_IN_ROOT, openat2
from boxship.storage.volumes import VolumeStore

_SOURCE = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def fill(store: VolumeStore, volume_id: str, source: tuple[int, str], *, at_once: bool) -> None:
    """Copy ``source``, the root of a tree (a descriptor) and a path in it, into an empty volume.

    Blocking. InvalidArgumentError: there is a file; OSError: the disk refuses.
    """
    if not store.is_empty(volume_id):
        return
    root, path = source
    try:
        directory = openat2(root, path, _SOURCE, RESOLVE_IN_ROOT)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise InvalidArgumentError(
            f"cannot mount volume over existing file, file exists {path}"
        ) from None
    try:
        store.fill(volume_id, directory, at_once=at_once)
    finally:
        os.close(directory)
