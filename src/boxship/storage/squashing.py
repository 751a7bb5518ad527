"""Several layers as one: what they change together of what is below them.

Unlike a mount of them, the result still hides what they hide. What a lower one has and a higher one
replaces or removes is in it no more. ::

    b: new file, .wh.old          ┐      one: new file, .wh.old, dir (opaque)
    a: old file, dir (replaced)   ┘
"""

from collections.abc import Iterator, Sequence
from itertools import chain

from boxship.storage.archiving import Archiver, Hidden, Item
from boxship.storage.chunks import Buffer
from boxship.storage.layered import Entry, LayeredTree, Node, reading
from boxship.storage.tar.writer import END
from boxship.storage.tree import Path
from boxship.storage.unpack import OPAQUE_MARK, WHITEOUT_PREFIX


def squashed_tar(
    directories: Sequence[str], opaque: str, latest_ns: int | None = None
) -> Iterator[Buffer]:
    """Yield the tar of layers (their trees, topmost first) as one.

    With ``latest_ns`` no time in it is after that. UnreadableError: the disk fails.
    """
    with reading(), LayeredTree(directories, opaque) as tree:
        items = _items(tree, tree.root().places)
        yield from Archiver(tree, latest_ns=latest_ns).write(chain((tree.root(),), items))
        yield END


def _items(tree: LayeredTree, places: tuple[int, ...]) -> Iterator[Item]:
    """Yield what some layers have, each directory before what is in it.

    With a stack of our own: steps make trees deeper than Python's.
    """
    levels = [_entries(tree, (), places)]
    while levels:
        path, entries = next(levels[-1], ((), ()))
        if not entries:
            levels.pop()
            continue
        place, top = entries[0]
        if top.whiteout:
            yield Hidden((*path[:-1], WHITEOUT_PREFIX + path[-1]))
            continue
        node = Node(path, top.found, (place,))
        yield node
        if node.is_directory:
            merged, hides = _merged(tree, path, entries)
            if hides:
                yield Hidden((*path, OPAQUE_MARK))
            levels.append(_entries(tree, path, merged))


_Found = tuple[tuple[int, Entry], ...]
"""Of one name, which layers have it, topmost first."""


def _entries(
    tree: LayeredTree, directory: Path, places: tuple[int, ...]
) -> Iterator[tuple[Path, _Found]]:
    found: dict[bytes, list[tuple[int, Entry]]] = {}
    for place in places:
        for entry in tree.entries(place, directory):
            found.setdefault(entry.name, []).append((place, entry))
    for name, entries in sorted(found.items()):
        yield (*directory, name), tuple(entries)


def _merged(tree: LayeredTree, path: Path, entries: _Found) -> tuple[tuple[int, ...], bool]:
    """Return in which layers a directory goes on, and whether it hides what is below them all."""
    places: list[int] = []
    for place, entry in entries:
        if entry.whiteout or not Node(path, entry.found, (place,)).is_directory:
            return tuple(places), True
        places.append(place)
        if tree.is_opaque(place, path):
            return tuple(places), True
    return tuple(places), False
