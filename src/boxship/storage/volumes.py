"""The directories of volumes: one for each, under its id, with the files in ``_data``.

A volume's directory comes and goes by one rename, so it is whole or not there; the engine's record
is the commit point, and a directory without one is removed at start-up. Whatever is mounted on
``_data`` is taken off before anything is deleted: the files of others are not ours to remove.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator

from boxship.base.files import opened
from boxship.kernel.mounts import MNT_DETACH, umount2
from boxship.storage.disklimits import DiskLimits
from boxship.storage.disposal import Disposal
from boxship.storage.flatten import copy_tree
from boxship.storage.root import StorageRoot
from boxship.storage.stack import tree_size

DATA = "_data"
_NOT_MOUNTED = (errno.EINVAL, errno.ENOENT)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class VolumeStore:
    """Makes, fills, measures and removes them. All calls block; safe from any thread."""

    def __init__(self, root: StorageRoot, disposal: Disposal) -> None:
        self._root = root
        self._disposal = disposal
        self._limits = DiskLimits(root)

    @property
    def limits_size(self) -> bool:
        """Tell whether a volume can be made that holds so much and no more."""
        return self._limits.possible_for_volumes

    def data(self, volume_id: str) -> str:
        """Return where the volume's files are."""
        return os.path.join(self._root.volume(volume_id), DATA)

    def make(self, volume_id: str, size: int = 0) -> None:
        """Make an empty one, which holds ``size`` bytes (0: any). UnavailableError: it cannot."""
        with self.staging() as place:
            if size:
                self._limits.limit((os.path.join(place, DATA),), size)
            os.rename(place, self._root.volume(volume_id))

    @contextlib.contextmanager
    def staging(self) -> Iterator[str]:
        """Own a place that is to become a volume by :meth:`settle`; if it doesn't, it goes."""
        with self._root.temporary() as place:
            os.mkdir(os.path.join(place, DATA))
            os.chmod(os.path.join(place, DATA), 0o755)  # whatever the umask
            os.chmod(place, 0o711)
            yield place

    def settle(self, place: str, volume_id: str) -> None:
        """Make a volume of a place with files in it, which are on the disk then."""
        self._root.sync()
        os.rename(place, self._root.volume(volume_id))

    def copy(self, volume_id: str, place: str, copied: Callable[[int], object]) -> None:
        """Copy a volume's files into a staged place; ``copied`` is told the bytes of each file."""
        with (
            opened(self.data(volume_id), _DIRECTORY) as source,
            opened(os.path.join(place, DATA), _DIRECTORY) as target,
        ):
            copy_tree(source, target, copied)

    def copy_from(self, source: str, place: str, copied: Callable[[int], object]) -> None:
        """Copy a directory of elsewhere into a staged place, as :meth:`copy` does."""
        with (
            opened(source, _DIRECTORY) as files,
            opened(os.path.join(place, DATA), _DIRECTORY) as target,
        ):
            copy_tree(files, target, copied)

    def move_in(self, source: str, volume_id: str) -> None:
        """Make a directory of elsewhere the files of an empty volume, by a rename.

        OSError EXDEV: it is on another file system; ENOTEMPTY: the volume has files already.
        """
        os.rename(source, self.data(volume_id))
        self._root.sync()

    def remove(self, volume_id: str) -> None:
        """Delete one, in the background; one that is not there is fine. It must not be in use."""
        place = self._root.volume(volume_id)
        if os.path.lexists(place):
            self.unmount(volume_id)
            self._disposal.add([self._root.move_aside(place)])

    def unmount(self, volume_id: str) -> None:
        """Take off what is mounted on its directory, if anything is."""
        while True:
            try:
                umount2(self.data(volume_id), MNT_DETACH)
            except OSError as error:
                if error.errno in _NOT_MOUNTED:
                    return
                raise

    def is_mounted(self, volume_id: str) -> bool:
        """Tell whether something is mounted on its directory."""
        # Of a bind on the same file system only the mount table tells.
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            return any(line.split(" ", 5)[4] == self.data(volume_id) for line in file)

    def ids(self) -> list[str]:
        """Return the ids of all there are."""
        return os.listdir(self._root.join("volumes"))

    def size(self, volume_id: str) -> int:
        """Return the bytes that its files hold."""
        return tree_size(self.data(volume_id))

    def is_empty(self, volume_id: str) -> bool:
        with os.scandir(self.data(volume_id)) as entries:
            return next(entries, None) is None

    def fill(self, volume_id: str, source: int, *, at_once: bool) -> None:
        """Copy the directory ``source`` into an empty volume, and what it has itself.

        ``at_once``: all of it appears by one rename. That cannot be where something is mounted on
        the volume's directory, somebody looks at it, or it has a limit.
        """
        if not stat.S_ISDIR(os.fstat(source).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "is not a directory")
        if at_once:
            with self._root.temporary() as place:
                new = os.path.join(place, DATA)
                os.mkdir(new)
                with opened(new, _DIRECTORY) as target:
                    copy_tree(source, target)
                os.rename(new, self.data(volume_id))
        else:
            with opened(self.data(volume_id), _DIRECTORY) as target:
                copy_tree(source, target)
