"""How much a snapshot may hold: a project of its own, with a limit, where the file system has them.

Every file made in a directory of a project is the project's, so what a container writes is counted
by the file system itself, and beyond the limit there is no space left for it. A project is nothing
but a number in its directories; a number that no snapshot has any more is free.

It is for xfs alone. On ext4 no limit holds for those who have CAP_SYS_RESOURCE, and overlayfs
writes with the rights of whoever has mounted it, which is us.
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


class DiskLimits:
    """Limits of the snapshots of one root. From any thread."""

    def __init__(self, root: StorageRoot) -> None:
        self._root = root
        self._lock = threading.Lock()

    @property
    def possible(self) -> bool:
        """Tell whether the file system is xfs and its project quotas are switched on."""
        try:
            with opened(self._root.path, _DIRECTORY) as fd:
                return filesystem_magic(fd) == _XFS and quota.enforces_projects(fd)
        except OSError:
            return False

    def limit(self, directories: tuple[str, ...], size: int) -> None:
        """Let directories, which are empty, hold ``size`` bytes together. Raise UnavailableError.

        The limit comes before the directories are the project's: a number whose directories were
        not given to it in time is free.
        """
        with self._lock:
            project = max((_FIRST, *self._used())) + 1
            try:
                with opened(self._root.path, _DIRECTORY) as top:
                    quota.limit_project(top, project, size)
                for directory in directories:
                    with opened(directory, _DIRECTORY) as fd:
                        quota.set_project(fd, project)
            except OSError as error:
                raise UnavailableError(
                    f"the container's size cannot be limited: {error}"
                ) from error

    def _used(self) -> list[int]:
        """Return the numbers that snapshots have, also those that are being deleted."""
        found = []
        for parent in ("snapshots", "tmp"):
            for name in os.listdir(self._root.join(parent)):
                upper = os.path.join(self._root.join(parent), name, "upper")
                try:
                    with opened(upper, _DIRECTORY) as fd:
                        found.append(quota.project_of(fd))
                except OSError:  # of another driver, or it goes just now
                    continue
        return found
