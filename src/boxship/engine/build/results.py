"""Results of vertices, and what all builds of a daemon share to get them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from boxship.base.clock import Clock
from boxship.engine.build.cachestore import CacheStore
from boxship.engine.build.trees import DirectoryTree, LayersTree, Tree
from boxship.oci.digest import Digest
from boxship.storage.storage import Storage

EMPTY_LAYER = Digest("sha256", "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef")
"""A tar without entries: what a step makes that changes nothing. No tree has it, images may."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a vertex gave: layers, each with the time it was made (0: it came with an image), or a
    directory of the daemon. ``key`` is the content of a directory, where one is known."""

    layers: tuple[Digest, ...] = ()
    times: tuple[int, ...] = ()
    copied: tuple[str, ...] = ()
    """What was copied into each layer: ``file``, ``dir``, ``multi`` or nothing."""
    directory: str = ""
    key: Digest | None = None
    record: str = ""

    @property
    def tree(self) -> Tree:
        if self.directory:
            return DirectoryTree(self.directory)
        return LayersTree(self.stack)

    @property
    def stack(self) -> tuple[Digest, ...]:
        """The layers that have anything in them."""
        return tuple(layer for layer in self.layers if layer != EMPTY_LAYER)


@dataclass(slots=True)
class Turns:
    """One at a time for each key: who asks for the same step finds the first one's result."""

    _locks: dict[Digest, asyncio.Lock] = field(default_factory=dict)
    _waiting: dict[Digest, int] = field(default_factory=dict)

    @asynccontextmanager
    async def turn(self, key: Digest) -> AsyncIterator[None]:
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._waiting[key] = self._waiting.get(key, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key], self._locks[key]


@dataclass(frozen=True, slots=True)
class Ground:
    """What builds stand on."""

    storage: Storage
    cache: CacheStore
    clock: Clock
    turns: Turns
