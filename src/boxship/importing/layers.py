"""Layers of images, and what containers have written on top of them."""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain

from boxship.base.errors import InvalidArgumentError
from boxship.base.files import opened
from boxship.importing import tarsplit
from boxship.importing.containerd import container_tree
from boxship.importing.root import OVERLAYFS, DockerRoot
from boxship.importing.tarsplit import DamagedLayerError
from boxship.storage.archiving import Archiver, Hidden, Item, difference_pieces
from boxship.storage.chunks import Buffer
from boxship.storage.difference import Comparison
from boxship.storage.layered import LayeredTree, Node
from boxship.storage.tree import Path
from boxship.storage.unpack import WHITEOUT_PREFIX

_OPAQUE = "trusted.overlay.opaque"
_REFERENCES = ("trusted.overlay.redirect", "trusted.overlay.metacopy")
"""Marks that a file is in part that of a layer below, which dockerd keeps overlayfs from writing
unless somebody has configured the kernel's module otherwise."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEVER = 1 << 63
_ABSENT = (errno.ENODATA, errno.ENOTSUP)


def chain_ids(diff_ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return the chain id of each layer of a stack (OCI image-spec, config.md, Layer ChainID)."""
    found: list[str] = []
    for diff_id in diff_ids:
        below = found[-1] if found else ""
        found.append(
            f"sha256:{sha256(f'{below} {diff_id}'.encode()).hexdigest()}" if below else diff_id
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class LayerFiles:
    """A layer on the disk. ``diff_id`` is what its tar's digest should be."""

    diff_id: str
    record: str
    directory: str

    def size(self) -> int:
        """Return the bytes of its tar. DamagedLayerError."""
        return tarsplit.tar_size(self.record)

    def tar(self) -> Iterator[bytes]:
        """Yield its tar. DamagedLayerError."""
        return tarsplit.tar(self.record, self.directory)


def layer(root: DockerRoot, driver: str, chain_id: str) -> LayerFiles:
    """Find a layer. DamagedLayerError: it is not there."""
    place = root.images(driver, "layerdb", "sha256", chain_id.removeprefix("sha256:"))
    diff_id, cache_id = _text(f"{place}/diff"), _text(f"{place}/cache-id")
    return LayerFiles(diff_id, f"{place}/tar-split.json.gz", root.tree(driver, cache_id))


def written(root: DockerRoot, driver: str, container_id: str, prefix: bytes) -> Iterator[Buffer]:
    """Yield a tar's entries of what a container has written, in the words of a layer.

    DamagedLayerError: it is not there; InvalidArgumentError: it cannot be told apart from what is
    below; UnreadableError: the disk fails.
    """
    if driver == OVERLAYFS:
        tree, before = container_tree(root, container_id), ""
    else:
        mount_id = _text(root.images(driver, "layerdb", "mounts", container_id, "mount-id"))
        tree, before = root.tree(driver, mount_id), root.tree(driver, f"{mount_id}-init")
    if not os.path.isdir(tree):
        raise DamagedLayerError(f"{tree} is missing")
    if driver == "vfs":
        yield from _compared(tree, before, prefix)
        return
    _refuse_references(tree)
    yield from difference_pieces(tree, _OPAQUE, prefix)


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedLayerError(f"{path} cannot be read: {error}") from error


def _refuse_references(tree: str) -> None:
    for directory, names, files in os.walk(tree):
        for name in (*names, *files):
            path = os.path.join(directory, name)
            if any(_has(path, attribute) for attribute in _REFERENCES):
                raise InvalidArgumentError(
                    f"{path} is a reference of overlayfs to a layer below (redirect_dir or "
                    "metacopy): docker commit keeps what the container has written"
                )


def _has(path: str, attribute: str) -> bool:
    if os.path.islink(path):
        return False
    try:
        os.getxattr(path, attribute, follow_symlinks=False)
    except OSError as error:
        if error.errno in _ABSENT:
            return False
        raise
    return True


def _compared(tree: str, before: str, prefix: bytes) -> Iterator[Buffer]:
    """Tell what differs between two whole trees, by everything but the contents of files."""

    def name(path: Path) -> bytes:
        return b"/".join((prefix, *path))

    with (
        opened(tree, _DIRECTORY) as new,
        opened(before, _DIRECTORY) as old,
        LayeredTree((tree,)) as files,
    ):
        items = _items(new, Comparison(new, (old,), _NEVER, _OPAQUE))
        yield from Archiver(files, name).write(chain((files.root(),), items))


def _items(tree: int, comparison: Comparison) -> Iterator[Item]:
    """Yield what differs, and before it the directories that lead there."""
    told: set[Path] = {()}
    for change in comparison.changes():
        path = (*change.directory, change.name)
        for depth in range(1, len(change.directory) + 1):
            above = path[:depth]
            if above not in told:
                told.add(above)
                yield Node(above, os.lstat(b"/".join(above), dir_fd=tree), (0,))
        if change.found is None:
            yield Hidden((*change.directory, WHITEOUT_PREFIX + change.name))
        elif path not in told:
            if stat.S_ISDIR(change.found.st_mode):
                told.add(path)
            yield Node(path, change.found, (0,))
