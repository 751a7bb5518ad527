"""Copy files from one tree into another, both given by descriptors.

What is copied of a file: its data (with its holes), mode, attributes, time, and which names in what
is copied are the same file. Directories that are there already are merged; a link in a directory's
place is no directory. As in BuildKit: a directory whose contents are copied gives nothing of itself
to the one they go to, those inside of it do.

No name is used twice on the way: each directory is opened without following links, and what is in
it is reached from there.
"""

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.files.modes import Mode
from boxship.engine.build.files.owning import Ids
from boxship.kernel.paths import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2
from boxship.storage.copying import copy_data
from boxship.storage.tree import Path, join

Excluded = Callable[[str], bool]
"""Tells of a path below what is copied whether it is left out."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_STRICT = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
NOT_COPIED = ("trusted.overlay.", "user.overlay.", "security.selinux")
"""Beginnings of the attributes that stay behind; what is copied decides about keys, too."""
_NO_ATTRIBUTES = (errno.ENOTSUP, errno.EPERM)
_SMALL = 1 << 18


@dataclass(frozen=True, slots=True)
class Manner:
    """How copies differ from their originals."""

    ids: Ids | None = None
    """Whose they are; None: of those who own the originals."""
    mode: Mode | None = None
    modified_ns: int | None = None
    excluded: Excluded | None = None


@dataclass(slots=True)
class Copier:
    """Copies into the tree below the descriptor ``root``, any number of times."""

    root: int
    manner: Manner
    _first: dict[tuple[int, int], Path] = field(default_factory=dict)
    """Where the first of several names of a file is, real and below ``root``."""

    def contents(self, source: int, target: int, place: Path, below: Path = ()) -> None:
        """Copy what is in directory ``source`` to directory ``target``, whose real path is
        ``place``; ``below`` is the path from where exclusions count."""
        with os.scandir(source) as entries:
            names = sorted(os.fsencode(entry.name) for entry in entries)
        for name in names:
            self.entry(source, name, target, (*place, name), (*below, name))

    def entry(self, source: int, name: bytes, target: int, place: Path, below: Path) -> None:
        """Copy one name of a directory to the name that ``place`` ends in."""
        excluded = self.manner.excluded
        left_out = excluded is not None and excluded(os.fsdecode(join(below)))
        found = os.lstat(name, dir_fd=source)
        new_name = place[-1]
        if stat.S_ISDIR(found.st_mode):
            self._directory((source, name), target, place, below, left_out=left_out)
        elif left_out or stat.S_ISSOCK(found.st_mode):
            return
        elif stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            self._file(source, name, target, place)
        else:
            make_room(target, new_name, place)
            if found.st_nlink > 1 and self._linked(found, target, place):
                return
            if stat.S_ISREG(found.st_mode):
                self._file(source, name, target, place)
            else:
                self._special(source, name, found, target, new_name)

    def _directory(
        self, source: tuple[int, bytes], target: int, place: Path, below: Path, *, left_out: bool
    ) -> None:
        reading = os.open(source[1], _DIRECTORY, dir_fd=source[0])
        try:
            if left_out and not self._has_kept(reading, below):
                return
            writing = make_directory(target, place[-1], place)
            try:
                self.contents(reading, writing, place, below)
                self.dress(reading, writing)
            finally:
                os.close(writing)
        finally:
            os.close(reading)

    def _has_kept(self, directory: int, below: Path) -> bool:
        """Tell whether anything in a directory that is left out is not, by another pattern."""
        excluded = self.manner.excluded
        assert excluded is not None
        with os.scandir(directory) as entries:
            found = [(os.fsencode(e.name), e.is_dir(follow_symlinks=False)) for e in entries]
        for name, is_directory in found:
            path = (*below, name)
            if not excluded(os.fsdecode(join(path))):
                return True
            if is_directory:
                inside = os.open(name, _DIRECTORY, dir_fd=directory)
                try:
                    if self._has_kept(inside, path):
                        return True
                finally:
                    os.close(inside)
        return False

    def _linked(self, found: os.stat_result, target: int, place: Path) -> bool:
        """Make another name of a file that has been copied; False: it is the first."""
        first = self._first.setdefault((found.st_dev, found.st_ino), place)
        if first == place:
            return False
        parent = openat2(self.root, os.fsdecode(join(first[:-1])), _DIRECTORY, _STRICT)
        try:
            os.link(
                first[-1], place[-1], src_dir_fd=parent, dst_dir_fd=target, follow_symlinks=False
            )
        finally:
            os.close(parent)
        return True

    def _file(self, source: int, name: bytes, target: int, place: Path) -> None:
        reading = os.open(name, _READ, dir_fd=source)
        try:
            try:
                writing = os.open(place[-1], _CREATE, 0o600, dir_fd=target)
            except FileExistsError:  # seldom: looking first would take a call for each file
                make_room(target, place[-1], place)
                writing = os.open(place[-1], _CREATE, 0o600, dir_fd=target)
            try:
                _fill(reading, writing)
                self.dress(reading, writing)
            finally:
                os.close(writing)
        finally:
            os.close(reading)

    def _special(
        self, source: int, name: bytes, found: os.stat_result, target: int, new_name: bytes
    ) -> None:
        """Copy what cannot be opened for it: links, devices, fifos."""
        ids = self.manner.ids or Ids(found.st_uid, found.st_gid)
        is_link = stat.S_ISLNK(found.st_mode)
        if is_link:
            os.symlink(os.readlink(name, dir_fd=source), new_name, dir_fd=target)
        else:
            os.mknod(new_name, found.st_mode, found.st_rdev, dir_fd=target)
        os.chown(new_name, ids.uid, ids.gid, dir_fd=target, follow_symlinks=False)
        if not is_link:
            os.chmod(new_name, self._mode(found), dir_fd=target)
        time_ns = self._time(found)
        os.utime(new_name, ns=(time_ns, time_ns), dir_fd=target, follow_symlinks=False)

    def dress(self, reading: int, writing: int) -> None:
        """Give an open file or directory what the one it is a copy of has, or what is asked."""
        found = os.fstat(reading)
        ids = self.manner.ids or Ids(found.st_uid, found.st_gid)
        os.fchown(writing, ids.uid, ids.gid)
        for key in os.listxattr(reading):
            if not key.startswith(NOT_COPIED):
                _set_attribute(writing, key, os.getxattr(reading, key))
        os.fchmod(writing, self._mode(found))
        time_ns = self._time(found)
        os.utime(writing, ns=(time_ns, time_ns))

    def _mode(self, found: os.stat_result) -> int:
        mode = self.manner.mode
        return stat.S_IMODE(found.st_mode) if mode is None else mode(found.st_mode)

    def _time(self, found: os.stat_result) -> int:
        modified_ns = self.manner.modified_ns
        return found.st_mtime_ns if modified_ns is None else modified_ns


def make_room(directory: int, name: bytes, place: Path) -> None:
    """Remove a file that has the name; InvalidArgumentError: it is a directory's."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        shown = os.fsdecode(join(place))
        raise InvalidArgumentError(f"cannot replace to directory /{shown} with file") from None


def make_directory(directory: int, name: bytes, place: Path) -> int:
    """Open a directory, which is made if it is missing. InvalidArgumentError: it is none."""
    try:
        os.mkdir(name, 0o755, dir_fd=directory)
    except FileExistsError:
        if not stat.S_ISDIR(os.lstat(name, dir_fd=directory).st_mode):
            shown = os.fsdecode(join(place))
            raise InvalidArgumentError(f"cannot copy to non-directory: /{shown}") from None
    return os.open(name, _DIRECTORY, dir_fd=directory)


def _fill(reading: int, writing: int) -> None:
    """Copy the data; what is small goes through memory, which takes fewer calls."""
    data = os.read(reading, _SMALL)
    if len(data) < _SMALL:
        if data:
            os.write(writing, data)
        return
    os.lseek(reading, 0, os.SEEK_SET)
    copy_data(reading, writing)


def _set_attribute(fd: int, key: str, value: bytes) -> None:
    try:
        os.setxattr(fd, key, value)
    except OSError as error:
        if error.errno not in _NO_ATTRIBUTES:
            raise
