"""Make one directory of a stack of layers: what a mount of them would show.

``vfs`` copies it for every container. ``overlay2`` needs it below a stack that is higher than the
kernel takes, and nobody writes to it there: hard links to the layers' files will do.
"""

import errno
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from boxship.storage import stack
from boxship.storage.copying import copy_attributes, copy_entry, set_times
from boxship.storage.tree import Path

_NO_LINK = (errno.EXDEV, errno.EMLINK, errno.EPERM)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def flatten(layers: Sequence[str], target: str, opaque: str, *, link: bool = False) -> None:
    """Fill the new directory ``target`` with what ``layers`` (topmost first) show together.

    With ``link`` files are shared with the layers where that can be. Hard links within a layer
    stay hard links.
    """
    with ExitStack() as opened:
        roots = []
        for layer in layers:
            roots.append(os.open(layer, _DIRECTORY))
            opened.callback(os.close, roots[-1])
        os.mkdir(target, 0o700)
        root = os.open(target, _DIRECTORY)
        opened.callback(os.close, root)
        _Flattening(roots, root, link=link).run(opaque)


def copy_tree(source: int, target: int, copied: Callable[[int], object] = int) -> None:
    """Copy an open directory, and what it has itself, into an open one that is empty.

    ``copied`` is told the bytes of each file; what it raises ends the copying.
    """
    # Nothing is hidden in what a mount shows, and no attribute has this name.
    _Flattening([source], target, link=False, copied=copied).run("trusted.boxship.none")


class _Flattening:
    def __init__(
        self,
        roots: Sequence[int],
        target: int,
        *,
        link: bool,
        copied: Callable[[int], object] = int,
    ) -> None:
        self._roots = roots
        self._target = target
        self._link = link
        self._copied = copied
        self._copies: dict[tuple[int, int], Path] = {}
        """Where files with several names have gone, by layer and inode."""
        self._times: list[tuple[Path, os.stat_result]] = []

    def run(self, opaque: str) -> None:
        for directory in stack.walk(self._roots, opaque):
            if not directory.path:
                self._dress_root(directory.fd)
            target = stack.open_directory(self._target, directory.path)
            try:
                for entry in directory.entries.values():
                    self._put(entry, target, (*directory.path, entry.name))
            finally:
                os.close(target)
        for path, found in reversed(self._times):
            parent = stack.open_directory(self._target, path[:-1])
            try:
                set_times(parent, path[-1] if path else b".", found)
            finally:
                os.close(parent)

    def _dress_root(self, top: int) -> None:
        found = os.fstat(top)
        os.fchown(self._target, found.st_uid, found.st_gid)
        os.fchmod(self._target, stat.S_IMODE(found.st_mode))
        copy_attributes(b"/proc/self/fd/%d/." % top, b"/proc/self/fd/%d/." % self._target)
        self._times.append(((), found))

    def _put(self, entry: stack.StackEntry, target: int, path: Path) -> None:
        if stat.S_ISDIR(entry.found.st_mode):
            self._times.append((path, entry.found))
        elif self._link and _linked(entry, target):
            return
        elif entry.found.st_nlink > 1:
            first = self._copies.setdefault((entry.root, entry.found.st_ino), path)
            if first is not path:
                self._name_again(first, target, entry.name)
                return
        copy_entry(entry.parent, entry.name, entry.found, target, entry.name)
        if stat.S_ISREG(entry.found.st_mode):
            self._copied(entry.found.st_size)

    def _name_again(self, first: Path, target: int, name: bytes) -> None:
        parent = stack.open_directory(self._target, first[:-1])
        try:
            os.link(first[-1], name, src_dir_fd=parent, dst_dir_fd=target, follow_symlinks=False)
        finally:
            os.close(parent)


def _linked(entry: stack.StackEntry, target: int) -> bool:
    try:
        os.link(
            entry.name,
            entry.name,
            src_dir_fd=entry.parent,
            dst_dir_fd=target,
            follow_symlinks=False,
        )
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return False
    return True
