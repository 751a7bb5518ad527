"""A stack of directories seen as overlayfs shows it, without mounting anything.

Roots are descriptors, topmost first. The walk goes by real paths from the roots and follows no
link, so that a container that changes its own tree meanwhile cannot lead it elsewhere.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from boxship.kernel.paths import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2
from boxship.storage.tree import Path, join

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_STRICT = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
_LONGEST = 4000
_DEEPEST = 10_000
"""Going down takes a while for each level; some end there must be."""
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_IS_OPAQUE, _HAS_MARKED_FILES = b"y", b"x"
_NO_SUCH_ATTRIBUTE = (errno.ENODATA, errno.ENOTSUP, errno.EPERM)


class StackEntry(NamedTuple):
    """A name as it is seen. ``root`` counts from the top; ``parent`` is open during the visit."""

    name: bytes
    found: os.stat_result
    root: int
    parent: int


class StackDirectory(NamedTuple):
    """A directory as it is seen. ``fd`` is its topmost part, which gives its attributes."""

    path: Path
    fd: int
    entries: dict[bytes, StackEntry]


def walk(roots: Sequence[int], opaque: str) -> Iterator[StackDirectory]:
    """Yield every directory before those in it; descriptors are good until the next one.

    ``opaque`` is the attribute of a directory that hides those below it.
    """
    pending: list[tuple[Path, tuple[int, ...]]] = [((), tuple(range(len(roots))))]
    while pending:
        path, parts = pending.pop()
        with ExitStack() as opened:
            directory, below = visit(roots, path, parts, opaque, opened)
            pending += [((*path, name), found) for name, found in reversed(below.items())]
            yield directory


def visit(
    roots: Sequence[int], path: Path, parts: tuple[int, ...], opaque: str, opened: ExitStack
) -> tuple[StackDirectory, dict[bytes, tuple[int, ...]]]:
    """Merge one directory of the roots numbered ``parts``; ``opened`` closes what is opened.

    Return it, and which roots have a part in each directory below it.
    """
    entries: dict[bytes, StackEntry] = {}
    below: dict[bytes, tuple[int, ...]] = {}
    hidden: set[bytes] = set()
    top = -1
    for root in parts:
        fd = open_directory(roots[root], path)
        opened.callback(os.close, fd)
        top = fd if top < 0 else top
        mark = _attribute(fd, opaque)
        whiteout = whiteout_attribute(opaque) if mark == _HAS_MARKED_FILES else ""
        with os.scandir(fd) as found:
            for entry in found:
                name = os.fsencode(entry.name)
                if name in hidden:
                    continue
                seen = StackEntry(name, entry.stat(follow_symlinks=False), root, fd)
                if stat.S_ISDIR(seen.found.st_mode):
                    below[name] = (*below.get(name, ()), root)
                    entries.setdefault(name, seen)
                    continue
                hidden.add(name)
                if name not in entries and not hides(fd, name, seen.found, whiteout):
                    entries[name] = seen
        if mark == _IS_OPAQUE:
            break
    return StackDirectory(path, top, entries), below


def make_whiteout(directory: int, name: bytes, opaque: str) -> None:
    """Hide ``name``; ``opaque`` is the attribute of directories. Raise FileExistsError.

    Where the device cannot be made (the store is on an overlay itself), overlayfs' newer form does
    (Linux 6.7): an empty file with an attribute, in a directory that says that there are some.
    """
    try:
        os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=directory)
    except PermissionError:
        if _attribute(directory, opaque) == _IS_OPAQUE:
            return  # there is nothing to hide
        fd = os.open(name, _NEW_FILE, 0, dir_fd=directory)
        try:
            os.setxattr(fd, whiteout_attribute(opaque), b"y")
        finally:
            os.close(fd)
        os.setxattr(directory, opaque, _HAS_MARKED_FILES)


def whiteout_attribute(opaque: str) -> str:
    """Return the attribute of files that goes with the one of directories."""
    return opaque.removesuffix("opaque") + "whiteout"


def hides(directory: int, name: bytes, found: os.stat_result, whiteout: str) -> bool:
    """Tell whether a file hides the one below it; ``whiteout`` is empty if devices alone do."""
    if is_whiteout(found):
        return True
    if not whiteout or found.st_size or not stat.S_ISREG(found.st_mode):
        return False
    return _attribute(b"/proc/self/fd/%d/%s" % (directory, name), whiteout) is not None


def _attribute(target: int | bytes, name: str) -> bytes | None:
    try:
        return os.getxattr(target, name, follow_symlinks=isinstance(target, int))
    except OSError as error:
        if error.errno not in _NO_SUCH_ATTRIBUTE:
            raise
        return None


def is_whiteout(found: os.stat_result) -> bool:
    """Tell whether a file of an unpacked layer hides the one below it."""
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def open_directory(root: int, path: Path) -> int:
    """Open a real path below ``root``. OSError if there is a link in it by now.

    Containers make trees that are deeper than the longest path the kernel takes.
    """
    if len(path) > _DEEPEST:
        raise OSError(errno.ENAMETOOLONG, f"more than {_DEEPEST} directories in each other")
    fd = root
    for part in _parts(path):
        above = fd
        try:
            fd = openat2(above, part, _DIRECTORY, _STRICT)
        finally:
            if above != root:
                os.close(above)
    return fd


def _parts(path: Path) -> Iterator[str]:
    """Cut a path into pieces that the kernel takes."""
    whole = join(path)
    while len(whole) > _LONGEST:
        end = whole.rindex(b"/", 0, _LONGEST)
        yield os.fsdecode(whole[:end])
        whole = whole[end + 1 :]
    yield os.fsdecode(whole)


def tree_size(path: str) -> int:
    """Add up what files and links below ``path`` hold, hard links once, as Docker counts it.

    What disappears meanwhile does not count, nor what lies too deep.
    """
    seen: set[tuple[int, int]] = set()
    total = 0
    root = os.open(path, _DIRECTORY)
    try:
        pending: list[Path] = [()]
        while pending:
            directory = pending.pop()
            for name, found in _listed(root, directory):
                if stat.S_ISDIR(found.st_mode):
                    pending.append((*directory, name))
                elif found.st_nlink == 1:
                    total += found.st_size
                elif (found.st_dev, found.st_ino) not in seen:
                    seen.add((found.st_dev, found.st_ino))
                    total += found.st_size
    finally:
        os.close(root)
    return total


def _listed(root: int, path: Path) -> Iterator[tuple[bytes, os.stat_result]]:
    try:
        fd = open_directory(root, path)
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise
        return
    try:
        with os.scandir(fd) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    yield os.fsencode(entry.name), entry.stat(follow_symlinks=False)
    finally:
        os.close(fd)
