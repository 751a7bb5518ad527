"""How much a snapshot or a volume may hold: a project of its own, with a limit, if there are any.

Every file made in a directory of a project is the project's, so what a container writes is counted
by the file system itself, and beyond the limit there is no space left for it. A project is nothing
but a number in its directories; a number that none has any more is free.

For snapshots it is xfs alone. On ext4 no limit holds for those who have CAP_SYS_RESOURCE, and
overlayfs writes with the rights of whoever has mounted it, which is us. To a volume a container
writes with its own.
"""

import os
import threading

from boxship.base.errors import UnavailableError
from boxship.base.files import opened
from boxship.kernel import quota
from boxship.kernel.mounts import filesystem_magic
from boxship.storage.root import StorageRoot

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_XFS = 0x58465342
_FIRST = 1 << 20
"""Low numbers are other people's, by /etc/projects."""
_PLACES = (("snapshots", "upper"), ("volumes", "_data"), ("tmp", "upper"), ("tmp", "_data"))
"""Where directories with limits are; in ``tmp`` they come and go."""
_choosing = threading.Lock()
"""Held until the number that was chosen is in a directory."""


class DiskLimits:
    """Limits of the directories of one root. From any thread."""

    def __init__(self, root: StorageRoot) -> None:
        self._root = root

    @property
    def possible(self) -> bool:
        """Tell whether snapshots can be limited: the file system is xfs, and has projects."""
        return self.possible_for_volumes and self._is_xfs()

    @property
    def possible_for_volumes(self) -> bool:
        """Tell whether the file system has project quotas, and they are switched on."""
        try:
            with opened(self._root.path, _DIRECTORY) as fd:
                return quota.enforces_projects(fd)
        except OSError:
            return False

    def _is_xfs(self) -> bool:
        with opened(self._root.path, _DIRECTORY) as fd:
            return filesystem_magic(fd) == _XFS

    def limit(self, directories: tuple[str, ...], size: int) -> None:
        """Let directories, which are empty, hold ``size`` bytes together. Raise UnavailableError.

        The limit comes before the directories are the project's: a number whose directories were
        not given to it in time is free.
        """
        with _choosing:
            project = max((_FIRST, *self._used())) + 1
            try:
                with opened(self._root.path, _DIRECTORY) as top:
                    quota.limit_project(top, project, size)
                for directory in directories:
                    with opened(directory, _DIRECTORY) as fd:
                        quota.set_project(fd, project)
            except OSError as error:
                raise UnavailableError(f"the size cannot be limited: {error}") from error

    def _used(self) -> list[int]:
        """Return the numbers that are taken, also by what is being deleted."""
        found = []
        for parent, inside in _PLACES:
            for name in os.listdir(self._root.join(parent)):
                place = os.path.join(self._root.join(parent), name, inside)
                try:
                    with opened(place, _DIRECTORY) as fd:
                        found.append(quota.project_of(fd))
                except OSError:  # of another driver, or it goes just now
                    continue
        return found
