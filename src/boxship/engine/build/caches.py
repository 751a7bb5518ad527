"""Directories of ``RUN --mount=type=cache``, which stay from build to build and are in no layer.

::

    <data-root>/caches/<32 hex>/
        about.json      id, times and number of uses; written last, so that without it it is garbage
        data/           what steps see

A cache that is shared is one directory for all who ask so for its id at once. A private one is
taken by one step at a time: who comes meanwhile gets another directory of the same id, which later
serves whoever finds it free. For one that is locked steps wait. Whoever has one for itself, private
or locked, has it against those that would share, too.
"""

import asyncio
import contextlib
import os
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from boxship.base.clock import Clock
from boxship.base.errors import InvalidArgumentError
from boxship.base.files import write_atomic
from boxship.engine.build.files.seeding import seed_directory
from boxship.engine.build.trees import LayersTree, Tree
from boxship.engine.images.bridge import in_thread, to_the_end
from boxship.solver.operations import CacheMount
from boxship.storage.root import StorageRoot
from boxship.storage.snapshots import SnapshotDriver
from boxship.storage.stack import tree_size

_ABOUT = "about.json"
_DATA = "data"
SHARED, PRIVATE, LOCKED = "shared", "private", "locked"
_STRICTEST = (SHARED, PRIVATE, LOCKED)
Seed = tuple[Tree, str]
"""Part of a tree."""


class CacheDirectory(msgspec.Struct, frozen=True):
    """What is known of one. Times in ns since the epoch."""

    name: str
    """Of its directory."""
    id: str
    created_ns: int
    used_ns: int
    uses: int = 0


class Caches:
    """All cache directories of a data root. Call it from the event loop."""

    def __init__(
        self,
        root: StorageRoot,
        snapshots: SnapshotDriver,
        clock: Clock,
        throw_away: Callable[[str], None],
        mountpoint: str,
    ) -> None:
        self._directory = root.join("caches")
        self._snapshots = snapshots
        self._clock = clock
        self._throw_away = throw_away
        self._mountpoint = mountpoint
        self._known: dict[str, CacheDirectory] | None = None
        self._users: Counter[str] = Counter()
        self._exclusive: set[str] = set()
        """Those that nobody else may use meanwhile."""
        self._freed: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._making: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def held(
        self, wanted: Sequence[tuple[CacheMount, Seed]]
    ) -> AsyncIterator[Mapping[str, str]]:
        """Have the directories of all caches of one step, by id.

        A new one gets what the part of a tree has that goes with its first mount. Several mounts
        of one id are the same directory, and the strictest of them counts. Taken in the order of
        ids, so that two steps that want each other's never wait for each other.
        """
        asked: dict[str, list[tuple[CacheMount, Seed]]] = defaultdict(list)
        for mount, seed in wanted:
            if mount.sharing not in _STRICTEST:
                raise InvalidArgumentError(
                    f'cache sharing "{mount.sharing}": it must be shared, private or locked'
                )
            asked[mount.id].append((mount, seed))
        async with contextlib.AsyncExitStack() as stack:
            paths = {}
            for identifier, mounts in sorted(asked.items()):
                sharing = max((mount.sharing for mount, _ in mounts), key=_STRICTEST.index)
                name = await self._taken(*mounts[0], sharing)
                stack.callback(self._release, identifier, name)
                paths[identifier] = self.path(name)
            yield paths

    async def _taken(self, mount: CacheMount, seed: Seed, sharing: str) -> str:
        """Choose or make a directory, and be its user; only a locked one is waited for."""
        while True:
            async with self._making[mount.id]:
                name = self._find(mount.id, sharing)
                exists = any(each.id == mount.id for each in self._load().values())
                if name or sharing != LOCKED or not exists:
                    name = name or await to_the_end(self._make(mount, seed))
                    self._users[name] += 1
                    if sharing != SHARED:
                        self._exclusive.add(name)
                    return name
            freed = self._freed[mount.id]
            freed.clear()  # nothing has come between the look and this
            await freed.wait()

    def _release(self, identifier: str, name: str) -> None:
        self._users[name] -= 1
        if not self._users[name]:
            self._exclusive.discard(name)
            self._freed[identifier].set()
        self._used(name)

    def all(self) -> list[CacheDirectory]:
        """Return what is known of each, in no order."""
        return list(self._load().values())

    def in_use(self, name: str) -> bool:
        """Tell whether a step has it just now."""
        return self._users[name] > 0

    async def size(self, name: str) -> int:
        """Return the bytes in one; 0 if it has gone."""
        try:
            return await asyncio.to_thread(tree_size, f"{self._directory}/{name}/{_DATA}")
        except FileNotFoundError:
            return 0

    def path(self, name: str) -> str:
        """Return where the files of one are."""
        return f"{self._directory}/{name}/{_DATA}"

    def remove(self, name: str) -> bool:
        """Remove one that nobody uses; False: somebody does."""
        if self.in_use(name):
            return False
        if self._load().pop(name, None) is not None:
            self._throw_away(f"{self._directory}/{name}")
        return True

    def _load(self) -> dict[str, CacheDirectory]:
        """Look what there is, once; what was half made is removed."""
        if self._known is None:
            self._known = {}
            os.makedirs(self._directory, 0o700, exist_ok=True)
            for name in os.listdir(self._directory):
                try:
                    with open(f"{self._directory}/{name}/{_ABOUT}", "rb") as file:
                        self._known[name] = msgspec.json.decode(file.read(), type=CacheDirectory)
                except (OSError, msgspec.DecodeError):
                    self._throw_away(f"{self._directory}/{name}")
        return self._known

    def _find(self, identifier: str, sharing: str) -> str:
        """Return a directory that may be used now: best one that others share already."""
        found = [each for each in self._load().values() if each.id == identifier]
        free = [each for each in found if not self.in_use(each.name)]
        if sharing == SHARED:
            free = [
                each
                for each in found
                if self.in_use(each.name) and each.name not in self._exclusive
            ] or free
        return max(free, key=lambda each: each.used_ns).name if free else ""

    async def _make(self, mount: CacheMount, seed: Seed) -> str:
        name = os.urandom(16).hex()
        place = f"{self._directory}/{name}"
        tree, part = seed
        try:
            os.makedirs(f"{place}/{_DATA}", mount.mode)
            os.chmod(place, 0o711)
            os.chown(f"{place}/{_DATA}", mount.uid, mount.gid)
            os.chmod(f"{place}/{_DATA}", mount.mode)
            if not isinstance(tree, LayersTree) or tree.layers:
                await in_thread(
                    lambda: seed_directory(
                        self._snapshots, self._mountpoint, tree, part, f"{place}/{_DATA}"
                    )
                )
        except BaseException:
            self._throw_away(place)
            raise
        now = self._clock.now_ns()
        self._write(CacheDirectory(name, mount.id, now, now))
        return name

    def _used(self, name: str) -> None:
        about = self._load().get(name)
        if about is not None:
            now = self._clock.now_ns()
            self._write(msgspec.structs.replace(about, used_ns=now, uses=about.uses + 1))

    def _write(self, about: CacheDirectory) -> None:
        self._load()[about.name] = about
        with contextlib.suppress(OSError):  # the disk is full: it is found, only older
            path = f"{self._directory}/{about.name}/{_ABOUT}"
            write_atomic(path, msgspec.json.encode(about), durable=False)
