"""Trees for actions on files: a store of their own, made of archives, and what came of it."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from boxship.base import ids
from boxship.engine.build.files.actions import carry_out
from boxship.engine.build.files.roots import Workshop
from boxship.engine.build.trees import DirectoryTree, LayersTree, Tree
from boxship.solver.operations import FileAction, FileActions
from boxship.storage.adopting import Adoption
from boxship.storage.layers import Layer
from boxship.storage.storage import Storage

NOTHING = LayersTree()


class Yard:
    """A store, and a context directory beside it."""

    def __init__(self, home: Path, driver: str = "") -> None:
        self.storage = Storage.open(str(home / "data"), driver)
        self.context = home / "context"
        self.context.mkdir()
        (home / "mountpoint").mkdir()
        self.workshop = Workshop(self.storage.snapshots, str(home / "mountpoint"))
        self._lease = self.storage.layers.lease()
        self.lease = self._lease.__enter__()
        self._adoption = Adoption(self.storage.root, self.storage.layers, self.storage.snapshots)

    def close(self) -> None:
        self._lease.__exit__(None, None, None)
        self.storage.disposal.settle()
        assert self.storage.snapshots.keys() == []
        assert self.storage.root.left_over() == []

    def tree(self, *archives: bytes) -> LayersTree:
        """Layers of these archives."""
        return LayersTree(
            tuple(self.storage.layers.unpack([a], self.lease).digest for a in archives)
        )

    def write(self, **files: str) -> None:
        """Put files into the context; `__` in a name is a slash."""
        for name, text in files.items():
            path = self.context / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def layer(
        self,
        *actions: FileAction,
        base: LayersTree = NOTHING,
        inputs: Sequence[Tree] = (),
        latest_ns: int | None = None,
    ) -> Layer:
        """The layer that actions make; input 0 is the context, 1 the base, then `inputs`."""
        key = ids.new_id()
        self.storage.snapshots.prepare(key, base.layers)
        try:
            given = (DirectoryTree(str(self.context)), base, *inputs)
            carry_out(self.workshop, key, FileActions(actions, root=1), given)
            return self._adoption.adopt(key, self.lease, latest_ns)
        finally:
            self.storage.snapshots.remove(key)

    def made(
        self, *actions: FileAction, base: LayersTree = NOTHING, inputs: Sequence[Tree] = ()
    ) -> list[str]:
        """What is in the tree afterwards, as :func:`listed` says it."""
        layer = self.layer(*actions, base=base, inputs=inputs)
        with self.workshop.reading(LayersTree((*base.layers, layer.digest))) as root:
            return listed(root)


def listed(root: int) -> list[str]:
    """All below a root but what every tree of a test has: `mode uid:gid path[ -> link]`."""
    found = []
    top = f"/proc/self/fd/{root}"
    for directory, names, files in os.walk(f"{top}/."):
        for name in (*names, *files):
            path = os.path.join(directory, name)
            status = os.lstat(path)
            shown = path.removeprefix(f"{top}/.")
            link = f" -> {os.readlink(path)}" if stat.S_ISLNK(status.st_mode) else ""
            mode = stat.filemode(status.st_mode)
            found.append(f"{shown} {mode} {status.st_uid}:{status.st_gid}{link}")
    return sorted(found)
