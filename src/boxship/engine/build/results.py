"""Results of vertices, and what all builds of a daemon share to get them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from boxship.base.clock import Clock
from boxship.engine.build.cachestore import CacheStore
from boxship.engine.build.trees import DirectoryTree, LayersTree, Tree
from boxship.oci.digest import Digest
from boxship.storage.storage import Storage

EMPTY_LAYER = Digest("sha256", "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef")
"""A tar without entries: what a step makes that changes nothing. No tree has it, images may."""


EMPTY_TAR = bytes(1024)


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


Heard = Callable[[int, bytes], None]
"""Takes the stream (1: standard output, 2: standard error) and what was written to it."""


@dataclass(slots=True, eq=False)
class Turn:
    """A step that several builds may want: one of them carries it out, the others listen."""

    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _users: int = 0
    _said: list[tuple[int, bytes]] = field(default_factory=list)
    _listeners: list[Heard] = field(default_factory=list)

    def say(self, stream: int, data: bytes) -> None:
        """Tell all who wait what the step writes."""
        self._said.append((stream, data))
        for heard in self._listeners:
            heard(stream, data)

    @asynccontextmanager
    async def _waited(self, heard: Heard | None) -> AsyncIterator[None]:
        if heard is not None and self._lock.locked():
            for stream, data in self._said:
                heard(stream, data)
            self._listeners.append(heard)
        try:
            await self._lock.acquire()
        finally:
            if heard in self._listeners:
                self._listeners.remove(heard)
        try:
            self._said.clear()
            yield
        finally:
            self._lock.release()


@dataclass(slots=True)
class Turns:
    """One at a time for each key: who asks for the same step finds the first one's result."""

    _turns: dict[Digest, Turn] = field(default_factory=dict)

    def is_taken(self, key: Digest) -> bool:
        """Tell whether somebody is at it."""
        return key in self._turns

    @asynccontextmanager
    async def turn(self, key: Digest, heard: Heard | None = None) -> AsyncIterator[Turn]:
        """Wait for one's turn; meanwhile ``heard`` gets what the step of whoever has it writes,
        from its beginning."""
        turn = self._turns.setdefault(key, Turn())
        turn._users += 1
        try:
            async with turn._waited(heard):
                yield turn
        finally:
            turn._users -= 1
            if not turn._users:
                del self._turns[key]


@dataclass(frozen=True, slots=True)
class Ground:
    """What builds stand on."""

    storage: Storage
    cache: CacheStore
    clock: Clock
    turns: Turns
