"""All volumes there are: looking, making, removing, and having them ready for containers.

The record is the commit point. A volume's directory is made before its record is committed and goes
after the record did; a directory without a record is removed at start-up. ::

    create   directory → record → found
    remove   nobody has it → record gone → directory

A volume with options is mounted when the first of its containers starts and unmounted when the last
has ended. What a killed daemon left is found in the mount table and goes on from there.
"""

import asyncio
import builtins
import logging
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import msgspec

from boxship.base.clock import Clock
from boxship.base.errors import (
    BoxshipError,
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from boxship.base.ids import new_id
from boxship.engine.events.bus import EventBus
from boxship.engine.records.database import Database
from boxship.engine.records.trash import TrashBin, TrashItem
from boxship.engine.volumes import listing, mounting, wishes
from boxship.engine.volumes.filling import fill
from boxship.engine.volumes.record import (
    ANONYMOUS_LABEL,
    LOCAL,
    VolumeRecord,
    decode_record,
    encode_record,
)
from boxship.engine.volumes.requests import (
    CreateVolume,
    PrunedVolumes,
    VolumePrune,
    VolumeQuery,
    VolumeUse,
    VolumeView,
)
from boxship.engine.volumes.shelf import VolumeShelf
from boxship.engine.volumes.users import NoVolumeUsers, VolumeUsers
from boxship.model.event import EventType
from boxship.storage.volumes import VolumeStore

_log = logging.getLogger(__name__)


class Volumes:
    """The volumes of one engine. Not thread-safe: call it from the event loop."""

    def __init__(
        self,
        database: Database,
        store: VolumeStore,
        events: EventBus,
        clock: Clock,
        trash: TrashBin | None = None,
    ) -> None:
        self._trash = TrashBin(database, clock) if trash is None else trash
        self._shelf = VolumeShelf(database, clock)
        self._store = store
        self._events = events
        self._clock = clock
        self._users: VolumeUsers = NoVolumeUsers()
        self._held: Counter[str] = Counter()
        """Volumes that somebody is about to use, whose record does not say so yet."""
        self._being_made: set[str] = set()
        """Names of volumes whose files are on their way."""
        self._changing = asyncio.Lock()
        """Making and removing, one at a time: names are few, and each is quick."""
        self._mounting: dict[str, asyncio.Lock] = {}
        self._mounted: set[str] = set()
        self._pruning = asyncio.Lock()

    def set_users(self, users: VolumeUsers) -> None:
        """Say whom to ask who uses volumes."""
        self._users = users

    async def open(self) -> None:
        """Load the records; afterwards every directory has one, and every record a directory."""
        self._shelf.load()
        removed = frozenset(item.id for item in self._trash.of(EventType.VOLUME))
        mounted = await asyncio.to_thread(
            self._sweep, frozenset(r.id for r in self._shelf) | removed
        )
        self._mounted |= mounted

    def _sweep(self, known: frozenset[str]) -> frozenset[str]:
        present = set(self._store.ids())
        for volume_id in present - known:
            _log.info("removing what is left of volume %s, which has no record", volume_id)
            self._store.remove(volume_id)
        for volume_id in known - present:
            _log.error("the files of volume %s are gone; it is empty now", volume_id)
            self._store.make(volume_id)
        return frozenset(i for i in known if self._store.is_mounted(i))

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    def inspect(self, name: str) -> VolumeView:
        """Return a volume by its name. NotFoundError."""
        return self._view(self._shelf.find(name))

    def has(self, volume_id: str) -> bool:
        """Tell whether there is a volume of this id."""
        return volume_id in self._shelf

    def list(self, query: VolumeQuery | None = None) -> builtins.list[VolumeView]:
        """Return the volumes, by name. InvalidArgumentError: an unknown filter."""
        in_use = self._users.volume_users()
        wanted = listing.chooser((query or VolumeQuery()).filters, in_use)
        found = sorted(self._shelf, key=lambda record: record.name)
        return [self._view(record) for record in found if wanted(record)]

    async def usage(self) -> builtins.list[VolumeUse]:
        """Return volumes with their sizes and how many containers have them.

        As in Docker those with options are left out: their files may be on another machine.
        """
        users = self._users.volume_users()
        views = [view for view in self.list() if not view.record.options]
        sizes = await asyncio.to_thread(lambda: [self._size(view.record) for view in views])
        return [
            VolumeUse(view, size, len(users.get(view.record.id, ())))
            for view, size in zip(views, sizes, strict=True)
        ]

    def _view(self, record: VolumeRecord) -> VolumeView:
        origin = self._shelf.get(record.origin) if record.origin else None
        return VolumeView(record, self._store.data(record.id), origin.name if origin else "")

    def _size(self, record: VolumeRecord) -> int:
        """Return its bytes; -1 if they lie elsewhere, or it has just been removed."""
        if record.options:
            return -1
        try:
            return self._store.size(record.id)
        except OSError:
            return -1

    # ── making and removing ──────────────────────────────────────────────────────────────────

    async def create(self, request: CreateVolume) -> VolumeView:
        """Make a volume, or return the one that has this name.

        InvalidArgumentError: a bad name or option; NotFoundError: no such driver;
        UnavailableError: the disk refuses.
        """
        async with self._changing:
            return self._view((await self._find_or_make(request))[0])

    async def _find_or_make(self, request: CreateVolume) -> tuple[VolumeRecord, bool]:
        """Return a volume, and whether it is new."""
        name = request.name
        wishes.check_driver(name, request.driver)
        if name and (found := self._shelf.named(name)) is not None:
            return found, False
        if name:
            self._check_free(name)
        wishes.check_options(name, request.options or {})
        return await self._make(request), True

    def _check_free(self, name: str) -> None:
        """InvalidArgumentError: it cannot be a name; ConflictError: it is another's."""
        wishes.check_name(name)
        if name in self._being_made or self._shelf.named(name) is not None:
            raise ConflictError(f"the volume name {name} is already in use: choose another one")

    @contextmanager
    def reserved(self, name: str) -> Iterator[None]:
        """Claim a name while files are gathered for its volume. Errors as of :meth:`create`."""
        if name:
            self._check_free(name)
        self._being_made.add(name)
        try:
            yield
        finally:
            self._being_made.discard(name)

    async def admit(self, request: CreateVolume, place: str) -> VolumeView:
        """Make a volume of a staged place, under a name that is reserved. UnavailableError."""
        async with self._changing:
            return self._view(await self._make(request, place))

    async def rename(self, name: str, new_name: str) -> None:
        """Call a volume otherwise, also in the containers that have it; their files stay.

        One without a name has one then, and is nobody's to remove by the way. NotFoundError;
        InvalidArgumentError: a bad name; ConflictError: it is taken.
        """
        async with self._changing:
            record = self._shelf.find(name)
            if new_name == name:
                raise InvalidArgumentError(f"rename {name}: that is its name already")
            self._check_free(new_name)
            if self._held[record.id]:
                raise ConflictError(f"rename {name}: somebody begins to use it: try again")
            labels = {k: v for k, v in (record.labels or {}).items() if k != ANONYMOUS_LABEL}
            renamed = msgspec.structs.replace(record, name=new_name, labels=labels or None)
            await self._shelf.rename(record, renamed)
        # Without our lock, because who has a container's may be waiting for it.
        await self._users.volume_renamed(record.id, name, new_name)
        self._say(renamed, "rename", {"oldName": name})

    async def _make(self, request: CreateVolume, place: str = "") -> VolumeRecord:
        identity = new_id()
        labels = dict(request.labels) if request.labels else None
        if not request.name:
            labels = {**(labels or {}), ANONYMOUS_LABEL: ""}
        record = VolumeRecord(
            id=identity,
            name=request.name or identity,
            created_ns=self._clock.now_ns(),
            labels=labels,
            options=None if request.options is None else dict(request.options),
            read_only=request.read_only,
            origin=request.origin,
        )
        try:
            if place:
                await asyncio.to_thread(self._store.settle, place, identity)
            else:
                self._store.make(identity)
            await self._shelf.add(record)
        except OSError as error:
            raise UnavailableError(f"create {record.name}: {error}") from error
        except BoxshipError:
            self._store.remove(identity)
            raise
        self._say(record, "create")
        return record

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a volume. NotFoundError, unless ``force``; ConflictError: somebody uses it."""
        async with self._changing:
            record = self._shelf.named(name) if force else self._shelf.find(name)
            if record is not None:
                await self._remove(record)

    async def _remove(self, record: VolumeRecord, user: str = "", *, keep: bool = True) -> None:
        """Remove it; ``user`` is about to go itself, and does not count. ``keep``: to the trash."""
        users = [u for u in self._users.volume_users().get(record.id, ()) if u != user]
        if users or self._held[record.id]:
            raise ConflictError(f"remove {record.name}: volume is in use - [{', '.join(users)}]")
        body = encode_record(record)
        kept = self._trash.item(EventType.VOLUME, record.id, record.name, body) if keep else None
        await self._shelf.delete(record, self._trash.putting(kept))
        self._trash.put(kept)
        try:
            dispose = self._store.unmount if kept else self._store.remove
            await asyncio.to_thread(dispose, record.id)
        except OSError as error:  # without a record it is garbage, and goes at the next start
            _log.error("the files of volume %s could not be removed: %s", record.name, error)
        self._mounted.discard(record.id)
        self._mounting.pop(record.id, None)
        self._say(record, "destroy")

    async def restore(self, item: TrashItem, name: str = "") -> VolumeView:
        """Bring one back, under another ``name`` if one is given. ConflictError: it is taken."""
        async with self._changing:
            record = decode_record(item.body)
            record = msgspec.structs.replace(record, name=name or record.name)
            self._check_free(record.name)
            await self._shelf.add(record, self._trash.taking(item))
            self._trash.taken(item)
        self._say(record, "restore")
        return self._view(record)

    async def remove_anonymous(
        self, volume_ids: Collection[str], user: str = "", *, keep: bool = False
    ) -> None:
        """Remove the volumes of a container that is about to go, where no other one has them.

        ``keep``: they can be brought back as long as it can.
        """
        for volume_id in volume_ids:
            async with self._changing:
                record = self._shelf.get(volume_id)
                if record is None:
                    continue
                try:
                    await self._remove(record, user, keep=keep)
                except ConflictError:
                    continue
                except BoxshipError as error:
                    _log.error("volume %s could not be removed: %s", record.name, error)

    async def prune(self, wanted: VolumePrune) -> PrunedVolumes:
        """Remove the volumes that nobody uses. ConflictError: one runs already."""
        if self._pruning.locked():
            raise ConflictError("a prune operation is already running")
        names, reclaimed = [], 0
        async with self._pruning:
            for record in self._unused(wanted):
                size = await asyncio.to_thread(self._size, record)
                if await self._removed_unused(record):
                    names.append(record.name)
                    reclaimed += max(0, size)
        if self._trash.is_on:
            reclaimed = 0
        self._events.publish(EventType.VOLUME, "prune", "", {"reclaimed": str(reclaimed)})
        return PrunedVolumes(tuple(names), reclaimed)

    async def plan_prune(self, wanted: VolumePrune, without: Collection[str] = ()) -> PrunedVolumes:
        """Say what :meth:`prune` would remove if the containers ``without`` were gone."""
        found = self._unused(wanted, without)
        sizes = await asyncio.to_thread(lambda: [max(0, self._size(record)) for record in found])
        return PrunedVolumes(tuple(record.name for record in found), sum(sizes))

    def _unused(
        self, wanted: VolumePrune, without: Collection[str] = ()
    ) -> builtins.list[VolumeRecord]:
        users = self._users.volume_users()
        used = {i for i, ids in users.items() if set(ids).difference(without)} | self._held.keys()
        # With options, what one holds may be on another machine: Docker leaves those, too.
        found = [r for r in self._shelf if not r.options]
        return [r for r in found if wanted.admits(r) and r.id not in used]

    async def _removed_unused(self, record: VolumeRecord) -> bool:
        try:
            async with self._changing:
                if record.id not in self._shelf:
                    return False
                await self._remove(record)
        except ConflictError:
            return False  # somebody uses it meanwhile: it is left to them
        return True

    # ── for containers ───────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def claimed(
        self, wishes_: Collection[CreateVolume], known: Collection[str] = ()
    ) -> AsyncIterator[tuple[VolumeView, ...]]:
        """Have volumes made where they are missing, and keep them while the ``with`` lasts.

        ``known`` are the ids of others to be kept. If it ends in an error, new ones without a name
        go again. Errors as of :meth:`create`; NotFoundError: a known one is gone.
        """
        for volume_id in known:  # of a container that is being removed
            if volume_id not in self._shelf:
                raise NotFoundError(f"get {volume_id}: no such volume")
        found: builtins.list[VolumeRecord] = []
        anonymous: builtins.list[str] = []
        self._held.update(known)
        try:
            for wish in wishes_:
                async with self._changing:
                    record, _ = await self._find_or_make(wish)
                    found.append(record)
                    self._held[record.id] += 1
                if not wish.name:
                    anonymous.append(record.id)
            yield tuple(map(self._view, found))
        except Exception:
            self._let_go(known, found)
            known, found = (), []
            await self.remove_anonymous(anonymous)
            raise
        finally:  # of a caller that was cancelled the container may come about all the same
            self._let_go(known, found)

    def _let_go(self, known: Collection[str], found: Collection[VolumeRecord]) -> None:
        self._held.subtract(known)
        self._held.subtract(record.id for record in found)
        self._held = +self._held

    def used(self, volume_ids: Collection[str]) -> None:
        """Remember that these volumes serve somebody now."""
        now_ns = self._clock.now_ns()
        for volume_id in volume_ids:
            record = self._shelf.get(volume_id)
            if record is not None:
                self._shelf.touch(msgspec.structs.replace(record, last_used_ns=now_ns))

    async def ready(self, volume_ids: Collection[str]) -> None:
        """Have what options say mounted. InternalError: it cannot be; NotFoundError: it is gone."""
        for volume_id in volume_ids:
            record = self._shelf.get(volume_id)
            if record is None or not record.options:
                continue
            async with self._mounting.setdefault(volume_id, asyncio.Lock()):
                if volume_id not in self._mounted:
                    place = self._store.data(volume_id)
                    await asyncio.to_thread(mounting.mount, record.options, place)
                    self._mounted.add(volume_id)

    async def unneeded(self, volume_ids: Collection[str]) -> None:
        """Unmount what no container with processes has any more."""
        for volume_id in self._mounted & set(volume_ids):
            async with self._mounting.setdefault(volume_id, asyncio.Lock()):
                if self._is_needed(volume_id) or volume_id not in self._mounted:
                    continue
                try:
                    await asyncio.to_thread(self._store.unmount, volume_id)
                except OSError as error:
                    _log.error("volume %s could not be unmounted: %s", volume_id, error)
                else:
                    self._mounted.discard(volume_id)

    def _is_needed(self, volume_id: str) -> bool:
        return self._held[volume_id] > 0 or volume_id in self._users.live_volumes()

    async def settle(self) -> None:
        """At start-up, when it is known who lives: unmount what a killed daemon left."""
        await self.unneeded(tuple(self._mounted))

    @contextmanager
    def kept(self, volume_ids: Collection[str]) -> Iterator[None]:
        """Keep volumes, and what is mounted on them, while the ``with`` lasts."""
        self._held.update(volume_ids)
        try:
            yield
        finally:
            self._held.subtract(volume_ids)
            self._held = +self._held

    async def fill(self, volume_id: str, root: int, path: str) -> None:
        """Copy what the tree ``root`` (a descriptor) has at ``path`` into a volume that is empty.

        InvalidArgumentError: there is a file; UnavailableError: the disk refuses.
        """
        async with self._mounting.setdefault(volume_id, asyncio.Lock()):
            busy = volume_id in self._mounted | self._users.live_volumes()
            try:
                await asyncio.to_thread(
                    fill, self._store, volume_id, (root, path), at_once=not busy
                )
            except OSError as error:
                raise UnavailableError(f"cannot fill the volume at {path}: {error}") from error

    def _say(
        self, record: VolumeRecord, action: str, more: Mapping[str, str] | None = None
    ) -> None:
        attributes = {"driver": LOCAL, **(more or {})}
        self._events.publish(EventType.VOLUME, action, record.name, attributes)

    def announce(self, action: str, volume_id: str, more: Mapping[str, str]) -> None:
        """Publish ``mount`` or ``unmount`` of a container, with Docker's attributes."""
        record = self._shelf.get(volume_id)
        if record is not None:
            self._say(record, action, more)
