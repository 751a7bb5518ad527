"""Which payload of a tar lies at which path, remembered in little memory.

Asked for only when an entry replaces an earlier one, which few archives do. Until then the paths
are compressed by thousands: they cost a few bytes each instead of some two hundred, and a layer of
a million files may be unpacked beside others. From then on they are a tree of their parts, so that
an archive that replaces everything it brings takes no longer for being long.
"""

from collections.abc import Iterator

import zstandard

_TOGETHER = 4096
_LEVEL = 1

_Tree = dict[bytes, "_Tree | int"]


class PayloadPaths:
    """Payloads in the order of their numbers, which count from 0."""

    def __init__(self) -> None:
        self._count = 0
        self._recent: list[bytes] = []
        self._packed: list[bytes] = []
        self._tree: _Tree | None = None

    def add(self, path: bytes) -> None:
        """The next payload is at ``path``, where none is so far. A path has no NUL in it."""
        if self._tree is not None:
            _put(self._tree, path, self._count)
        else:
            self._recent.append(path)
            if len(self._recent) == _TOGETHER:
                packed = zstandard.compress(b"\0".join(self._recent), _LEVEL)
                # Copied: the library's own bytes keep the room that the worst case would need.
                self._packed.append(bytes(memoryview(packed)))
                self._recent.clear()
        self._count += 1

    def forget(self, path: bytes) -> dict[int, bytes]:
        """Forget the payloads at and below ``path``; return their numbers and paths below it."""
        if self._tree is None:
            self._tree = {}
            for number, known in enumerate(self._all()):
                _put(self._tree, known, number)
            self._packed, self._recent = [], []
        *above, name = path.split(b"/")
        tree = self._tree
        for part in above:
            below = tree.get(part)
            if not isinstance(below, dict):
                return {}
            tree = below
        found = tree.pop(name, None)
        return {} if found is None else dict(_payloads(found))

    def _all(self) -> Iterator[bytes]:
        for block in self._packed:
            yield from zstandard.decompress(block).split(b"\0")
        yield from self._recent


def _put(tree: _Tree, path: bytes, number: int) -> None:
    *above, name = path.split(b"/")
    for part in above:
        below = tree.setdefault(part, {})
        assert isinstance(below, dict), "a payload lies in a directory"
        tree = below
    tree[name] = number


def _payloads(found: _Tree | int) -> Iterator[tuple[int, bytes]]:
    """Yield numbers and paths. Trees may be deeper than Python's stack."""
    pending = [(found, b"")]
    while pending:
        each, path = pending.pop()
        if isinstance(each, int):
            yield each, path
        else:
            pending += [(below, path + b"/" + name) for name, below in each.items()]
