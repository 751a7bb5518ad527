"""Compare a layer's tree with what it must look like, and put it right.

Without loss can be put right: owners, modes, times, attributes, links, nodes, directories, empty
files, one more name of a file that is still there. What does not belong into the tree is moved to
``lost+found``, since nobody else may have it. The contents of files cannot be made anew.
"""

import filecmp
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from boxship.model.check import Finding, Outcome
from boxship.storage.copying import copy_entry, set_times
from boxship.storage.stack import open_directory
from boxship.storage.tree import Path, join

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_MISSING = "is missing"
_NOTES = ("origin", "impure", "nlink", "uuid", "upper")
_NOT_FROM_ARCHIVES = (
    *("security.selinux", "security.ima", "security.evm", "security.apparmor"),
    *(f"{kind}.overlay.{note}" for kind in ("trusted", "user") for note in _NOTES),
)
"""Attributes that a machine gives to its files by itself. Overlayfs' are at what a build's step has
written, which is a layer as it is; they mean nothing there."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A name in both trees; the parents are open."""

    path: Path
    name: bytes
    wanted_parent: int
    parent: int
    wanted: os.stat_result

    @property
    def shown(self) -> str:
        return os.fsencode(join((*self.path, self.name))).decode("utf-8", "backslashreplace")

    @property
    def here(self) -> bytes:
        return b"/proc/self/fd/%d/%s" % (self.parent, self.name)

    @property
    def there(self) -> bytes:
        return b"/proc/self/fd/%d/%s" % (self.wanted_parent, self.name)


