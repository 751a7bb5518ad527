"""Places to mount things on that a step's tree does not have, made where they leave no trace.

Made in the tree itself they would be in the step's layer, as empty directories, and those above
them as changed ones. So they lie in a directory of the step's own below all layers, as the mount
points of every container do (``storage/stubs.py``): seen while the step runs, and no change. ::

    lower:  layers …, <snapshot>/points, stubs

Where a mount leads through links of the tree, it is the place behind them that is made.
"""

import os
import stat
from collections.abc import Iterable, Sequence

from boxship.storage.layered import LayeredTree, Node
from boxship.storage.tree import Path

_MOST_LINKS = 40
_MODE = 0o755
_NOT_OURS = (b"dev", b"proc", b"sys")
"""File systems of their own are mounted there first."""


def make_points(
    below: Sequence[str], opaque: str, targets: Iterable[tuple[str, bool]], directory: str
) -> bool:
    """Make in ``directory`` what is missing of ``targets``; tell whether anything was.

    ``below`` are the tree's directories, topmost first; with each target goes whether it is a file.
    """
    made = False
    with LayeredTree(below, opaque) as tree:
        for target, is_file in targets:
            path, found = _resolved(tree, os.fsencode(target))
            if found is None and path and path[0] not in _NOT_OURS:
                _make(directory, path, is_file)
                made = True
    return made


def _resolved(tree: LayeredTree, target: bytes) -> tuple[Path, Node | None]:
    """Return the real path of a target, and what is there; from where there is nothing on, the
    path goes on as it is written."""
    pending = [part for part in reversed(target.split(b"/")) if part not in (b"", b".")]
    node: Node | None = tree.root()
    parents: list[Node | None] = []
    path: Path = ()
    links = 0
    while pending:
        part = pending.pop()
        if part == b"..":
            if path:
                path, node = path[:-1], parents.pop()
            continue
        child = tree.child(node, part) if node is not None and node.is_directory else None
        if child is not None and stat.S_ISLNK(child.found.st_mode) and links < _MOST_LINKS:
            links += 1
            with tree.looking(child) as fd:
                content = os.readlink(b"", dir_fd=fd)
            pending += [p for p in reversed(content.split(b"/")) if p not in (b"", b".")]
            if content.startswith(b"/"):
                path, node, parents = (), tree.root(), []
            continue
        parents.append(node)
        path, node = (*path, part), child
    return path, node


def _make(directory: str, path: Path, is_file: bool) -> None:
    place = os.fsencode(directory)
    os.makedirs(place, _MODE, exist_ok=True)
    for number, part in enumerate(path, 1):
        place = place + b"/" + part
        if is_file and number == len(path):
            os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _MODE))
        elif not os.path.isdir(place):
            os.mkdir(place)
            os.chmod(place, _MODE)
