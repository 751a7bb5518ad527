"""The storage part of the data root: every path in it is made here.

::

    <data-root>/
      blobs/sha256/<hex>          image configs and manifests, byte for byte
      layers/sha256/<hex>/        one layer, by diff id; appears whole, by rename
        diff/                     the tree, with overlay's whiteouts
        recipe.zst                how to rebuild its tar (see recipe.py)
        shadow/<n>                payloads that a later entry of the same tar replaced
        shadow.index              which payloads those are; only if there are any
        meta.json                 sizes (see layers.py)
      l/<12 hex>                  -> ../layers/sha256/<hex>/diff; short, because all the names
                                  of one overlay mount must fit into a page
      snapshots/<key>/            one container's own part; of overlay2:
        upper/  work/             overlay's
        lower                     the names in l/, topmost first, joined by ":"
        base/                     the lowest layers as one, if there are too many
                                  and of vfs:
        tree/                     everything
        layers                    the diff ids it was copied from, lowest first, a line each
        stamp                     written when the copy was complete (see vfs.py)
      caches/<32 hex>/            cache directories of builds (engine/build/caches.py)
      volumes/<id>/_data/         one volume's files; appears and goes by rename (see volumes.py)
      stubs/                      mount points, below the layers of every container (see stubs.py)
      tmp/                        what is being made or deleted; emptied after a start, but for
                                  what running containers still use (*.used)

Whatever has no record in the engine's database is garbage, and so is all of ``tmp``.
"""

import contextlib
import os
from collections.abc import Iterator

from boxship.base.files import opened
from boxship.kernel.filesystems import FS_TOPDIR_FL, inode_flags, set_inode_flags, syncfs
from boxship.oci.digest import Digest
from boxship.storage.deleting import delete_tree

_USED = ".used"


class StorageRoot:
    """Makes the directories on first use and hands out paths; keeps no state."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        for name in ("blobs/sha256", "layers/sha256", "l", "snapshots", "volumes", "tmp"):
            os.makedirs(self.join(name), mode=0o711, exist_ok=True)
        self._spread_layers()

    def join(self, *names: str) -> str:
        return os.path.join(self.path, *names)

    def blob(self, digest: Digest) -> str:
        return self.join("blobs", digest.algorithm, digest.hex)

    def layer(self, diff_id: Digest) -> str:
        return self.join("layers", diff_id.algorithm, diff_id.hex)

    def snapshot(self, key: str) -> str:
        return self.join("snapshots", key)

    def volume(self, volume_id: str) -> str:
        return self.join("volumes", volume_id)

    def link(self, short: str) -> str:
        return self.join("l", short)

    def new_temporary(self) -> str:
        """Make a fresh directory below ``tmp``."""
        path = self.join("tmp", os.urandom(8).hex())
        os.mkdir(path, 0o700)
        return path

    @contextlib.contextmanager
    def temporary(self) -> Iterator[str]:
        """Own a fresh directory; what is still there at the end is removed."""
        path = self.new_temporary()
        try:
            yield path
        finally:
            delete_tree(path)

    def move_aside(self, path: str, *, used: bool = False) -> str:
        """Make ``path`` disappear in one step, and return where its remains wait for deletion.

        Should the daemon die before they are deleted, they lie in ``tmp``. What is ``used`` by
        containers that run stays there as long as any of them may.
        """
        # Without a directory of its own, because to make one a full disk has no room.
        doomed = self.join("tmp", os.urandom(8).hex() + (_USED if used else ""))
        with contextlib.suppress(FileNotFoundError):
            os.rename(path, doomed)
        return doomed

    def left_over(self, *, used: bool = False) -> list[str]:
        """At start-up, when nobody else works here: what an earlier daemon left in ``tmp``.

        What containers may be using is among it with ``used`` only: when none runs any more.
        """
        names = os.listdir(self.join("tmp"))
        return [self.join("tmp", name) for name in names if used or not name.endswith(_USED)]

    def _spread_layers(self) -> None:
        """Have ext4 give each directory below ``tmp``, and so each layer, a block group of its own.

        For minutes after a deletion ext4 does not reuse inodes, and looks at each of them again for
        every file made in the same group. With layers side by side in one group, unpacking after a
        removal takes five times as long.
        """
        unknown = contextlib.suppress(OSError)  # another file system
        with opened(self.join("tmp"), os.O_RDONLY | os.O_DIRECTORY) as fd, unknown:
            set_inode_flags(fd, inode_flags(fd) | FS_TOPDIR_FL)

    def sync(self) -> None:
        """Wait until everything written so far would survive power loss."""
        with opened(self.path, os.O_RDONLY | os.O_DIRECTORY) as fd:
            syncfs(fd)
