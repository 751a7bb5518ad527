"""What a cache directory has in it when it is new: part of a tree."""

import os

from boxship.base.errors import NotFoundError
from boxship.base.files import opened
from boxship.engine.build.files.copier import Copier, Manner
from boxship.engine.build.files.roots import Workshop
from boxship.engine.build.trees import Tree
from boxship.kernel.paths import RESOLVE_IN_ROOT, openat2
from boxship.storage.snapshots import SnapshotDriver

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY


def seed_directory(
    snapshots: SnapshotDriver, mountpoint: str, tree: Tree, part: str, target: str
) -> None:
    """Copy what is in the directory ``part`` of a tree to ``target``; blocking. NotFoundError."""
    with Workshop(snapshots, mountpoint).reading(tree) as root, opened(target, _DIRECTORY) as fd:
        try:
            source = openat2(root, part.strip("/") or ".", _DIRECTORY, RESOLVE_IN_ROOT)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError(f"cache: there is no directory {part}") from error
        try:
            Copier(fd, Manner()).contents(source, fd, ())
        finally:
            os.close(source)
