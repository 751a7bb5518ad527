"""The ``overlay2`` snapshot driver: the kernel's overlayfs over unpacked layers."""

import os
import stat
from collections.abc import Sequence

from boxship.base.errors import ConflictError, InvalidArgumentError, NotFoundError
from boxship.oci.digest import Digest
from boxship.storage.disposal import Disposal
from boxship.storage.layers import LayerStore
from boxship.storage.root import StorageRoot
from boxship.storage.snapshots import OverlayMount
from boxship.storage.tree import tree_size

# mount(2) takes one page of options, and overlayfs at most 500 lower layers.
_MOST_OPTIONS = 4095
_MOST_LAYERS = 500


class OverlayDriver:
    """Implements ``SnapshotDriver``."""

    name = "overlay2"

    def __init__(self, root: StorageRoot, layers: LayerStore, disposal: Disposal) -> None:
        self._root = root
        self._disposal = disposal
        self._layers = layers
        self._empty = self._empty_layer()

    def prepare(self, key: str, layers: Sequence[Digest]) -> None:
        place = self._root.snapshot(key)
        mount = self._mount(key, self._lower(layers))
        if len(mount.data) > _MOST_OPTIONS or len(layers) > _MOST_LAYERS:
            raise InvalidArgumentError(f"an image of {len(layers)} layers is more than can be used")
        try:
            os.mkdir(place, 0o710)
        except FileExistsError as error:
            raise ConflictError(f"snapshot {key} exists already") from error
        try:
            self._furnish(place, layers, mount)
        except BaseException:
            self.remove(key)
            raise

    def mount(self, key: str) -> OverlayMount:
        try:
            with open(os.path.join(self._root.snapshot(key), "lower")) as stream:
                return self._mount(key, tuple(stream.read().split(":")))
        except FileNotFoundError as error:
            raise NotFoundError(f"no snapshot {key}") from error

    def view(self, layers: Sequence[Digest]) -> OverlayMount:
        return OverlayMount(self._root.path, self._lower(layers))

    def remove(self, key: str) -> None:
        if os.path.lexists(self._root.snapshot(key)):
            self._disposal.add([self._root.move_aside(self._root.snapshot(key))])

    def usage(self, key: str) -> int:
        upper = os.path.join(self._root.snapshot(key), "upper")
        if not os.path.isdir(upper):
            raise NotFoundError(f"no snapshot {key}")
        return tree_size(upper)

    def keys(self) -> list[str]:
        return os.listdir(self._root.join("snapshots"))

    def detail(self, key: str) -> dict[str, str]:
        mount = self.mount(key)
        return {
            "LowerDir": ":".join(self._root.join(lower) for lower in mount.lower),
            "MergedDir": os.path.join(self._root.snapshot(key), "merged"),
            "UpperDir": self._root.join(mount.upper),
            "WorkDir": self._root.join(mount.work),
        }

    def layer_detail(self, layers: Sequence[Digest]) -> dict[str, str]:
        if not layers:
            return {}
        top, *below = [self._layers.diff_directory(layer) for layer in reversed(layers)]
        place = os.path.dirname(top)
        detail = {"LowerDir": ":".join(below)} if below else {}
        return detail | {
            "MergedDir": os.path.join(place, "merged"),
            "UpperDir": top,
            "WorkDir": os.path.join(place, "work"),
        }

    def _lower(self, layers: Sequence[Digest]) -> tuple[str, ...]:
        names = tuple(f"l/{self._layers.get(layer).short}" for layer in reversed(layers))
        return names or (self._empty,)

    def _mount(self, key: str, lower: tuple[str, ...]) -> OverlayMount:
        place = os.path.relpath(self._root.snapshot(key), self._root.path)
        return OverlayMount(self._root.path, lower, f"{place}/upper", f"{place}/work")

    def _empty_layer(self) -> str:
        """Make the stand-in for the layers of an image that has none."""
        os.makedirs(self._root.join("empty"), mode=0o755, exist_ok=True)
        return "empty"

    def _furnish(self, place: str, layers: Sequence[Digest], mount: OverlayMount) -> None:
        upper = os.path.join(place, "upper")
        os.mkdir(upper, 0o755)
        os.mkdir(os.path.join(place, "work"), 0o700)
        if layers:
            self._inherit(self._layers.diff_directory(layers[-1]), upper)
        with open(os.path.join(place, "lower"), "w") as stream:
            stream.write(":".join(mount.lower))

    @staticmethod
    def _inherit(source: str, target: str) -> None:
        """Give the root its looks: overlayfs shows those of the upper directory."""
        found = os.stat(source)
        os.chown(target, found.st_uid, found.st_gid)
        os.chmod(target, stat.S_IMODE(found.st_mode))
