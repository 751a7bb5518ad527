"""Make a layer of what a snapshot has written, without copying it.

A build does this after each step. The tree that was written becomes the layer's own by a rename.
Its tar is never on a disk: its bytes go through the hash, and what of them is in no file into the
recipe. So each file is read once and none is written again. ::

    snapshot's upper ── walk ──► headers ──► recipe.zst
           │                        └──────► sha256  ──► diff id
           └──────── rename ──► layers/sha256/<hex>/diff

What overlayfs has noted at the files for itself (``origin`` and the like) stays there: it means
nothing in a layer that is read, as Docker's are, which come about in the same way.
"""

import contextlib
import io
import os
import stat

from boxship.oci.digest import Digest, new_hasher
from boxship.storage.archiving import layer_tar
from boxship.storage.chunks import Buffer
from boxship.storage.deleting import delete_within
from boxship.storage.layers import Layer, LayerStore, Lease
from boxship.storage.recipe import RecipeWriter
from boxship.storage.root import StorageRoot
from boxship.storage.snapshots import SnapshotDriver
from boxship.storage.tar.header import Entry, Kind
from boxship.storage.tree import Path, RootedTree
from boxship.storage.unpack import Unpacked


class Adoption:
    """Turns snapshots into layers. Safe from any thread."""

    def __init__(self, root: StorageRoot, layers: LayerStore, snapshots: SnapshotDriver) -> None:
        self._root = root
        self._layers = layers
        self._snapshots = snapshots

    def adopt(self, key: str, lease: Lease, latest_ns: int | None = None) -> Layer:
        """Return the layer of what snapshot ``key`` has over what it was made of; blocking.

        The snapshot is fit for nothing but its removal then, and nobody may be writing to it. With
        ``latest_ns`` whatever was changed after that time (ns since the epoch) has it as its own.
        UnreadableError: the snapshot is not there; OSError: the disk is full, or fails.
        """
        recipe = io.BytesIO()  # some 40 bytes for a file; most steps make a layer of few files
        notes = _Account(RecipeWriter(recipe))
        hasher, size = new_hasher("sha256"), 0
        for piece in layer_tar(self._snapshots, key, notes, latest_ns):
            hasher.update(piece)
            size += len(piece)
        notes.recipe.finish()
        diff_id = Digest("sha256", hasher.hexdigest())
        lease.hold(diff_id)
        found = self._layers.find(diff_id)
        if found is not None:
            return found
        with self._root.temporary() as place:
            diff = f"{place}/diff"
            if not self._snapshots.hand_over(key, diff):
                tar = layer_tar(self._snapshots, key, latest_ns=latest_ns)
                return self._layers.unpack(tar, lease, expected=diff_id)
            with open(f"{place}/recipe.zst", "wb") as target:
                target.write(recipe.getbuffer())
            _clear(diff, notes.useless)
            if latest_ns is not None:
                _turn_back(diff, latest_ns)
            unpacked = Unpacked(notes.size, notes.entries, {})
            return self._layers.commit(place, diff_id, size, unpacked)


class _Account:
    """Writes the recipe, and counts as unpacking the tar would."""

    def __init__(self, recipe: RecipeWriter) -> None:
        self.recipe = recipe
        self.size = 0
        self.entries = 0
        self.useless: list[Path] = []

    def entry(self, entry: Entry) -> None:
        self.entries += 1
        self.size += len(entry.link) if entry.kind is Kind.SYMLINK else entry.size

    def framing(self, data: Buffer) -> None:
        self.recipe.framing(data)

    def file(self, path: bytes, size: int) -> None:
        self.recipe.file(path, size)

    def left_out(self, path: Path) -> None:
        self.useless.append(path)


def _clear(diff: str, useless: list[Path]) -> None:
    """Remove what the layer's tar does not have: another machine's layer has not, either."""
    with RootedTree(diff) as tree:
        for path in useless:
            parent = tree.directory(path[:-1], make=False)
            found = os.lstat(path[-1], dir_fd=parent.fd)
            if stat.S_ISDIR(found.st_mode):
                delete_within(parent.fd, path[-1])
            else:
                os.unlink(path[-1], dir_fd=parent.fd)


def _turn_back(diff: str, latest_ns: int) -> None:
    """Have the files the times that the layer's tar says."""
    pending: list[Path] = [()]
    with RootedTree(diff) as tree:
        if os.fstat(tree.fd).st_mtime_ns > latest_ns:
            os.utime(tree.fd, ns=(latest_ns, latest_ns))
        while pending:
            path = pending.pop()
            directory = tree.directory(path, make=False)
            with os.scandir(directory.fd) as entries:
                found = [(os.fsencode(e.name), e.stat(follow_symlinks=False)) for e in entries]
            for name, status in found:
                if stat.S_ISDIR(status.st_mode):
                    pending.append((*path, name))
                if status.st_mtime_ns > latest_ns:
                    with contextlib.suppress(FileNotFoundError):
                        times = (latest_ns, latest_ns)
                        os.utime(name, ns=times, dir_fd=directory.fd, follow_symlinks=False)
