"""Carry out a build's changes to files, one after the other, in one snapshot. Blocking."""

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack

from boxship.base.errors import InvalidArgumentError, UnavailableError
from boxship.engine.build.failures import MissingSourceError
from boxship.engine.build.files import modes
from boxship.engine.build.files.copier import Manner, make_room
from boxship.engine.build.files.copying import CopyJob, path_of
from boxship.engine.build.files.destination import Destination, Made
from boxship.engine.build.files.excluding import exclusion
from boxship.engine.build.files.owning import ROOT, ids_of
from boxship.engine.build.files.roots import Workshop
from boxship.engine.build.trees import DirectoryTree, LayersTree, Tree
from boxship.solver.operations import Copy, FileActions, MakeDirectory, MakeFile

_BY_THE_FILES = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR})
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_MODE = 0o644


def carry_out(workshop: Workshop, key: str, actions: FileActions, inputs: Sequence[Tree]) -> None:
    """Make the changes in snapshot ``key``.

    NotFoundError: a source is not there; InvalidArgumentError: what is asked for cannot be;
    UnavailableError: the disk is full, or fails.
    """
    try:
        with workshop.writing(key) as root, ExitStack() as stack:
            work = _Work(workshop, root, inputs, stack)
            for action in actions.actions:
                if isinstance(action, Copy):
                    work.copy(action)
                elif isinstance(action, MakeDirectory):
                    work.make_directory(action)
                else:
                    work.make_file(action)
    except RecursionError:
        raise InvalidArgumentError("directories are too deep in each other to be copied") from None
    except OSError as error:
        if error.errno in _BY_THE_FILES:
            raise InvalidArgumentError(f"files cannot be copied: {error}") from error
        raise UnavailableError(f"files cannot be written: {error}") from error


class _Work:
    """What actions share: the root that is written to, and those that are read from."""

    def __init__(
        self, workshop: Workshop, root: int, inputs: Sequence[Tree], stack: ExitStack
    ) -> None:
        self._workshop = workshop
        self._destination = Destination(root)
        self._inputs = inputs
        self._stack = stack
        self._opened: dict[int | None, int] = {}

    def make_directory(self, action: MakeDirectory) -> None:
        ids = ids_of(self._destination.root, action.owner) or ROOT
        made = Made(ids, action.modified_ns, action.mode)
        self._destination.directory(path_of(action.path), made).__exit__()

    def make_file(self, action: MakeFile) -> None:
        root = self._destination.root
        ids = ids_of(root, action.owner) or ROOT
        mode = modes.parse(action.mode)
        path = path_of(action.path)
        into = action.into_directory
        if into and (action.path.endswith("/") or self._destination.is_directory(path)):
            path = (*path, os.fsencode(into))
        parent, name = self._destination.parent(path, Made(ids, action.modified_ns))
        with parent:
            make_room(parent.fd, name, (*parent.path, name))
            fd = os.open(name, _CREATE, 0o600, dir_fd=parent.fd)
            with open(fd, "wb") as file:
                file.write(action.data)
                file.flush()
                os.fchown(fd, ids.uid, ids.gid)
                os.fchmod(fd, mode(stat.S_IFREG | _FILE_MODE) if mode else _FILE_MODE)
                if action.modified_ns is not None:
                    os.utime(fd, ns=(action.modified_ns, action.modified_ns))

    def copy(self, action: Copy) -> None:
        tree = LayersTree() if action.input is None else self._inputs[action.input]
        source = self._root_of(action.input, tree)
        ids = ids_of(self._destination.root, action.owner)
        if ids is None and isinstance(tree, DirectoryTree):
            ids = ROOT  # whoever has them at the client is nobody here
        manner = Manner(
            ids, modes.parse(action.mode), action.modified_ns, exclusion(action.exclude)
        )
        if not CopyJob(action, source, self._destination, manner).run() and action.required:
            raise MissingSourceError(action.source)

    def _root_of(self, which: int | None, tree: Tree) -> int:
        if which not in self._opened:
            self._opened[which] = self._stack.enter_context(self._workshop.reading(tree))
        return self._opened[which]
