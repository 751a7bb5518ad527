"""One COPY or ADD: which files its source means, and where each of them goes."""

import os
import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from boxship.engine.build.failures import MissingSourceError
from boxship.engine.build.files import globbing, unpacking
from boxship.engine.build.files.copier import Copier, Manner
from boxship.engine.build.files.destination import Destination, Made
from boxship.engine.build.files.owning import ROOT
from boxship.kernel.paths import RESOLVE_IN_ROOT, openat2
from boxship.solver.operations import Copy
from boxship.storage.tree import Path, join, split

_LOOK = os.O_PATH | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PIVOT = "/./"


@dataclass(frozen=True, slots=True)
class CopyJob:
    """``source`` is the descriptor of the root that is read from."""

    action: Copy
    source: int
    destination: Destination
    manner: Manner

    def run(self) -> bool:
        """Copy everything; False: nothing was there."""
        base, pattern = self._divided()
        done = False
        for path in self._matches(base, pattern):
            whole = (*base, *path)
            try:
                opened = self._open(whole, _LOOK)
            except (FileNotFoundError, NotADirectoryError):
                raise MissingSourceError(f"/{os.fsdecode(join(whole))}") from None
            try:
                self._copy(opened, whole, path)
            finally:
                os.close(opened)
            done = True
        return done

    def _divided(self) -> tuple[Path, str]:
        """Take the part of a source before ``/./`` off, from where on ``--parents`` keeps it."""
        before, pivot, behind = self.action.source.rpartition(_PIVOT)
        if self.action.keep_parents and pivot:
            return path_of(before), behind
        return (), self.action.source

    def _matches(self, base: Path, pattern: str) -> Iterator[Path]:
        if not self.action.wildcards:
            yield path_of(pattern)
            return
        top = self._open(base, _LOOK)
        try:
            yield from globbing.found(top, pattern, deep=self.action.keep_parents)
        finally:
            os.close(top)

    def _copy(self, opened: int, whole: Path, path: Path) -> None:
        target = path_of(self.action.destination)
        found = os.fstat(opened)
        if self.action.keep_parents:
            self._keep_parents(whole, path, target)
            target = (*target, *(path if stat.S_ISDIR(found.st_mode) else path[:-1]))
        if stat.S_ISDIR(found.st_mode):
            self._directory(opened, target)
        elif not (stat.S_ISREG(found.st_mode) and self._unpacked(opened, target)):
            self._file(whole, target)

    def _directory(self, opened: int, target: Path) -> None:
        """What is in it goes to the target, which gets nothing of the directory itself."""
        reading = os.open(b"/proc/self/fd/%d" % opened, _DIRECTORY)
        try:
            with self.destination.directory(target, self._made()) as directory:
                self._copier().contents(reading, directory.fd, directory.path)
        finally:
            os.close(reading)

    def _file(self, whole: Path, target: Path) -> None:
        into = self.action.into_directory or self.action.keep_parents or not target
        if into or self.destination.is_directory(target):
            target = (*target, whole[-1])
        parent, name = self._behind_links(whole)
        try:
            directory, new_name = self.destination.parent(target, self._made())
            with directory:
                place = (*directory.path, new_name)
                self._copier().entry(parent, name, directory.fd, place, (whole[-1],))
        finally:
            os.close(parent)

    def _unpacked(self, opened: int, target: Path) -> bool:
        """Unpack an archive, if that is what the source is and what is wanted."""
        if not self.action.unpack:
            return False
        file = os.open(b"/proc/self/fd/%d" % opened, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if not self.action.unpack_required and not unpacking.is_archive(file):
                return False
            with self.destination.directory(target, self._made()) as directory:
                unpacking.unpack(file, self.destination.root, directory.path)
        finally:
            os.close(file)
        return True

    def _keep_parents(self, whole: Path, path: Path, target: Path) -> None:
        """Make the directories that a file is in, as those are that it comes from."""
        for depth in range(1, len(path)):
            made = (*target, *path[:depth])
            if self.destination.is_directory(made):
                continue
            reading = self._open(whole[: len(whole) - len(path) + depth], _DIRECTORY)
            try:
                with self.destination.directory(made, self._made()) as directory:
                    self._copier().dress(reading, directory.fd)
            finally:
                os.close(reading)

    def _behind_links(self, path: Path) -> tuple[int, bytes]:
        """Return the directory that a path's file really is in, opened, and its name there."""
        fd = self._open(path, _LOOK)
        try:
            own = os.readlink(b"/proc/self/fd/%d" % self.source).rstrip(b"/")
            real = os.readlink(b"/proc/self/fd/%d" % fd)[len(own) :].lstrip(b"/")
        finally:
            os.close(fd)
        above, name = posixpath.split(real)
        return self._open(split(above), _DIRECTORY), name

    def _open(self, path: Path, flags: int) -> int:
        return openat2(self.source, os.fsdecode(join(path)), flags, RESOLVE_IN_ROOT)

    def _copier(self) -> Copier:
        """One for each file that was found: names in two of them are two files, as in BuildKit."""
        return Copier(self.destination.root, self.manner)

    def _made(self) -> Made:
        return Made(self.manner.ids or ROOT, self.manner.modified_ns)


def path_of(text: str) -> Path:
    """Return an absolute path's parts; ``..`` ends at the root."""
    return split(os.fsencode(posixpath.normpath(f"/{text}")))
