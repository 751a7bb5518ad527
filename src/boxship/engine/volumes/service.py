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
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager

import msgspec

from boxship.base.clock import Clock
from boxship.base.errors import (
    BoxshipError,
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from boxship.engine.events.bus import EventBus
from boxship.engine.plugins.entry import PluginEntry
from boxship.engine.records.database import Database
from boxship.engine.records.trash import TrashBin, TrashItem
from boxship.engine.settings import PluginSettings
from boxship.engine.volumes.claims import Claims
from boxship.engine.volumes.looking import VolumeLooking
from boxship.engine.volumes.making import Making
from boxship.engine.volumes.mounts import VolumeMounts
from boxship.engine.volumes.obtaining import Obtaining
from boxship.engine.volumes.record import (
    ANONYMOUS_LABEL,
    VolumeRecord,
    decode_record,
    encode_record,
)
from boxship.engine.volumes.remote import RemoteVolumes
from boxship.engine.volumes.removing import RemoteRemoving
from boxship.engine.volumes.requests import (
    CreateVolume,
    PrunedVolumes,
    VolumePrune,
    VolumeQuery,
    VolumeSurvey,
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
        *,
        plugins: PluginEntry | None = None,
    ) -> None:
        self._trash = TrashBin(database, clock) if trash is None else trash
        self._shelf = VolumeShelf(database, clock)
        self._store = store
        self._events = events
        self._clock = clock
        self._users: VolumeUsers = NoVolumeUsers()
        self._claims = Claims()
        self._making = Making(self._shelf, store, clock, lambda made: self._say(made, "create"))
        self._changing = asyncio.Lock()
        """Making and removing, one at a time: names are few, and each is quick."""
        self._pruning = asyncio.Lock()
        plugins = PluginEntry(PluginSettings()) if plugins is None else plugins
        self._remote = RemoteVolumes(plugins)
        self._looking = VolumeLooking(self._shelf, store, self._claims, self._remote)
        plugins.add_users(self._looking.of_driver)
        self._obtaining = Obtaining(self._shelf, self._making, self._remote, self._changing)
        self.mounts = VolumeMounts(store, self._shelf, self._claims, self._remote)
        self._removing = RemoteRemoving(
            self._shelf, self._remote, self.mounts, self._check_unused, self._forget
        )

    def set_users(self, users: VolumeUsers) -> None:
        """Say whom to ask who uses volumes."""
        self._users = users
        self._looking.set_users(users)
        self.mounts.set_users(users)

    async def open(self, *, keeps_strangers: bool = False) -> None:
        """Load the records; afterwards every directory has one, and every record a directory.

        ``keeps_strangers``: records may have been lost, and directories without one stay.
        """
        self._shelf.load()
        removed = frozenset(item.id for item in self._trash.of(EventType.VOLUME))
        known = frozenset(r.id for r in self._shelf) | removed
        self.mounts.found(await asyncio.to_thread(self._sweep, known, keeps_strangers))

    def _sweep(self, known: frozenset[str], keeps_strangers: bool) -> frozenset[str]:
        present = set(self._store.ids())
        for volume_id in present - known:
            if keeps_strangers:
                _log.warning("volume %s has no record (any more); its files stay", volume_id)
                continue
            _log.info("removing what is left of volume %s, which has no record", volume_id)
            try:
                self._store.remove(volume_id)
            except OSError as error:  # it is in nobody's way
                _log.error("what is left of volume %s stays: %s", volume_id, error)
        for volume_id in known - present:
            _log.error("the files of volume %s are gone; it is empty now", volume_id)
            self._store.make(volume_id)
        return frozenset(i for i in known if self._store.is_mounted(i))

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    def inspect(self, name: str) -> VolumeView:
        """Return a volume that has a record, by its name. NotFoundError."""
        return self._looking.view(self._shelf.find(name))

    def has(self, volume_id: str) -> bool:
        """Tell whether there is a volume of this id."""
        return volume_id in self._shelf

    def list(self, query: VolumeQuery | None = None) -> builtins.list[VolumeView]:
        """Return those with records, by name. InvalidArgumentError: an unknown filter."""
        return self._looking.list(query)

    async def look(self, name: str) -> VolumeView:
        """Return a volume by its name, whoever keeps it. NotFoundError."""
        return await self._looking.look(name)

    async def survey(self, query: VolumeQuery) -> VolumeSurvey:
        """Return all volumes, whoever keeps them. InvalidArgumentError: an unknown filter."""
        return await self._looking.survey(query)

    async def usage(self) -> builtins.list[VolumeUse]:
        """Return volumes with their sizes and how many containers have them."""
        return await self._looking.usage()

    # ── making and removing ──────────────────────────────────────────────────────────────────

    async def create(self, request: CreateVolume) -> VolumeView:
        """Make a volume, or return the one that has this name.

        InvalidArgumentError: a bad name or option; NotFoundError: no such driver;
        ConflictError: another driver has one of that name; UnavailableError: the disk refuses;
        also what its plugin answers.
        """
        return self._looking.view(await self._obtaining.obtain(request))

    def reserved(self, name: str) -> AbstractContextManager[None]:
        """Claim a name while files are gathered for its volume. Errors as of :meth:`create`."""
        return self._making.reserved(name)

    async def admit(self, request: CreateVolume, place: str) -> VolumeView:
        """Make a volume of a staged place, under a name that is reserved. UnavailableError."""
        async with self._changing:
            return self._looking.view(await self._making.make(request, place))

    async def rename(self, name: str, new_name: str) -> None:
        """Call a volume otherwise, also in the containers that have it; their files stay.

        One without a name has one then, and is nobody's to remove by the way. NotFoundError;
        InvalidArgumentError: a bad name; ConflictError: it is taken.
        """
        async with self._changing:
            record = self._shelf.find(name)
            if record.remote:
                raise InvalidArgumentError(
                    f"rename {name}: its plugin {record.driver} knows it by this name"
                )
            if new_name == name:
                raise InvalidArgumentError(f"rename {name}: that is its name already")
            self._making.check_free(new_name)
            if record.id in self._claims:
                raise ConflictError(f"rename {name}: somebody begins to use it: try again")
            labels = {k: v for k, v in (record.labels or {}).items() if k != ANONYMOUS_LABEL}
            renamed = msgspec.structs.replace(record, name=new_name, labels=labels or None)
            await self._shelf.rename(record, renamed)
        # Without our lock, because who has a container's may be waiting for it.
        await self._users.volume_renamed(record.id, name, new_name)
        self._say(renamed, "rename", {"oldName": name})

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a volume. NotFoundError, unless ``force``; ConflictError: somebody uses it.

        With ``force`` also one whose plugin fails to remove it: the engine forgets it.
        """
        record = self._shelf.named(name)
        if (record is None or record.remote) and await self._removing.remove(name, force=force):
            return
        async with self._changing:
            record = self._shelf.named(name) if force else self._shelf.find(name)
            if record is not None:
                await self._remove(record)

    async def _remove(self, record: VolumeRecord, user: str = "", *, keep: bool = True) -> None:
        """Remove it; ``user`` is about to go itself, and does not count. ``keep``: to the trash.

        ConflictError; UnavailableError: the disk refuses, also if it is only the files that stay.
        """
        self._check_unused(record, user)
        body = encode_record(record)
        kept = self._trash.item(EventType.VOLUME, record.id, record.name, body) if keep else None
        await self._shelf.delete(record, self._trash.putting(kept))
        self._trash.put(kept)
        self.mounts.forget(record.id)
        self._say(record, "destroy")
        try:
            dispose = self._store.unmount if kept else self._store.remove
            await asyncio.to_thread(dispose, record.id)
        except OSError as error:
            raise UnavailableError(
                f"remove {record.name}: its files stay until the daemon is started again: {error}"
            ) from error

    def _check_unused(self, record: VolumeRecord, user: str = "") -> None:
        users = [u for u in self._users.volume_users().get(record.id, ()) if u != user]
        if users or record.id in self._claims:
            raise ConflictError(f"remove {record.name}: volume is in use - [{', '.join(users)}]")

    async def _forget(self, record: VolumeRecord, user: str) -> None:
        async with self._changing:
            await self._remove(record, user, keep=False)

    async def restore(self, item: TrashItem, name: str = "") -> VolumeView:
        """Bring one back, under another ``name`` if one is given. ConflictError: it is taken."""
        async with self._changing:
            record = decode_record(item.body)
            record = msgspec.structs.replace(record, name=name or record.name)
            self._making.check_free(record.name)
            await self._shelf.add(record, self._trash.taking(item))
            self._trash.taken(item)
        self._say(record, "restore")
        return self._looking.view(record)

    async def remove_anonymous(
        self, volume_ids: Collection[str], user: str = "", *, keep: bool = False
    ) -> None:
        """Remove the volumes of a container that is about to go, where no other one has them.

        ``keep``: they can be brought back as long as it can. UnavailableError: the disk refuses
        some; the others are gone.
        """
        failed = []
        for record in filter(None, map(self._shelf.get, volume_ids)):
            if record.remote:
                await self._removing.remove_quietly(record, user)
                continue
            async with self._changing:
                if record.id not in self._shelf:
                    continue
                try:
                    await self._remove(record, user, keep=keep)
                except ConflictError:
                    continue
                except BoxshipError as error:
                    failed.append(str(error))
        if failed:
            raise UnavailableError("; ".join(failed))

    async def prune(self, wanted: VolumePrune) -> PrunedVolumes:
        """Remove the volumes that nobody uses. ConflictError: one runs already."""
        if self._pruning.locked():
            raise ConflictError("a prune operation is already running")
        names, reclaimed = [], 0
        async with self._pruning:
            for record in self._looking.unused(wanted):
                size = await asyncio.to_thread(self._looking.size, record)
                if await self._removed_unused(record):
                    names.append(record.name)
                    reclaimed += max(0, size)
        if self._trash.is_on:
            reclaimed = 0
        self._events.publish(EventType.VOLUME, "prune", "", {"reclaimed": str(reclaimed)})
        return PrunedVolumes(tuple(names), reclaimed)

    async def plan_prune(self, wanted: VolumePrune, without: Collection[str] = ()) -> PrunedVolumes:
        """Say what :meth:`prune` would remove if the containers ``without`` were gone."""
        return await self._looking.plan_prune(wanted, without)

    async def _removed_unused(self, record: VolumeRecord) -> bool:
        try:
            async with self._changing:
                if record.id not in self._shelf:
                    return False
                await self._remove(record)
        except ConflictError:
            return False  # somebody uses it meanwhile: it is left to them
        except UnavailableError as error:
            if record.id in self._shelf:
                raise
            _log.error("%s", error)
        return True

    # ── for containers ───────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def claimed(
        self, wishes_: Collection[CreateVolume]
    ) -> AsyncIterator[tuple[VolumeView, ...]]:
        """Have volumes made where they are missing, and keep them while the ``with`` lasts.

        If it ends in an error, new ones without a name go again. Errors as of :meth:`create`.
        """
        found: builtins.list[VolumeRecord] = []
        anonymous: builtins.list[str] = []
        try:
            for wish in wishes_:
                record = await self._obtaining.obtain(wish, self._claim)
                found.append(record)
                if not wish.name:
                    anonymous.append(record.id)
            yield tuple(map(self._looking.view, found))
        except Exception:
            self._claims.give_back(record.id for record in found)
            found = []
            try:
                await self.remove_anonymous(anonymous)
            except BoxshipError as error:  # why it came to this says more
                _log.error("volumes of a container that did not come about stay: %s", error)
            raise
        finally:  # of a caller that was cancelled the container may come about all the same
            self._claims.give_back(record.id for record in found)

    def _claim(self, record: VolumeRecord) -> None:
        self._claims.take((record.id,))

    @asynccontextmanager
    async def held(self, volume_ids: Collection[str]) -> AsyncIterator[None]:
        """Keep volumes that others made while the ``with`` lasts. NotFoundError: one is gone.

        Whoever has no container's record to rely on asks here: a removal that is under way comes
        first, and a later one is refused.
        """
        async with self._changing:
            for volume_id in volume_ids:
                if volume_id not in self._shelf or self._removing.is_going(volume_id):
                    raise NotFoundError(f"get {volume_id}: no such volume")
            self._claims.take(volume_ids)
        try:
            yield
        finally:
            self._claims.give_back(volume_ids)

    @contextmanager
    def kept(self, volume_ids: Collection[str]) -> Iterator[None]:
        """Keep a container's volumes, and what is mounted on them, while the ``with`` lasts.

        Its record, or a claim, keeps them from removal already.
        """
        self._claims.take(volume_ids)
        try:
            yield
        finally:
            self._claims.give_back(volume_ids)

    @asynccontextmanager
    async def opened(self, name: str) -> AsyncIterator[VolumeView]:
        """Keep a volume, and have its options mounted. NotFoundError; InternalError."""
        view = self.inspect(name)
        ids = (view.record.id,)
        try:
            async with self.held(ids):
                await self.mounts.ready(ids)
                yield view
        finally:
            await self.mounts.unneeded(ids)

    def used(self, volume_ids: Collection[str]) -> None:
        """Remember that these volumes serve somebody now."""
        now_ns = self._clock.now_ns()
        for volume_id in volume_ids:
            record = self._shelf.get(volume_id)
            if record is not None:
                self._shelf.touch(msgspec.structs.replace(record, last_used_ns=now_ns))

    def _say(
        self, record: VolumeRecord, action: str, more: Mapping[str, str] | None = None
    ) -> None:
        attributes = {"driver": record.driver, **(more or {})}
        self._events.publish(EventType.VOLUME, action, record.name, attributes)

    def announce(self, action: str, volume_id: str, more: Mapping[str, str]) -> None:
        """Publish ``mount`` or ``unmount`` of a container, with Docker's attributes."""
        record = self._shelf.get(volume_id)
        if record is not None:
            self._say(record, action, more)
