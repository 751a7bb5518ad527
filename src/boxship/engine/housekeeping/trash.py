"""The trash: what was removed, until its time is over: look, bring back, empty.

What an object stands on comes back with it: a container's volumes and networks, an image's other
platforms. Its files have stayed where they were, so bringing back is a transaction and takes no
time. Emptying is the other way round: the record goes first, and without it files are garbage. ::

    remove   record → trash          files stay
    restore  trash  → record
    empty    trash  → nothing  → files
"""

import asyncio
import builtins
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from boxship.base.errors import BoxshipError, InvalidArgumentError
from boxship.engine.containers import restoring
from boxship.engine.containers.context import Context
from boxship.engine.containers.discard import throw_away
from boxship.engine.containers.record import decode_record
from boxship.engine.images.service import ImageService
from boxship.engine.records.trash import TrashItem
from boxship.model.event import EventType
from boxship.storage.volumes import VolumeStore

_log = logging.getLogger(__name__)
_LONGEST_WAIT = 600.0
"""Seconds; the clock may be set meanwhile."""
_AGAIN = 60.0
"""Seconds until the next attempt after one that failed."""


@dataclass(frozen=True)
class TrashEntry:
    """What went by one removal. ``size`` is what would come free by emptying, in bytes."""

    id: str
    kind: EventType
    name: str
    removed_ns: int
    expires_ns: int
    size: int


@dataclass(frozen=True)
class Emptied:
    """The ids of what is gone for good, and the bytes that came free."""

    ids: tuple[str, ...]
    reclaimed: int


class Trash:
    """The trash of one engine. Not thread-safe: call it from the event loop."""

    def __init__(self, context: Context, images: ImageService, store: VolumeStore) -> None:
        self._context = context
        self._bin = context.trash
        self._images = images
        self._store = store
        self._changing = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._emptying: asyncio.Task[None] | None = None

    @property
    def is_on(self) -> bool:
        """Whether what is removed from now on can be brought back."""
        return self._bin.is_on

    def set_retention(self, retention_ns: int) -> None:
        """Keep what is removed from now on for so long; 0: not at all."""
        self._bin.retention_ns = retention_ns

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    async def list(self) -> builtins.list[TrashEntry]:
        """Return everything in it, what was removed last first."""
        lots = self._lots(self._bin)
        images = {
            lot: self._images.trash_size(items)
            for lot, items in lots.items()
            if items[0].kind is EventType.IMAGE
        }
        sizes = await asyncio.to_thread(
            lambda: {lot: self._size(i) for lot, i in lots.items() if lot not in images}
        )
        entries = [_entry(lot, items, (sizes | images)[lot]) for lot, items in lots.items()]
        return sorted(entries, key=lambda entry: entry.removed_ns, reverse=True)

    @staticmethod
    def _lots(items: Iterable[TrashItem]) -> dict[str, builtins.list[TrashItem]]:
        lots: dict[str, builtins.list[TrashItem]] = defaultdict(builtins.list)
        for item in items:
            lots[item.lot].append(item)
        return lots

    def _size(self, items: Sequence[TrashItem]) -> int:
        (item,) = items
        try:
            if item.kind is EventType.CONTAINER:
                return self._context.snapshots.usage(item.id)
            if item.kind is EventType.VOLUME:
                return self._store.size(item.id)
        except (OSError, BoxshipError):
            return 0  # it is being brought back, or going
        return 0

    # ── bringing back ────────────────────────────────────────────────────────────────────────

    async def restore(self, reference: str, name: str = "") -> TrashEntry:
        """Bring back what went by one removal, under another ``name`` if one is given.

        NotFoundError; InvalidArgumentError: a bad name; ConflictError: the name is taken, or what
        it stands on is gone; ForbiddenError: a network's subnet is another's.
        """
        task = asyncio.ensure_future(self._restored(reference, name))
        return await asyncio.shield(task)  # who hangs up leaves nothing half done

    async def _restored(self, reference: str, name: str) -> TrashEntry:
        async with self._changing:
            item = self._bin.find(reference)
            lot = self._bin.lot(item)
            if item.kind is EventType.IMAGE:
                if name:
                    raise InvalidArgumentError("an image has the names it had: tag it afterwards")
                await self._images.restore(lot)
            elif item.kind is EventType.VOLUME:
                await self._context.volumes.restore(item, name)
            elif item.kind is EventType.NETWORK:
                await self._context.networks.restore(item, name)
            else:
                await self._restore_below(item)
                await restoring.restore(self._context, item, name)
        return _entry(item.lot, lot, 0)

    async def _restore_below(self, item: TrashItem) -> None:
        """Bring back the volumes and networks that a container has, as far as they are here."""
        record = decode_record(item.body)
        for point in record.mounts:
            if (volume := self._bin.get(point.volume_id)) is not None:
                await self._context.volumes.restore(volume)
        for endpoint in record.endpoints:
            if (network := self._bin.get(endpoint.network_id)) is not None:
                await self._context.networks.restore(network)

    # ── emptying ─────────────────────────────────────────────────────────────────────────────

    async def empty(self, references: Sequence[str] = ()) -> Emptied:
        """Remove for good what is named, or everything. NotFoundError: it is not there."""
        async with self._changing:
            items = [i for r in references for i in self._bin.lot(self._bin.find(r))]
            return await self._empty(items if references else builtins.list(self._bin))

    async def _empty(self, items: Sequence[TrashItem]) -> Emptied:
        lots = self._lots(items)
        sizes = await asyncio.to_thread(
            lambda: sum(self._size([i]) for i in items if i.kind is not EventType.IMAGE)
        )
        await self._bin.forget(items)
        for item in items:
            try:
                await self._dispose(item)
            except (OSError, BoxshipError) as error:  # garbage, which goes at the next start
                _log.error("%s %s could not be removed: %s", item.kind, item.name, error)
        images = [item for item in items if item.kind is EventType.IMAGE]
        freed = await self._images.empty(images) if images else 0
        return Emptied(tuple(lots), sizes + freed)

    async def _dispose(self, item: TrashItem) -> None:
        if item.kind is EventType.CONTAINER:
            throw_away(self._context, item.id)
            self._images.sweep()
        elif item.kind is EventType.VOLUME:
            await asyncio.to_thread(self._store.remove, item.id)

    # ── time ─────────────────────────────────────────────────────────────────────────────────

    def keep_time(self) -> None:
        """From now on, remove for good what has been here for its time."""
        self._bin.changed = self._arm
        self._arm()

    def _arm(self, at_least: float = 0.0) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (next_ns := self._bin.next_ns()) is not None:
            left = (next_ns - self._context.clock.now_ns()) / 1e9
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(min(max(left, at_least), _LONGEST_WAIT), self._wake)

    def _wake(self) -> None:
        self._emptying = asyncio.ensure_future(self._empty_expired())

    async def _empty_expired(self) -> None:
        try:
            async with self._changing:
                await self._empty(self._bin.expired())
        except (OSError, BoxshipError) as error:
            _log.error("the trash could not be emptied: %s", error)
            self._arm(at_least=_AGAIN)
        else:
            self._arm()

    async def close(self) -> None:
        """Let go; what expires meanwhile goes when the engine is opened again."""
        self._bin.changed = lambda: None
        if self._emptying is not None:
            await asyncio.gather(self._emptying, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()


def _entry(lot: str, items: Sequence[TrashItem], size: int) -> TrashEntry:
    """Show what went together by what has a name."""
    shown = items[0]
    return TrashEntry(lot, shown.kind, shown.name, shown.removed_ns, shown.expires_ns, size)
