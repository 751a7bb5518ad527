"""Directories as a builder may ask for them, and what of one is selected.

::

    walk(selection) ─► (path, Stat) …   sorted, directories before what is in them
    open(path)      ─► the content

Of links, what they say is sent, never what they lead to. Owners are nobody's business: every path
is sent as root's.
"""

import io
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO, NamedTuple, Protocol

from boxship.client.buildkit.following import followed
from boxship.dockerfile.ignore import Ignoring, ignore
from boxship.wire.buildkit import filesync
from boxship.wire.buildkit.filesync import Stat

_GO_KINDS = {
    stat.S_IFDIR: filesync.GO_DIRECTORY,
    stat.S_IFLNK: filesync.GO_SYMLINK,
    stat.S_IFIFO: filesync.GO_NAMED_PIPE,
    stat.S_IFSOCK: filesync.GO_SOCKET,
    stat.S_IFBLK: filesync.GO_DEVICE,
    stat.S_IFCHR: filesync.GO_DEVICE | filesync.GO_CHAR_DEVICE,
}
_GO_SPECIAL = (
    (stat.S_ISUID, filesync.GO_SETUID),
    (stat.S_ISGID, filesync.GO_SETGID),
    (stat.S_ISVTX, filesync.GO_STICKY),
)


class Selection(NamedTuple):
    """Patterns as in ``.dockerignore``; ``follow`` are paths whose links are followed.

    Nothing to include and nothing to follow is everything.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    follow: tuple[str, ...] = ()


class Source(Protocol):
    """A directory."""

    def walk(self, selection: Selection) -> Iterator[Stat]: ...

    def open(self, path: str) -> BinaryIO:
        """The content of a file that ``walk`` has named."""


class MemoryDirectory:
    """A few files that are on no disk; all of one moment, so that the same is the same again."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = dict(sorted(files.items()))

    def walk(self, selection: Selection) -> Iterator[Stat]:
        chosen = _Chooser(selection.include, selection.exclude)
        for name, data in self._files.items():
            if chosen.has(name):
                yield Stat(path=name, mode=0o644, size=len(data))

    def open(self, path: str) -> BinaryIO:
        return io.BytesIO(self._files[path])


class LocalDirectory:
    """A directory of this machine."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)

    def walk(self, selection: Selection) -> Iterator[Stat]:
        include = selection.include
        if selection.follow:
            paths = followed(self._root, selection.follow)
            include = (*include, *paths) if "." not in paths else ()
        if not include and not selection.exclude:
            yield from self._all(self._root, "")
            return
        yield from self._selected(_Chooser(include, selection.exclude))

    def open(self, path: str) -> BinaryIO:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        return open(os.open(os.path.join(self._root, path), flags), "rb", buffering=0)

    def _all(self, directory: str, prefix: str) -> Iterator[Stat]:
        for entry in _sorted(directory):
            found = self._stat(entry, prefix + entry.name)
            if found is None:
                continue
            yield found
            if found.mode & filesync.GO_DIRECTORY:
                yield from self._all(entry.path, f"{prefix}{entry.name}/")

    def _selected(self, chosen: "_Chooser") -> Iterator[Stat]:
        """A directory that is not chosen itself goes ahead of the first of its files that is."""
        held: list[Stat] = []
        for found in self._candidates(self._root, "", chosen):
            while held and not found.path.startswith(held[-1].path + "/"):
                held.pop()
            if chosen.has(found.path):
                yield from held
                held.clear()
                yield found
            elif found.mode & filesync.GO_DIRECTORY:
                held.append(found)

    def _candidates(self, directory: str, prefix: str, chosen: "_Chooser") -> Iterator[Stat]:
        for entry in _sorted(directory):
            path = prefix + entry.name
            found = self._stat(entry, path)
            if found is None:
                continue
            yield found
            if found.mode & filesync.GO_DIRECTORY and chosen.may_have_below(path):
                yield from self._candidates(entry.path, f"{path}/", chosen)

    def _stat(self, entry: "os.DirEntry[str]", path: str) -> Stat | None:
        try:
            found = entry.stat(follow_symlinks=False)
            link = os.readlink(entry.path) if stat.S_ISLNK(found.st_mode) else ""
        except FileNotFoundError:
            return None  # it went while we looked
        kind = stat.S_IFMT(found.st_mode)
        if kind == stat.S_IFSOCK:
            return None
        return Stat(
            path=path,
            mode=go_mode(found.st_mode),
            size=found.st_size if kind == stat.S_IFREG else len(os.fsencode(link)),
            modified_ns=found.st_mtime_ns,
            linkname=link,
            device_major=os.major(found.st_rdev) if kind in (stat.S_IFBLK, stat.S_IFCHR) else 0,
            device_minor=os.minor(found.st_rdev) if kind in (stat.S_IFBLK, stat.S_IFCHR) else 0,
            xattrs=_attributes(entry.path) if kind != stat.S_IFLNK else {},
        )


class _Chooser:
    """Which paths are wanted."""

    def __init__(self, include: Iterable[str], exclude: Iterable[str]) -> None:
        include, exclude = (tuple(map(_edged, each)) for each in (include, exclude))
        self._include = Ignoring(ignore(include)) if include else None
        self._within = ignore(tuple(f"!{pattern}" for pattern in include))
        self._exclude = Ignoring(ignore(exclude))

    def has(self, path: str) -> bool:
        if self._include is not None and not self._include.leaves_out(path):
            return False
        return not self._exclude.leaves_out(path)

    def may_have_below(self, path: str) -> bool:
        """Whether it is worth looking into a directory."""
        if self._include is not None and not (
            self._include.leaves_out(path) or self._within.may_take_within(path)
        ):
            return False
        return not self._exclude.leaves_out(path) or self._exclude.patterns.may_take_within(path)


def _edged(pattern: str) -> str:
    """Write spaces at the ends as classes: the builder means them, the ignore language doesn't."""
    inner = pattern.strip()
    if not inner or inner == pattern:
        return pattern
    start, _, end = pattern.partition(inner)
    before, after = ("".join(f"[{space}]" for space in spaces) for spaces in (start, end))
    return f"{before}{inner}{after}"


def _sorted(directory: str) -> "list[os.DirEntry[str]]":
    with os.scandir(directory) as entries:
        return sorted(entries, key=lambda entry: os.fsencode(entry.name))


def _attributes(path: str) -> dict[str, bytes]:
    """Extended attributes, as far as they may be read."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
        return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    except OSError:
        return {}


def go_mode(mode: int) -> int:
    """``st_mode`` as Go's ``os.FileMode``."""
    result = stat.S_IMODE(mode) & 0o777 | _GO_KINDS.get(stat.S_IFMT(mode), 0)
    for bit, go in _GO_SPECIAL:
        if mode & bit:
            result |= go
    return result
