"""What a directory has that the layers it was copied from have not, and the other way round.

See ``vfs.py`` for what counts as changed.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

from boxship.storage import stack
from boxship.storage.copying import copy_attributes, copy_entry, set_times
from boxship.storage.tree import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_LINK = (errno.EMLINK, errno.EPERM)
"""It has as many names as can be, or must not be changed."""
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Change(NamedTuple):
    """One name in a directory; ``parent``, of the tree, is open during the visit."""

    directory: Path
    name: bytes
    found: os.stat_result | None
    """None: only the layers have it."""
    parent: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A tree beside the layers below it, topmost first; the descriptors are the caller's."""

    tree: int
    layers: Sequence[int]
    stamp_ns: int
    opaque: str

    def size(self) -> int:
        """Add up what changed files and links hold, hard links once; bytes."""
        total = 0
        seen: set[int] = set()
        for change in self.changes():
            found = change.found
            if found and not stat.S_ISDIR(found.st_mode) and found.st_ino not in seen:
                seen.add(found.st_ino)
                total += found.st_size
        return total

    def write(self, target: str) -> None:
        """Make the new directory ``target`` an upper directory of hard links and whiteouts.

        What goes while we are at it is left out.
        """
        os.mkdir(target, 0o700)
        root = os.open(target, _DIRECTORY)
        try:
            upper = _Upper(self.tree, root, self.opaque)
            for change in self.changes():
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # gone meanwhile
                    upper.put(change)
            upper.finish()
        finally:
            os.close(root)

    def changes(self) -> Iterator[Change]:
        """Yield what differs, what is in a directory after the directory itself."""
        pending: list[tuple[Path, tuple[int, ...]]] = [((), tuple(range(len(self.layers))))]
        while pending:
            path, parts = pending.pop()
            with ExitStack() as opened:
                try:
                    tree = stack.open_directory(self.tree, path)
                except OSError as error:
                    if error.errno not in _GONE:
                        raise
                    continue  # it went while we were on the way
                opened.callback(os.close, tree)
                entries: dict[bytes, stack.StackEntry] = {}
                below: dict[bytes, tuple[int, ...]] = {}
                if parts:
                    lower, below = stack.visit(self.layers, path, parts, self.opaque, opened)
                    entries = lower.entries
                for name, found in _listed(tree):
                    old = entries.pop(name, None)
                    if old is None or self._differs(found, old.found):
                        yield Change(path, name, found, tree)
                    if stat.S_ISDIR(found.st_mode):
                        stays = old is not None and stat.S_ISDIR(old.found.st_mode)
                        pending.append(((*path, name), below[name] if stays else ()))
                for name in entries:
                    yield Change(path, name, None, tree)

    def _differs(self, found: os.stat_result, old: os.stat_result) -> bool:
        if found.st_ctime_ns >= self.stamp_ns:
            return True
        return any(
            getattr(found, field) != getattr(old, field)
            for field in ("st_mode", "st_uid", "st_gid", "st_rdev", "st_mtime_ns")
        ) or (found.st_size != old.st_size and not stat.S_ISDIR(found.st_mode))


class _Upper:
    """Writes an upper directory. Directories are made when something in them has changed."""

    def __init__(self, tree: int, target: int, opaque: str) -> None:
        self._tree = tree
        self._opaque = opaque
        self._target = target
        self._made: dict[Path, os.stat_result] = {(): os.fstat(tree)}
        found = self._made[()]
        os.fchown(target, found.st_uid, found.st_gid)
        os.fchmod(target, stat.S_IMODE(found.st_mode))
        copy_attributes(b"/proc/self/fd/%d/." % tree, b"/proc/self/fd/%d/." % target)

    def put(self, change: Change) -> None:
        if change.found is not None and stat.S_ISDIR(change.found.st_mode):
            self._make((*change.directory, change.name))
            return
        self._make(change.directory)
        target = stack.open_directory(self._target, change.directory)
        try:
            if change.found is None:
                stack.make_whiteout(target, change.name, self._opaque)
            else:
                _link(change.name, change.parent, target)
        finally:
            os.close(target)

    def finish(self) -> None:
        """Give directories the times that making their contents has changed."""
        for path, found in reversed(self._made.items()):
            parent = stack.open_directory(self._target, path[:-1])
            try:
                set_times(parent, path[-1] if path else b".", found)
            finally:
                os.close(parent)

    def _make(self, path: Path) -> None:
        if path in self._made:
            return
        missing = next(n for n in range(len(path), 0, -1) if path[: n - 1] in self._made)
        for depth in range(missing, len(path) + 1):
            self._make_one(path[:depth])

    def _make_one(self, path: Path) -> None:
        with ExitStack() as opened:
            parents = []
            for root in (self._tree, self._target):
                parents.append(stack.open_directory(root, path[:-1]))
                opened.callback(os.close, parents[-1])
            found = os.lstat(path[-1], dir_fd=parents[0])
            if not stat.S_ISDIR(found.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, "it changes meanwhile", path[-1])
            copy_entry(parents[0], path[-1], found, parents[1], path[-1])
            self._made[path] = found


def _link(name: bytes, parent: int, target: int) -> None:
    try:
        os.link(name, name, src_dir_fd=parent, dst_dir_fd=target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        copy_entry(parent, name, os.lstat(name, dir_fd=parent), target, name)


def _listed(fd: int) -> Iterator[tuple[bytes, os.stat_result]]:
    """Yield names with what they are; what goes meanwhile is left out."""
    with os.scandir(fd) as entries:
        for entry in entries:
            try:
                yield os.fsencode(entry.name), entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
