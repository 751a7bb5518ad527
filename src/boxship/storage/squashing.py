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
        items = _items(tree, (), tree.root().places)
        yield from Archiver(tree, latest_ns=latest_ns).write(chain((tree.root(),), items))
        yield END


def _items(tree: LayeredTree, directory: Path, places: tuple[int, ...]) -> Iterator[Item]:
    """Yield what is in a directory that some layers have, each directory before what is in it."""
    found: dict[bytes, list[tuple[int, Entry]]] = {}
    for place in places:
        for entry in tree.entries(place, directory):
            found.setdefault(entry.name, []).append((place, entry))
    for name, entries in sorted(found.items()):
        path = (*directory, name)
        top_place, top = entries[0]
        if top.whiteout:
            yield Hidden((*directory, WHITEOUT_PREFIX + name))
            continue
        node = Node(path, top.found, (top_place,))
        yield node
        if node.is_directory:
            merged, hides = _merged(tree, path, entries)
            if hides:
                yield Hidden((*path, OPAQUE_MARK))
            yield from _items(tree, path, merged)


def _merged(
    tree: LayeredTree, path: Path, entries: list[tuple[int, Entry]]
) -> tuple[tuple[int, ...], bool]:
    """Return in which layers a directory goes on, and whether it hides what is below them all."""
    places: list[int] = []
    for place, entry in entries:
        if entry.whiteout or not Node(path, entry.found, (place,)).is_directory:
            return tuple(places), True
        places.append(place)
        if tree.is_opaque(place, path):
            return tuple(places), True
    return tuple(places), False
