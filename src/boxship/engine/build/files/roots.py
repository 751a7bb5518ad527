"""Trees opened for reading, and a snapshot for writing: each by the descriptor of its root."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from boxship.base.files import opened
from boxship.engine.build.trees import DirectoryTree, Tree
from boxship.runtime.steps import MountOverlay
from boxship.runtime.viewing import view_mounted
from boxship.storage.snapshots import DirectoryMount, OverlayMount, SnapshotDriver


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where trees are mounted to be worked on. ``mountpoint`` is a directory nobody looks into:
    each is mounted on it in a mount namespace that ends with the work."""

    snapshots: SnapshotDriver
    mountpoint: str

    @contextmanager
    def reading(self, tree: Tree) -> Iterator[int]:
        """Open the root of a tree."""
        if isinstance(tree, DirectoryTree):
            with opened(tree.path, os.O_PATH | os.O_DIRECTORY) as root:
                yield root
        elif not tree.layers:
            with opened(self.mountpoint, os.O_PATH | os.O_DIRECTORY) as root:  # always empty
                yield root
        else:
            with self._view(self.snapshots.view(tree.layers), read_only=True) as root:
                yield root

    @contextmanager
    def writing(self, key: str) -> Iterator[int]:
        """Open the root of a snapshot, with what it was made of below."""
        mount = self.snapshots.mount(key)
        if isinstance(mount, DirectoryMount):
            with opened(mount.path, os.O_PATH | os.O_DIRECTORY) as root:
                yield root
            return
        with self._view(mount) as root:
            yield root

    @contextmanager
    def _view(self, mount: OverlayMount | str, *, read_only: bool = False) -> Iterator[int]:
        if isinstance(mount, OverlayMount) and len(mount.lower) == 1 and not mount.upper:
            mount = os.path.join(mount.cwd, mount.lower[0])  # no overlay has a single directory
        root = (
            mount
            if isinstance(mount, str)
            else MountOverlay(
                mount.cwd, mount.lower, mount.upper, mount.work, self.mountpoint, mount.options
            )
        )
        with view_mounted(root, self.mountpoint, (), read_only=read_only) as view:
            yield view.root
