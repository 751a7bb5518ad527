"""The ``vfs`` snapshot driver: every snapshot is a whole copy. For where overlayfs cannot be.

Copying takes time and, unless the file system shares blocks between copies (btrfs, xfs), space. In
return a container's root is a plain directory.

What a container has changed is told by comparing with the layers. Whatever was copied has a change
time (``st_ctime``), which nobody can set, from before the *stamp*, a file written when the copy was
complete; what was touched since has a later one. So a file counts as changed when its change time
is not before the stamp's, or when another of its attributes differs from the layers' (it was moved
there with the directory that holds it).
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from boxship.base.errors import ConflictError, NotFoundError, UnavailableError
from boxship.kernel.filesystems import exchange
from boxship.oci.digest import Digest
from boxship.storage.deleting import delete_tree
from boxship.storage.difference import Comparison
from boxship.storage.disposal import Disposal
from boxship.storage.flatten import flatten
from boxship.storage.layers import LayerStore
from boxship.storage.rights import Rights
from boxship.storage.root import StorageRoot
from boxship.storage.snapshots import DirectoryMount, OverlayMount
from boxship.storage.stubs import STUBS, make_stubs

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class VfsDriver:
    """Implements ``SnapshotDriver``."""

    name = "vfs"

    def __init__(
        self, root: StorageRoot, layers: LayerStore, disposal: Disposal, rights: Rights
    ) -> None:
        self._root = root
        self._layers = layers
        self._disposal = disposal
        self._rights = rights
        make_stubs(root.join(STUBS))

    @property
    def opaque(self) -> str:
        return self._rights.opaque

    def has(self, key: str) -> bool:
        """Tell whether the snapshot is one of this driver's."""
        return os.path.exists(os.path.join(self._root.snapshot(key), "layers"))

    def prepare(self, key: str, layers: Sequence[Digest]) -> None:
        place = self._root.snapshot(key)
        for layer in layers:
            self._layers.get(layer)
        try:
            os.mkdir(place, 0o710)
        except FileExistsError as error:
            raise ConflictError(f"snapshot {key} exists already") from error
        try:
            with open(os.path.join(place, "layers"), "w") as stream:
                stream.write("\n".join(map(str, layers)))
            tree = self.place(key)
            flatten(self._directories(layers), tree, self._rights.opaque)
            _write_stamp(os.path.join(place, "stamp"), os.stat(tree).st_ctime_ns)
        except BaseException:
            self.remove(key)
            raise

    def takes_long(self, layers: Sequence[Digest]) -> bool:
        return bool(layers)

    @property
    def limits_size(self) -> bool:
        return False

    def limit(self, key: str, size: int) -> None:
        raise UnavailableError("the storage driver vfs cannot limit a container's size")

    def mount(self, key: str) -> DirectoryMount:
        return DirectoryMount(self._existing(key))

    def view(self, layers: Sequence[Digest]) -> OverlayMount:
        names = self._layers.names(layers)
        return OverlayMount(self._root.path, names, options=self._rights.mount_options)

    def remove(self, key: str) -> None:
        if os.path.lexists(self._root.snapshot(key)):
            self._disposal.add([self._root.move_aside(self._root.snapshot(key))])

    def usage(self, key: str) -> int:
        with self._comparison(key) as comparison:
            return comparison.size()

    @contextlib.contextmanager
    def difference(self, key: str) -> Iterator[str]:
        with self._comparison(key) as comparison, self._root.temporary() as place:
            upper = os.path.join(place, "upper")
            comparison.write(upper)
            yield upper

    def hand_over(self, key: str, target: str) -> bool:
        return False

    def take_over(self, key: str, written: str) -> None:
        # What differs from the layers is told from them by its attributes, whatever the stamp.
        with self._root.temporary() as place:
            tree = os.path.join(place, "tree")
            flatten([written, *self._directories(self._layers_of(key))], tree, self._rights.opaque)
            exchange(tree, self.place(key))
        delete_tree(written)
        _write_stamp(
            os.path.join(self._root.snapshot(key), "stamp"), os.stat(self.place(key)).st_ctime_ns
        )

    def below(self, key: str) -> tuple[str, ...]:
        self._existing(key)
        return tuple(self._directories(self._layers_of(key)))

    def place(self, key: str) -> str:
        return os.path.join(self._root.snapshot(key), "tree")

    def keys(self) -> list[str]:
        return os.listdir(self._root.join("snapshots"))

    def detail(self, key: str) -> dict[str, str]:
        self._existing(key)
        return {}  # as Docker's: there is nothing but a directory

    def layer_detail(self, layers: Sequence[Digest]) -> dict[str, str]:
        for layer in layers:
            self._layers.get(layer)
        return {}

    def _existing(self, key: str) -> str:
        if not self.has(key):
            raise NotFoundError(f"no snapshot {key}")
        return self.place(key)

    def _directories(self, layers: Sequence[Digest]) -> list[str]:
        found = [self._layers.diff_directory(layer) for layer in reversed(layers)]
        return [*found, self._root.join(STUBS)]

    def _layers_of(self, key: str) -> list[Digest]:
        with open(os.path.join(self._root.snapshot(key), "layers")) as stream:
            return [Digest.parse(line) for line in stream.read().splitlines()]

    @contextlib.contextmanager
    def _comparison(self, key: str) -> Iterator[Comparison]:
        tree, place = self._existing(key), self._root.snapshot(key)
        layers = self._layers_of(key)
        stamp = os.stat(os.path.join(place, "stamp")).st_ctime_ns
        with ExitStack() as opened:
            descriptors = []
            for path in (tree, *self._directories(layers)):
                descriptors.append(os.open(path, _DIRECTORY))
                opened.callback(os.close, descriptors[-1])
            yield Comparison(descriptors[0], descriptors[1:], stamp, self._rights.opaque)


def _write_stamp(path: str, after_ns: int) -> None:
    """Write it until its change time is later: clocks of file systems go by ticks."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while os.fstat(fd).st_ctime_ns <= after_ns:
            os.utime(fd)
    finally:
        os.close(fd)
