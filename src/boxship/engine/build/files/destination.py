"""The tree that is written to: its directories, made where they are missing, however links lead."""

import os
import stat
from dataclasses import dataclass

from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.files.owning import ROOT, Ids
from boxship.kernel.paths import RESOLVE_IN_ROOT, openat2
from boxship.storage.tree import Path, join

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_MOST_LINKS = 40
_MODE = 0o755


@dataclass(frozen=True, slots=True)
class Made:
    """How directories are made on the way to a file."""

    ids: Ids = ROOT
    modified_ns: int | None = None
    mode: int = _MODE


class Directory:
    """An open directory and its real path; use it as a context."""

    def __init__(self, fd: int, path: Path) -> None:
        self.fd = fd
        self.path = path

    def __enter__(self) -> "Directory":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


class Destination:
    """A tree by the descriptor of its root."""

    def __init__(self, root: int) -> None:
        self.root = root
        self._own = os.readlink(b"/proc/self/fd/%d" % root)

    def is_directory(self, path: Path) -> bool:
        """Tell whether a path, links followed, is one."""
        try:
            os.close(openat2(self.root, os.fsdecode(join(path)), _DIRECTORY, RESOLVE_IN_ROOT))
        except OSError:
            return False
        return True

    def directory(self, path: Path, made: Made, links: int = _MOST_LINKS) -> Directory:
        """Open a directory, made with all above it that are missing.

        A link that leads nowhere leads to a directory afterwards, as in BuildKit.
        InvalidArgumentError: something else is in the way.
        """
        try:
            fd = openat2(self.root, os.fsdecode(join(path)), _DIRECTORY, RESOLVE_IN_ROOT)
        except FileNotFoundError:
            return self._make(path, made, links)
        except NotADirectoryError:
            shown = os.fsdecode(join(path))
            raise InvalidArgumentError(f"cannot copy to non-directory: /{shown}") from None
        return Directory(fd, self._real(fd))

    def parent(self, path: Path, made: Made, links: int = _MOST_LINKS) -> tuple[Directory, bytes]:
        """Open the directory that a file is to be in, and return its name there.

        A link at the end of the path stays, and what it leads to is meant, as in BuildKit.
        """
        if not path:
            raise InvalidArgumentError("a file cannot take the place of the root directory")
        above = self.directory(path[:-1], made)
        try:
            content = os.readlink(path[-1], dir_fd=above.fd)
        except OSError:  # nothing, or no link
            return above, path[-1]
        with above:
            if not links:
                raise InvalidArgumentError(f"too many links at /{os.fsdecode(join(path))}")
            return self.parent(_led(above.path, content), made, links - 1)

    def _make(self, path: Path, made: Made, links: int) -> Directory:
        with self.directory(path[:-1], made, links) as above:
            name = path[-1]
            try:
                os.mkdir(name, made.mode, dir_fd=above.fd)
            except FileExistsError:
                return self._behind(above, name, made, links)
            fd = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=above.fd)
            os.fchown(fd, made.ids.uid, made.ids.gid)
            os.fchmod(fd, made.mode)
            if made.modified_ns is not None:
                os.utime(fd, ns=(made.modified_ns, made.modified_ns))
            return Directory(fd, (*above.path, name))

    def _behind(self, above: Directory, name: bytes, made: Made, links: int) -> Directory:
        found = os.lstat(name, dir_fd=above.fd)
        if not stat.S_ISLNK(found.st_mode) or not links:
            shown = os.fsdecode(join((*above.path, name)))
            raise InvalidArgumentError(f"cannot copy to non-directory: /{shown}")
        content = os.readlink(name, dir_fd=above.fd)
        return self.directory(_led(above.path, content), made, links - 1)

    def _real(self, fd: int) -> Path:
        found = os.readlink(b"/proc/self/fd/%d" % fd)
        return tuple(part for part in found[len(self._own) :].split(b"/") if part)


def _led(directory: Path, content: bytes) -> Path:
    """Return where a link in a directory leads."""
    path = () if content.startswith(b"/") else directory
    for part in content.split(b"/"):
        if part == b"..":
            path = path[:-1]
        elif part not in (b"", b"."):
            path = (*path, part)
    return path
