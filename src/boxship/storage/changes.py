"""What a container has changed, as ``docker diff`` lists it.

Docker compares what the container sees with what it began with, file by file, by these rules:

* A directory's time and size don't count, nor a change of its contents: it is *changed* when its
  mode or owner is, or when something inside it changed.
* Any other file is changed if mode, owner, device, size, time or capabilities differ. Opening one
  for writing copies it up, which alone is no change.
* What was added is listed with all that is inside; of what was deleted, the top only. A directory
  in whose place there is something else is changed, and what was in it is not mentioned.

Here the result is sorted by path; dockerd's order is that of Go's maps.
"""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from boxship.model.filechange import ChangeKind, FileChange
from boxship.storage.layered import LayeredTree, Node, reading
from boxship.storage.snapshots import SnapshotDriver
from boxship.storage.tree import Path, join

_CAPABILITY = "security.capability"
_NS = 1_000_000_000


def changes(snapshots: SnapshotDriver, key: str) -> Iterator[FileChange]:
    """Compare a snapshot with what it was made of; sorted, parents first.

    UnreadableError: the snapshot has been removed, or the disk fails.
    """
    with reading(), snapshots.difference(key) as written:
        below = snapshots.below(key)
        opaque = snapshots.opaque
        stack = (written, *below)
        with LayeredTree(stack, opaque) as new, LayeredTree(below, opaque) as old:
            yield from _Comparison(new, old).run()


@dataclass(slots=True)
class _Level:
    """A directory on the way. ``told`` once it is listed itself (the root never is)."""

    node: Node
    left: Iterator[tuple[bytes, Node | None, Node | None]]
    told: bool


class _Comparison:
    """Whatever has nothing in the difference is the same as before, and is not looked at."""

    def __init__(self, new: LayeredTree, old: LayeredTree) -> None:
        self._new = new
        self._old = old
        self._levels: list[_Level] = []

    def run(self) -> Iterator[FileChange]:
        """Go down with a stack of our own: containers can make trees deeper than Python's."""
        self._enter(self._new.root(), self._old.root(), told=True)
        while self._levels:
            level = self._levels[-1]
            pair = next(level.left, None)
            if pair is None:
                self._levels.pop()
                continue
            name, new, old = pair
            if new is None:
                yield from self._tell(_change(ChangeKind.DELETED, (*level.node.path, name)))
                continue
            kind = self._kind(new, old)
            if kind is not None:
                yield from self._tell(_change(kind, new.path))
            if new.is_directory:
                self._enter(new, old, told=kind is not None)

    def _enter(self, new: Node, old: Node | None, *, told: bool) -> None:
        ours = self._new.children(new)
        theirs = self._old.children(old) if old is not None and old.is_directory else {}
        names = sorted(ours.keys() | theirs.keys())
        pairs = [(name, ours.get(name), theirs.get(name)) for name in names]
        left = (pair for pair in pairs if not _is_shared(pair[1]))
        self._levels.append(_Level(new, left, told))

    def _tell(self, change: FileChange) -> Iterator[FileChange]:
        """Yield a row, and before it those directories above that are not listed yet."""
        for level in self._levels:
            if not level.told:
                level.told = True
                yield _change(ChangeKind.CHANGED, level.node.path)
        yield change

    def _kind(self, new: Node, old: Node | None) -> ChangeKind | None:
        if old is None:
            return ChangeKind.ADDED
        same = not _stat_differs(new.found, old.found) and (
            not stat.S_ISREG(new.found.st_mode) or self._capability_is_same(new, old)
        )
        return None if same else ChangeKind.CHANGED

    def _capability_is_same(self, new: Node, old: Node) -> bool:
        return _capability(self._new, new) == _capability(self._old, old)


def _change(kind: ChangeKind, path: Path) -> FileChange:
    return FileChange(kind, b"/" + join(path))


def _is_shared(node: Node | None) -> bool:
    """Tell whether it comes from below the topmost directory."""
    return node is not None and node.places[0] != 0


def _stat_differs(new: os.stat_result, old: os.stat_result) -> bool:
    if (new.st_mode, new.st_uid, new.st_gid, new.st_rdev) != (
        old.st_mode, old.st_uid, old.st_gid, old.st_rdev,
    ):  # fmt: skip
        return True
    if stat.S_ISDIR(new.st_mode):
        return False
    return new.st_size != old.st_size or not _same_time(new.st_mtime_ns, old.st_mtime_ns)


def _same_time(one: int, other: int) -> bool:
    """Archives of whole seconds lose the rest; a time without one matches any in its second."""
    if one // _NS != other // _NS:
        return False
    return one == other or one % _NS == 0 or other % _NS == 0


def _capability(tree: LayeredTree, node: Node) -> bytes:
    try:
        with tree.looking(node) as fd:
            return os.getxattr(f"/proc/self/fd/{fd}", _CAPABILITY)
    except FileNotFoundError:
        return b""
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return b""
        raise
