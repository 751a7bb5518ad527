"""A directory tree written through descriptors, so that nothing in an archive can lead out of it.

Every parent directory is opened with ``openat2``: first without following any link, which nearly
always works; if a link is in the way, under ``RESOLVE_IN_ROOT``, where absolute links and ``..``
stay inside. The last component is never followed. Open parents are cached; a directory that gets
moved away takes the cache with it, because a cached descriptor would follow the move.

Paths are tuples of components without ``""``, ``"."`` and ``".."``; *real* paths have no links in
them either.
"""

import errno
import os
from collections import OrderedDict
from typing import Self

from boxship.kernel.paths import (
    RESOLVE_BENEATH,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_SYMLINKS,
    openat2,
)

Path = tuple[bytes, ...]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_STRICT = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
_MOST_CACHED = 96
_DEFAULT_MODE = 0o755


class UnsafePathError(ValueError):
    """A name in an archive points outside of the tree."""


def split(name: bytes) -> Path:
    """Split an archive's name; ``..`` is taken lexically. Raise UnsafePathError above the top."""
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if not parts:
                raise UnsafePathError(f"{os.fsdecode(name)!r} is outside of the archive's root")
            parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    if b"\0" in name:
        raise UnsafePathError(f"{os.fsdecode(name)!r} has a NUL in it")
    return tuple(parts)


def join(path: Path) -> bytes:
    """Write a path for the kernel."""
    return b"/".join(path) or b"."


class Parent:
    """An open directory and its real path. Owned by the cache."""

    __slots__ = ("fd", "path")

    def __init__(self, fd: int, path: Path) -> None:
        self.fd = fd
        self.path = path


class RootedTree:
    """A directory to be filled. Use it as a context; it owns its descriptors."""

    def __init__(self, path: str, *, most_cached: int = _MOST_CACHED) -> None:
        self.fd = os.open(path, _DIRECTORY)
        self._most_cached = most_cached
        self._own_path = b""
        self._cache: OrderedDict[Path, Parent] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.forget()
        os.close(self.fd)

    def parent(self, path: Path) -> Parent:
        """Open the directory that ``path`` is in; missing directories are made, as Docker does."""
        return self.directory(path[:-1])

    def directory(self, path: Path, *, make: bool = True) -> Parent:
        """Open the directory ``path``, following links inside the tree.

        What is missing is made, or raises FileNotFoundError without ``make``.
        """
        cached = self._cache.get(path)
        if cached is not None:
            self._cache.move_to_end(path)
            return cached
        parent = self._open(path, make)
        self._cache[path] = parent
        if len(self._cache) > self._most_cached:
            os.close(self._cache.popitem(last=False)[1].fd)
        return parent

    def open_real(self, path: Path, flags: int) -> int:
        """Open a real path; OSError if anything in it is a link by now. The caller closes it."""
        return openat2(self.fd, os.fsdecode(join(path)), flags | os.O_NOFOLLOW, _STRICT)

    def forget(self) -> None:
        """Close the cached directories: something was moved."""
        for parent in self._cache.values():
            os.close(parent.fd)
        self._cache.clear()

    def _open(self, path: Path, make: bool) -> Parent:
        text = os.fsdecode(join(path))
        try:
            return Parent(openat2(self.fd, text, _DIRECTORY, _STRICT), path)
        except FileNotFoundError:
            if not make:
                raise
            return self._make(path)
        except OSError as error:
            if error.errno != errno.ELOOP or not make:
                raise
        try:
            fd = openat2(self.fd, text, _DIRECTORY, RESOLVE_IN_ROOT)
        except FileNotFoundError:
            return self._make(path)
        return Parent(fd, self._real(fd))

    def _make(self, path: Path) -> Parent:
        """Make the last component below the one before; a dangling link there is an error."""
        # From the top down, and not each from the one below it: names may be 2000 directories deep.
        missing = 1
        while missing < len(path) and not self._is_there(path[:-missing]):
            missing += 1
        for below in range(missing - 1, 1, -1):
            self.directory(path[:-below])
        above = self.directory(path[:-1])
        name = path[-1]
        os.mkdir(name, _DEFAULT_MODE, dir_fd=above.fd)
        fd = openat2(above.fd, os.fsdecode(name), _DIRECTORY, _STRICT)
        os.fchmod(fd, _DEFAULT_MODE)
        return Parent(fd, (*above.path, name))

    def _is_there(self, path: Path) -> bool:
        if path in self._cache:
            return True
        try:
            os.close(openat2(self.fd, os.fsdecode(join(path)), _DIRECTORY, RESOLVE_IN_ROOT))
        except FileNotFoundError:
            return False
        return True

    def _real(self, fd: int) -> Path:
        """Ask the kernel where a directory is that was reached through links."""
        if not self._own_path:
            self._own_path = os.readlink(f"/proc/self/fd/{self.fd}".encode())
        found = os.readlink(f"/proc/self/fd/{fd}".encode())
        return tuple(part for part in found[len(self._own_path) :].split(b"/") if part)
