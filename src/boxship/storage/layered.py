"""A stack of directories read as overlayfs would show it, without mounting anything.

Beside ``stack.py``, which goes through all of it, this one is asked for what is wanted, in any
order, and looks into files. A mount would need a place, a namespace, and an end even when the
daemon is killed; it would refuse long stacks, and be undefined while a container writes. Reading
the directories needs none of it, and shows the owners that are on the disk, which are the
container's own (ADR 31).

What decides, from the top down: a whiteout hides the name in all directories below it; a file or
an opaque directory hides what is below; directories of one name are merged.

Containers may go on writing meanwhile, and whatever they put into the way must not lead out of the
tree: directories are opened with ``openat2``, never through a link, and files are looked at before
they are opened, because opening a device can do things.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from boxship.base.errors import NotFoundError, UnavailableError
from boxship.kernel.paths import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2
from boxship.storage.stack import is_whiteout, whiteout_attribute
from boxship.storage.tree import Path, RootedTree, join

_IS_OPAQUE, _HAS_MARKED_FILES = b"y", b"x"
"""The latter: there are whiteouts of the newer kind, empty files with an attribute (Linux 6.7)."""
_STRICT = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
_LOOK = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE})


class UnreadableError(UnavailableError):
    """A container's files have gone, or the disk does not give them."""


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """Tell errors of reading from those of whoever takes in what is read."""
    try:
        yield
    except (OSError, NotFoundError) as error:
        raise UnreadableError(f"the container's files cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class Node:
    """One file of a stack. ``places`` are the directories that have it, as indices, topmost first;
    more than one only for a directory that is merged."""

    path: Path
    found: os.stat_result
    places: tuple[int, ...]

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.found.st_mode)


class Entry(NamedTuple):
    """What one directory of the stack has under a name; a whiteout only hides."""

    name: bytes
    found: os.stat_result
    whiteout: bool


class LayeredTree:
    """Directories on top of each other, topmost first. Use it as a context; owns descriptors."""

    def __init__(self, directories: Sequence[str], opaque: str = "") -> None:
        """``opaque`` is the attribute of a directory that hides those below it.

        No other hides anything: any process can write overlayfs' marks of another namespace. Nor
        does anything without it, in a directory that is no part of a stack.
        """
        self._opaque = opaque
        self._whiteout = whiteout_attribute(opaque)
        self._trees: list[RootedTree] = []
        try:
            for directory in directories:
                self._trees.append(RootedTree(directory, most_cached=4))
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        for tree in self._trees:
            tree.__exit__()

    def root(self) -> Node:
        """Return the top of it all."""
        return Node((), os.fstat(self._trees[0].fd), tuple(range(len(self._trees))))

    def children(self, directory: Node) -> dict[bytes, Node]:
        """Return what is in a directory, by name, sorted. One that has gone is empty."""
        merging: dict[bytes, _Merging] = {}
        for place in directory.places:
            for entry in self._entries(place, directory.path):
                merged = merging.setdefault(entry.name, _Merging())
                if not merged.closed:
                    merged.add(place, entry)
                    more = place != directory.places[-1] and not merged.closed
                    if more and self.is_opaque(place, (*directory.path, entry.name)):
                        merged.closed = True
        return {
            name: Node((*directory.path, name), merged.found, tuple(merged.places))
            for name, merged in sorted(merging.items())
            if merged.found is not None
        }

    def child(self, directory: Node, name: bytes) -> Node | None:
        """Return what a directory has under one name, without looking at the others."""
        merged = _Merging()
        for place in directory.places:
            entry = self._entry(place, directory.path, name)
            if entry is not None:
                merged.add(place, entry)
                if merged.closed or self.is_opaque(place, (*directory.path, name)):
                    break
        if merged.found is None:
            return None
        return Node((*directory.path, name), merged.found, tuple(merged.places))

    def entries(self, place: int, path: Path) -> list[Entry]:
        """Return what one of the directories itself has, whiteouts too, sorted by name."""
        return sorted(self._entries(place, path), key=lambda entry: entry.name)

    def is_opaque(self, place: int, path: Path) -> bool:
        """Tell whether that directory hides those below it. False for anything else."""
        try:
            fd = openat2(self._trees[place].fd, os.fsdecode(join(path)), _LOOK, _STRICT)
        except OSError as error:
            if error.errno in _GONE:
                return False
            raise
        with _closing(fd):
            return self._mark(fd) == _IS_OPAQUE

    @contextlib.contextmanager
    def looking(self, node: Node) -> Iterator[int]:
        """Open a file of any kind for looking at (O_PATH), through which its attributes are read.

        FileNotFoundError: it has gone meanwhile, or it is something else by now.
        """
        tree = self._trees[node.places[0]]
        flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            parent = tree.directory(node.path[:-1], make=False) if node.path else None
            name = node.path[-1] if node.path else b"."
            fd = os.open(name, flags, dir_fd=parent.fd if parent else tree.fd)
        except OSError as error:
            if error.errno in _GONE:
                raise FileNotFoundError(error.errno, error.strerror) from error
            raise
        with _closing(fd):
            if stat.S_IFMT(os.fstat(fd).st_mode) != stat.S_IFMT(node.found.st_mode):
                raise FileNotFoundError(errno.ESTALE, os.strerror(errno.ESTALE))
            yield fd

    def _entries(self, place: int, path: Path) -> Iterator[Entry]:
        try:
            parent = self._trees[place].directory(path, make=False)
            entries = os.scandir(parent.fd)
        except OSError as error:
            if error.errno in _GONE:
                return
            raise
        marked = self._mark(parent.fd) == _HAS_MARKED_FILES
        with entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    found = entry.stat(follow_symlinks=False)
                    whiteout = bool(self._opaque) and is_whiteout(found)
                    hides = whiteout or (marked and self._is_marked(parent.fd, entry.name))
                    yield Entry(os.fsencode(entry.name), found, hides)

    def _entry(self, place: int, path: Path, name: bytes) -> Entry | None:
        try:
            parent = self._trees[place].directory(path, make=False)
            found = os.lstat(name, dir_fd=parent.fd)
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise
        whiteout = bool(self._opaque) and is_whiteout(found)
        if not whiteout and self._mark(parent.fd) == _HAS_MARKED_FILES:
            whiteout = self._is_marked(parent.fd, os.fsdecode(name))
        return Entry(name, found, whiteout)

    def _mark(self, fd: int) -> bytes | None:
        return _attribute(fd, self._opaque) if self._opaque else None

    def _is_marked(self, parent: int, name: str) -> bool:
        return _attribute(f"/proc/self/fd/{parent}/{name}", self._whiteout) is not None


class _Merging:
    """One name, while the directories are gone through from the top down."""

    __slots__ = ("closed", "found", "places")

    def __init__(self) -> None:
        self.found: os.stat_result | None = None
        self.places: list[int] = []
        self.closed = False

    def add(self, place: int, entry: Entry) -> None:
        is_directory = stat.S_ISDIR(entry.found.st_mode)
        if entry.whiteout or (self.found is not None and not is_directory):
            self.closed = True  # a file under a directory is hidden, and hides what is below itself
            return
        self.found = self.found or entry.found
        self.places.append(place)
        self.closed = not is_directory


def _attribute(target: int | str, name: str) -> bytes | None:
    try:
        return os.getxattr(target, name, follow_symlinks=isinstance(target, int))
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP, errno.EPERM):
            return None
        raise


@contextlib.contextmanager
def _closing(fd: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(fd)
