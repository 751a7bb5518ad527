"""Which payload of a tar lies at which path, remembered in little memory.

Asked for only when an entry replaces an earlier one, which few archives do. Until then the paths
are compressed by thousands: they cost a few bytes each instead of some two hundred, and a layer of
a million files may be unpacked beside others.
"""

from collections.abc import Iterator

import zstandard

_TOGETHER = 4096
_LEVEL = 1


class PayloadPaths:
    """Payloads in the order of their numbers, which count from 0."""

    def __init__(self) -> None:
        self._count = 0
        self._recent: list[bytes] = []
        self._packed: list[bytes] = []
        self._numbers: dict[bytes, int] | None = None

    def add(self, path: bytes) -> None:
        """The next payload is at ``path``, where none is so far. A path has no NUL in it."""
        if self._numbers is not None:
            self._numbers[path] = self._count
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
        if self._numbers is None:
            self._numbers = {known: number for number, known in enumerate(self._all())}
            self._packed, self._recent = [], []
        numbers, below = self._numbers, path + b"/"
        found = [known for known in numbers if known == path or known.startswith(below)]
        return {numbers.pop(known): known[len(path) :] for known in found}

    def _all(self) -> Iterator[bytes]:
        for block in self._packed:
            yield from zstandard.decompress(block).split(b"\0")
        yield from self._recent
