"""Looking at volumes: those that have records at once, those of plugins by asking."""

import asyncio
import builtins
from collections.abc import Collection
from datetime import datetime

from boxship.base.errors import BoxshipError, NotFoundError
from boxship.engine.volumes import listing
from boxship.engine.volumes.claims import Claims
from boxship.engine.volumes.record import VolumeRecord
from boxship.engine.volumes.remote import RemoteVolumes, Told
from boxship.engine.volumes.requests import (
    PrunedVolumes,
    VolumePrune,
    VolumeQuery,
    VolumeSurvey,
    VolumeUse,
    VolumeView,
)
from boxship.engine.volumes.shelf import VolumeShelf
from boxship.engine.volumes.users import NoVolumeUsers, VolumeUsers
from boxship.storage.volumes import VolumeStore


class VolumeLooking:
    """Shows volumes, and changes nothing. Belongs to the event loop."""

    def __init__(
        self, shelf: VolumeShelf, store: VolumeStore, claims: Claims, remote: RemoteVolumes
    ) -> None:
        self._shelf = shelf
        self._store = store
        self._claims = claims
        self._remote = remote
        self._users: VolumeUsers = NoVolumeUsers()

    def set_users(self, users: VolumeUsers) -> None:
        """Say whom to ask who uses volumes."""
        self._users = users

    # ── by records alone ─────────────────────────────────────────────────────────────────────

    def view(self, record: VolumeRecord) -> VolumeView:
        """Return a volume as its record has it; of a plugin's, where its users find it."""
        origin = self._shelf.get(record.origin) if record.origin else None
        return VolumeView(record, self._store.data(record.id), origin.name if origin else "")

    def size(self, record: VolumeRecord) -> int:
        """Return its bytes; -1 if they lie elsewhere, or it has just been removed."""
        if record.options or record.remote:
            return -1
        try:
            return self._store.size(record.id)
        except OSError:
            return -1

    def list(self, query: VolumeQuery | None = None) -> builtins.list[VolumeView]:
        """Return those with records, by name. InvalidArgumentError: an unknown filter."""
        in_use = self._users.volume_users()
        wanted = listing.chooser((query or VolumeQuery()).filters, in_use)
        found = sorted(self._shelf, key=lambda record: record.name)
        return [self.view(record) for record in found if wanted(record)]

    async def usage(self) -> builtins.list[VolumeUse]:
        """Return volumes with their sizes and how many containers have them.

        As in Docker those with options and those of plugins are left out: their files may be on
        another machine.
        """
        users = self._users.volume_users()
        views = [v for v in self.list() if not v.record.options and not v.record.remote]
        sizes = await asyncio.to_thread(lambda: [self.size(view.record) for view in views])
        return [
            VolumeUse(view, size, len(users.get(view.record.id, ())))
            for view, size in zip(views, sizes, strict=True)
        ]

    def unused(
        self, wanted: VolumePrune, without: Collection[str] = ()
    ) -> builtins.list[VolumeRecord]:
        """Return what is to be pruned if the containers ``without`` are gone."""
        users = self._users.volume_users()
        used = {i for i, ids in users.items() if set(ids).difference(without)} | self._claims.ids()
        # With options, what one holds may be on another machine: Docker leaves those, too, and
        # those of plugins.
        found = [r for r in self._shelf if not r.options and not r.remote]
        return [r for r in found if wanted.admits(r) and r.id not in used]

    async def plan_prune(self, wanted: VolumePrune, without: Collection[str]) -> PrunedVolumes:
        """Say what pruning would remove if the containers ``without`` were gone."""
        found = self.unused(wanted, without)
        sizes = await asyncio.to_thread(lambda: [max(0, self.size(record)) for record in found])
        return PrunedVolumes(tuple(record.name for record in found), sum(sizes))

    def of_driver(self, driver: str) -> builtins.list[str]:
        """Return the volumes that a driver keeps, in words."""
        return [f"volume {record.name}" for record in self._shelf if record.driver == driver]

    # ── with plugins ─────────────────────────────────────────────────────────────────────────

    async def look(self, name: str) -> VolumeView:
        """Return a volume by its name, also one that only a plugin knows. NotFoundError.

        Where its plugin fails, its record is shown, and the failure in its status.
        """
        record = self._shelf.named(name)
        if record is None:
            told = await self._remote.find(name)
            if told is None:
                raise NotFoundError(f"get {name}: no such volume")
            return _of_plugin(_unrecorded(told), told)
        if not record.remote:
            return self.view(record)
        try:
            return _of_plugin(record, await self._remote.told(record))
        except BoxshipError as error:
            return _untold(record, str(error))

    async def survey(self, query: VolumeQuery) -> VolumeSurvey:
        """Return all volumes, by name, and what plugins did not tell. InvalidArgumentError."""
        wanted = listing.chooser(query.filters, self._users.volume_users())
        remote = [record for record in self._shelf if record.remote]
        if not remote and not self._remote.may_be:
            return VolumeSurvey(tuple(self.list(query)))
        told, warnings = await self._remote.all()
        by_name = {(one.driver, one.volume.name): one for one in told}
        views = [self.view(record) for record in self._shelf if not record.remote]
        for record in remote:
            found = by_name.pop((record.driver, record.name), None)
            views.append(_of_plugin(record, found) if found else _untold(record, ""))
        named = {view.record.name for view in views}
        strangers = [one for one in by_name.values() if one.volume.name not in named]
        views += [_of_plugin(_unrecorded(one), one) for one in strangers]
        chosen = sorted((v for v in views if wanted(v.record)), key=lambda v: v.record.name)
        return VolumeSurvey(tuple(chosen), tuple(warnings))


def _of_plugin(record: VolumeRecord, told: Told) -> VolumeView:
    volume = told.volume
    return VolumeView(record, volume.mountpoint, scope=told.scope, status=volume.status)


def _untold(record: VolumeRecord, why: str) -> VolumeView:
    return VolumeView(record, "", status={"Error": why} if why else {})


def _unrecorded(told: Told) -> VolumeRecord:
    """Return what a record of a volume would be that none of ours made."""
    try:
        created = datetime.fromisoformat(told.volume.created_at)
        created_ns = int(created.timestamp()) * 1_000_000_000
    except (ValueError, OverflowError):
        created_ns = 0
    name = told.volume.name
    return VolumeRecord(f"{told.driver}/{name}", name, created_ns, told.driver)
