"""Which snapshot driver there is: the one for new snapshots, and those that made the old ones.

A data root may have snapshots of several drivers, because somebody changed ``storage-driver`` or
the kernel lost overlayfs. Docker hides containers and images of other drivers then. Here images
stay, since layers are the same for all drivers, and containers go on with the driver that made
them; only new ones get the other.
"""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager

from boxship.base.errors import InvalidArgumentError, NotFoundError, UnavailableError
from boxship.oci.digest import Digest
from boxship.storage.disposal import Disposal
from boxship.storage.layers import LayerStore
from boxship.storage.overlay import OverlayDriver, mount_problem
from boxship.storage.rights import Rights
from boxship.storage.root import StorageRoot
from boxship.storage.snapshots import Mount, OverlayMount
from boxship.storage.vfs import VfsDriver

log = logging.getLogger(__name__)

DRIVERS = ("overlay2", "vfs")
_ALIASES = {"overlay": "overlay2", "overlayfs": "overlay2"}

Driver = OverlayDriver | VfsDriver


def driver_name(asked: str) -> str:
    """Return the driver's own name; empty stays empty. Raise InvalidArgumentError."""
    name = _ALIASES.get(asked, asked)
    if name and name not in DRIVERS:
        raise InvalidArgumentError(
            f'unknown storage driver "{asked}": it must be {" or ".join(DRIVERS)}'
        )
    return name


class Snapshots:
    """Implements ``SnapshotDriver`` by those that there are."""

    def __init__(self, chosen: Driver, *others: Driver) -> None:
        self._chosen = chosen
        self._drivers = (chosen, *others)

    @property
    def name(self) -> str:
        """The driver of new snapshots."""
        return self._chosen.name

    @property
    def opaque(self) -> str:
        return self._chosen.opaque  # the same for all

    def prepare(self, key: str, layers: Sequence[Digest]) -> None:
        self._chosen.prepare(key, layers)

    def takes_long(self, layers: Sequence[Digest]) -> bool:
        return self._chosen.takes_long(layers)

    @property
    def limits_size(self) -> bool:
        return self._chosen.limits_size

    def limit(self, key: str, size: int) -> None:
        self._driver(key).limit(key, size)

    def mount(self, key: str) -> Mount:
        return self._driver(key).mount(key)

    def view(self, layers: Sequence[Digest]) -> OverlayMount:
        return self._chosen.view(layers)  # the same for all

    def remove(self, key: str) -> None:
        self._chosen.remove(key)  # the same for all

    def usage(self, key: str) -> int:
        return self._driver(key).usage(key)

    def difference(self, key: str) -> AbstractContextManager[str]:
        return self._driver(key).difference(key)

    def hand_over(self, key: str, target: str) -> bool:
        return self._driver(key).hand_over(key, target)

    def take_over(self, key: str, written: str) -> None:
        self._driver(key).take_over(key, written)

    def below(self, key: str) -> tuple[str, ...]:
        return self._driver(key).below(key)

    def place(self, key: str) -> str:
        return self._driver(key).place(key)

    def keys(self) -> list[str]:
        return self._chosen.keys()

    def detail(self, key: str) -> dict[str, str]:
        return self._driver(key).detail(key)

    def layer_detail(self, layers: Sequence[Digest]) -> dict[str, str]:
        return self._chosen.layer_detail(layers)

    def _driver(self, key: str) -> Driver:
        for driver in self._drivers:
            if driver.has(key):
                return driver
        raise NotFoundError(f"no snapshot {key}")


def open_snapshots(
    root: StorageRoot,
    layers: LayerStore,
    disposal: Disposal,
    rights: Rights,
    asked: str = "",
) -> Snapshots:
    """Return the snapshots of a data root; new ones are made by the driver that is ``asked`` for.

    Empty: overlay2, or vfs with a warning where overlayfs cannot be mounted. Raise
    UnavailableError if overlay2 is asked for there, InvalidArgumentError for an unknown one.
    """
    overlay = OverlayDriver(root, layers, disposal, rights)
    vfs = VfsDriver(root, layers, disposal, rights)
    name = driver_name(asked)
    if name == vfs.name:
        return Snapshots(vfs, overlay)
    problem = mount_problem(root, rights)
    if not problem:
        return Snapshots(overlay, vfs)
    if name:
        raise UnavailableError(
            f"storage driver overlay2 does not work on {root.path}: {problem}; "
            "another file system or the driver vfs will do"
        )
    log.warning(
        "overlayfs cannot be mounted on %s (%s): containers get the storage driver vfs, which "
        "copies their images", root.path, problem,
    )  # fmt: skip
    return Snapshots(vfs, overlay)
