"""The ``overlay2`` snapshot driver: the kernel's overlayfs over unpacked layers.

How high a stack may be. mount(2) takes one page of options, which the short names in ``l/`` fill
with some 260 layers; since Linux 6.7 they can be given one by one (``lowerdir+``), up to the
kernel's own limit of 500. Of a stack that is higher than what can be had here, the lowest layers
become one directory of hard links in the snapshot (``base``), made by ``prepare``.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence

from boxship.base.errors import ConflictError, NotFoundError
from boxship.base.files import opened
from boxship.kernel.mounts import new_filesystem
from boxship.oci.digest import Digest
from boxship.storage.disklimits import DiskLimits
from boxship.storage.disposal import Disposal
from boxship.storage.flatten import flatten
from boxship.storage.layers import LayerStore
from boxship.storage.rights import Rights
from boxship.storage.root import StorageRoot
from boxship.storage.snapshots import OverlayMount
from boxship.storage.stack import tree_size
from boxship.storage.stubs import STUBS, make_stubs

MOST_OPTIONS = 4095
"""Bytes of options that mount(2) takes."""
_MOST_LAYERS = 500
_FIT_INTO_A_PAGE = 200


class OverlayDriver:
    """Implements ``SnapshotDriver``."""

    name = "overlay2"

    def __init__(
        self,
        root: StorageRoot,
        layers: LayerStore,
        disposal: Disposal,
        rights: Rights,
        *,
        most: int = _MOST_LAYERS,
    ) -> None:
        """``most`` directories are stacked at a time."""
        self._root = root
        self._disposal = disposal
        self._layers = layers
        self._rights = rights
        self._most = most
        self._appends: bool | None = None
        self._limits = DiskLimits(root)
        make_stubs(root.join(STUBS))

    @property
    def opaque(self) -> str:
        return self._rights.opaque

    def has(self, key: str) -> bool:
        """Tell whether the snapshot is one of this driver's."""
        return os.path.exists(os.path.join(self._root.snapshot(key), "lower"))

    def prepare(self, key: str, layers: Sequence[Digest]) -> None:
        place = self._root.snapshot(key)
        lower = self._lower(layers)
        try:
            os.mkdir(place, 0o710)
        except FileExistsError as error:
            raise ConflictError(f"snapshot {key} exists already") from error
        try:
            self._furnish(key, layers, lower)
        except BaseException:
            self.remove(key)
            raise

    def takes_long(self, layers: Sequence[Digest]) -> bool:
        return len(layers) + 1 > self._most or len(layers) > _FIT_INTO_A_PAGE

    @property
    def limits_size(self) -> bool:
        return self._limits.possible

    def limit(self, key: str, size: int) -> None:
        place = self._root.snapshot(key)
        self._limits.limit((self.place(key), os.path.join(place, "work")), size)

    def mount(self, key: str) -> OverlayMount:
        try:
            with open(os.path.join(self._root.snapshot(key), "lower")) as stream:
                return self._mount(key, tuple(stream.read().split(":")))
        except FileNotFoundError as error:
            raise NotFoundError(f"no snapshot {key}") from error

    def view(self, layers: Sequence[Digest]) -> OverlayMount:
        return OverlayMount(
            self._root.path, self._layers.names(layers), options=self._rights.mount_options
        )

    def remove(self, key: str) -> None:
        if os.path.lexists(self._root.snapshot(key)):
            self._disposal.add([self._root.move_aside(self._root.snapshot(key))])

    def usage(self, key: str) -> int:
        with self.difference(key) as upper:
            return tree_size(upper)

    @contextlib.contextmanager
    def difference(self, key: str) -> Iterator[str]:
        upper = self.place(key)
        if not os.path.isdir(upper):
            raise NotFoundError(f"no snapshot {key}")
        yield upper

    def hand_over(self, key: str, target: str) -> bool:
        os.rename(self.place(key), target)
        return True

    def take_over(self, key: str, written: str) -> None:
        os.rmdir(self.place(key))
        os.rename(written, self.place(key))

    def below(self, key: str) -> tuple[str, ...]:
        lower = self.mount(key).lower
        return tuple(os.path.realpath(self._root.join(name)) for name in lower)

    def place(self, key: str) -> str:
        return os.path.join(self._root.snapshot(key), "upper")

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
        return (*self._layers.names(layers), STUBS)

    def _mount(self, key: str, lower: tuple[str, ...]) -> OverlayMount:
        place = self._relative(key)
        return OverlayMount(
            self._root.path, lower, f"{place}/upper", f"{place}/work", self._rights.mount_options
        )

    def _relative(self, key: str) -> str:
        return os.path.relpath(self._root.snapshot(key), self._root.path)

    def _furnish(self, key: str, layers: Sequence[Digest], lower: tuple[str, ...]) -> None:
        place = self._root.snapshot(key)
        upper = os.path.join(place, "upper")
        os.mkdir(upper, 0o755)
        os.mkdir(os.path.join(place, "work"), 0o700)
        if layers:
            self._inherit(self._layers.diff_directory(layers[-1]), upper)
        height = self._height(key, lower)
        if height < len(lower):
            base = os.path.join(place, "base")
            hidden = [self._root.join(name) for name in lower[height - 1 :]]
            flatten(hidden, base, self._rights.opaque, link=True)
            lower = (*lower[: height - 1], f"{self._relative(key)}/base")
        with open(os.path.join(place, "lower"), "w") as stream:
            stream.write(":".join(lower))

    def _height(self, key: str, lower: tuple[str, ...]) -> int:
        """Return how many directories of the stack can be mounted."""
        most = min(self._most, len(lower))
        room = MOST_OPTIONS - len(self._mount(key, ()).data.encode())
        if sum(len(name) + 1 for name in lower[:most]) <= room or self._can_append():
            return most
        room -= len(f"{self._relative(key)}/base")
        while sum(len(name) + 1 for name in lower[: most - 1]) > room:
            most -= 1
        return most

    def _can_append(self) -> bool:
        if self._appends is None:
            self._appends = _appends(self._root)
        return self._appends

    @staticmethod
    def _inherit(source: str, target: str) -> None:
        """Give the root its looks: overlayfs shows those of the upper directory."""
        found = os.stat(source)
        os.chown(target, found.st_uid, found.st_gid)
        os.chmod(target, stat.S_IMODE(found.st_mode))


def mount_problem(root: StorageRoot, rights: Rights) -> str:
    """Say why overlayfs cannot be mounted on this data root; empty if it can be."""
    with root.temporary() as place, opened(place, os.O_PATH) as fd:
        names = ("lower", "upper", "work")
        for name in names:
            os.mkdir(os.path.join(place, name))
        options = [f"{name}dir=/proc/self/fd/{fd}/{name}" for name in names]
        try:
            os.close(new_filesystem("overlay", "overlay", (*options, *rights.mount_options)))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _appends(root: StorageRoot) -> bool:
    """Tell whether layers can be given one by one."""
    with opened(root.path, os.O_PATH) as fd:
        options = tuple(f"lowerdir+=/proc/self/fd/{fd}/{name}" for name in (STUBS, "l"))
        try:
            os.close(new_filesystem("overlay", "overlay", options))
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EPERM):
                raise
            return False
    return True