@dataclass(slots=True)
class TreeCheck:
    """One comparison. ``put_aside`` moves a name in an open directory out of the way."""

    layer: str
    """Its diff id, for the findings."""
    repair: bool
    put_aside: Callable[[int, bytes], None]
    opaque: str
    began_ns: int
    """Times from then on are nobody's: directories that the archive only implies got them."""
    incomplete: bool = False
    """A file was missing or too short, so that the tar could not be rebuilt as it was found."""
    _missing_names: list[tuple[Path, bytes]] = field(default_factory=list)
    """Names of files that have several: perhaps another one is still there."""
    _names: dict[int, bytes] = field(default_factory=dict)
    """Of files with several names: the first that is there, by inode of the wanted tree."""
    _touched: dict[Path, os.stat_result] = field(default_factory=dict)

    def run(self, wanted: str, tree: str) -> Iterator[Finding]:
        """Yield what is wrong with ``tree``."""
        with ExitStack() as opened:
            roots = []
            for path in (wanted, tree):
                roots.append(os.open(path, _DIRECTORY))
                opened.callback(os.close, roots[-1])
            root = _Place((), b".", roots[0], roots[1], os.fstat(roots[0]))
            yield from self._attributes(root, os.fstat(roots[1]))
            yield from self._directories(roots[0], roots[1])
            yield from self._late_names(roots[0], roots[1])
            for touched, found in self._touched.items():
                parent = open_directory(roots[1], touched[:-1])
                try:
                    set_times(parent, touched[-1] if touched else b".", found)
                finally:
                    os.close(parent)

    def _directories(self, wanted_root: int, tree_root: int) -> Iterator[Finding]:
        pending: list[Path] = [()]
        while pending:
            path = pending.pop()
            with ExitStack() as opened:
                descriptors = []
                for root in (wanted_root, tree_root):
                    descriptors.append(open_directory(root, path))
                    opened.callback(os.close, descriptors[-1])
                for place in self._both(path, *descriptors):
                    yield from self._entry(place)
                    if stat.S_ISDIR(place.wanted.st_mode) and _is_directory(place.here):
                        pending.append((*path, place.name))
                yield from self._strangers(path, *descriptors)

    def _late_names(self, wanted_root: int, tree_root: int) -> Iterator[Finding]:
        for path, name in self._missing_names:
            with ExitStack() as opened:
                descriptors = []
                for root in (wanted_root, tree_root):
                    descriptors.append(open_directory(root, path))
                    opened.callback(os.close, descriptors[-1])
                wanted = os.lstat(name, dir_fd=descriptors[0])
                place = _Place(path, name, descriptors[0], descriptors[1], wanted)
                yield self._missing(place, _MISSING)
                if self._is_there(place):
                    self._names.setdefault(wanted.st_ino, self._whole(place))

    @staticmethod
    def _both(path: Path, wanted: int, tree: int) -> Iterator[_Place]:
        with os.scandir(wanted) as entries:
            for entry in entries:
                name = os.fsencode(entry.name)
                yield _Place(path, name, wanted, tree, entry.stat(follow_symlinks=False))

    @staticmethod
    def _is_there(place: _Place) -> bool:
        return os.path.lexists(place.here)

    def _strangers(self, path: Path, wanted: int, tree: int) -> Iterator[Finding]:
        names = {os.fsencode(name) for name in os.listdir(tree)}
        names -= {os.fsencode(name) for name in os.listdir(wanted)}
        for name in sorted(names):
            place = _Place(path, name, wanted, tree, os.fstat(wanted))
            if self.repair:
                self.put_aside(tree, name)
                self._touched.setdefault(path, os.fstat(wanted))
            yield self._finding(place, "does not belong to the layer")

    def _entry(self, place: _Place) -> Iterator[Finding]:
        try:
            found = os.lstat(place.here)
        except FileNotFoundError:
            if place.wanted.st_nlink > 1 and not stat.S_ISDIR(place.wanted.st_mode):
                self._missing_names.append((place.path, place.name))
            else:
                yield self._missing(place, _MISSING)
            return
        wanted = place.wanted
        if stat.S_IFMT(found.st_mode) != stat.S_IFMT(wanted.st_mode):
            yield self._replaced(place, f"is a {_kind(found)} instead of a {_kind(wanted)}")
        elif found.st_rdev != wanted.st_rdev:
            yield self._replaced(place, "is another device")
        elif stat.S_ISLNK(wanted.st_mode) and os.readlink(place.here) != os.readlink(place.there):
            yield self._replaced(place, "leads elsewhere")
        else:
            yield from self._contents(place, found)

    def _contents(self, place: _Place, found: os.stat_result) -> Iterator[Finding]:
        wanted = place.wanted
        if wanted.st_nlink > 1 and not stat.S_ISDIR(wanted.st_mode):
            if wanted.st_ino in self._names:  # what there is to say was said of the first name
                yield from self._name_of_many(place, found)
                return
            self._names[wanted.st_ino] = self._whole(place)
        if stat.S_ISREG(wanted.st_mode) and found.st_size != wanted.st_size:
            sizes = f"has {found.st_size} bytes instead of {wanted.st_size}"
            if found.st_size < wanted.st_size:
                self.incomplete = True
                yield self._finding(place, sizes, Outcome.LOST)
                return
            if self.repair:
                os.truncate(place.here, wanted.st_size)
            yield self._finding(place, sizes)
        yield from self._attributes(place, os.lstat(place.here))

    def _name_of_many(self, place: _Place, found: os.stat_result) -> Iterator[Finding]:
        """Several names that were one file must be one."""
        first = self._names[place.wanted.st_ino]
        other = os.lstat(first)
        if (other.st_dev, other.st_ino) == (found.st_dev, found.st_ino):
            return
        problem = "is no longer the same file as its other names"
        if stat.S_ISREG(found.st_mode) and not filecmp.cmp(first, place.here, shallow=False):
            yield self._finding(place, problem, Outcome.LOST)
            return
        if self.repair:
            os.unlink(place.here)
            self._name_again(place, first)
        yield self._finding(place, problem)

    def _attributes(self, place: _Place, found: os.stat_result) -> Iterator[Finding]:
        wanted, problems = place.wanted, []
        if (found.st_uid, found.st_gid) != (wanted.st_uid, wanted.st_gid):
            problems.append(
                f"belongs to {found.st_uid}:{found.st_gid} instead of "
                f"{wanted.st_uid}:{wanted.st_gid}"
            )
        if found.st_mode != wanted.st_mode:
            modes = (stat.S_IMODE(found.st_mode), stat.S_IMODE(wanted.st_mode))
            problems.append("has mode {:04o} instead of {:04o}".format(*modes))
        if found.st_mtime_ns != wanted.st_mtime_ns < self.began_ns:
            problems.append("has another time")
        for name in sorted({*_listed(place.here), *_listed(place.there)}):
            if self._attribute(place.here, name) != self._attribute(place.there, name):
                problems.append(f"has another {name}")
        if problems and self.repair:
            self._dress(place)
        for problem in problems:
            yield self._finding(place, problem)

    def _dress(self, place: _Place) -> None:
        """Give it all attributes, in the order in which the kernel keeps them."""
        wanted = place.wanted
        os.chown(place.here, wanted.st_uid, wanted.st_gid, follow_symlinks=False)
        if not stat.S_ISLNK(wanted.st_mode):
            os.chmod(place.here, stat.S_IMODE(wanted.st_mode))
        for name in {*_listed(place.here), *_listed(place.there)}:
            value = self._attribute(place.there, name)
            if value is None:
                os.removexattr(place.here, name, follow_symlinks=False)
            else:
                os.setxattr(place.here, name, value, follow_symlinks=False)
        set_times(place.parent, place.name, wanted)
        if stat.S_ISDIR(wanted.st_mode):
            self._touched[(*place.path, place.name) if place.name != b"." else ()] = wanted

    @staticmethod
    def _attribute(path: bytes, name: str) -> bytes | None:
        try:
            return os.getxattr(path, name, follow_symlinks=False)
        except OSError:
            return None

    def _missing(self, place: _Place, problem: str) -> Finding:
        wanted = place.wanted
        first = self._names.get(wanted.st_ino)
        self.incomplete = self.incomplete or stat.S_ISREG(wanted.st_mode)
        if first is None and stat.S_ISREG(wanted.st_mode) and wanted.st_size:
            return self._finding(place, problem, Outcome.LOST)
        if self.repair:
            if first is not None:
                self._name_again(place, first)
            else:
                copy_entry(place.wanted_parent, place.name, wanted, place.parent, place.name)
                self._mark_opaque(place)
            self._touch(place)
        return self._finding(place, problem)

    def _replaced(self, place: _Place, problem: str) -> Finding:
        if self.repair:
            self.put_aside(place.parent, place.name)
            self._touch(place)
            return self._missing(place, problem)
        return self._finding(place, problem)

    def _mark_opaque(self, place: _Place) -> None:
        mark = self._attribute(place.there, self.opaque)
        if mark is not None and stat.S_ISDIR(place.wanted.st_mode):
            os.setxattr(place.here, self.opaque, mark)

    def _touch(self, place: _Place) -> None:
        self._touched.setdefault(place.path, os.fstat(place.wanted_parent))
        if stat.S_ISDIR(place.wanted.st_mode):
            self._touched[(*place.path, place.name)] = place.wanted

    def _whole(self, place: _Place) -> bytes:
        return os.readlink(b"/proc/self/fd/%d" % place.parent) + b"/" + place.name

    def _name_again(self, place: _Place, first: bytes) -> None:
        os.link(first, place.name, dst_dir_fd=place.parent, follow_symlinks=False)
        self._touch(place)

    def _finding(self, place: _Place, problem: str, outcome: Outcome | None = None) -> Finding:
        usual = Outcome.REPAIRED if self.repair else Outcome.REPAIRABLE
        return Finding("layer", self.layer, problem, outcome or usual, place.shown)


def _is_directory(path: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _listed(path: bytes) -> list[str]:
    names = os.listxattr(path, follow_symlinks=False)
    return [name for name in names if not name.startswith(_NOT_FROM_ARCHIVES)]


_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


def _kind(found: os.stat_result) -> str:
    return _KINDS[stat.S_IFMT(found.st_mode)]
