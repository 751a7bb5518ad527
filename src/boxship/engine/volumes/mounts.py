"""What is mounted on volumes' directories, and when: what their options say, while it is needed.

It is mounted when the first who needs a volume comes and unmounted when the last has gone. What a
killed daemon left is found in the mount table, and goes on from there.
"""

import asyncio
import logging
from collections.abc import Collection

from boxship.base.errors import UnavailableError
from boxship.engine.volumes import mounting, wishes
from boxship.engine.volumes.claims import Claims
from boxship.engine.volumes.filling import fill
from boxship.engine.volumes.record import VolumeRecord
from boxship.engine.volumes.remote import RemoteVolumes
from boxship.engine.volumes.remotemounts import RemoteMounts
from boxship.engine.volumes.shelf import VolumeShelf
from boxship.engine.volumes.users import NoVolumeUsers, VolumeUsers
from boxship.storage.volumes import VolumeStore

_log = logging.getLogger(__name__)


class VolumeMounts:
    """The mounted ones among the volumes. Belongs to the event loop."""

    def __init__(
        self, store: VolumeStore, shelf: VolumeShelf, claims: Claims, remote: RemoteVolumes
    ) -> None:
        self._store = store
        self._remote = RemoteMounts(store, shelf, remote)
        self._shelf = shelf
        self._claims = claims
        self._users: VolumeUsers = NoVolumeUsers()
        self._changing: dict[str, asyncio.Lock] = {}
        self._mounted: set[str] = set()

    def set_users(self, users: VolumeUsers) -> None:
        """Say whom to ask whether a volume is needed."""
        self._users = users

    def found(self, volume_ids: Collection[str]) -> None:
        """At start-up: these are mounted."""
        self._mounted |= set(volume_ids)

    def forget(self, volume_id: str) -> None:
        """A volume is being removed, and whatever is on it taken off."""
        self._mounted.discard(volume_id)
        self._changing.pop(volume_id, None)

    async def ready(self, volume_ids: Collection[str]) -> None:
        """Have what options say mounted. InternalError: it cannot be."""
        for volume_id in volume_ids:
            record = self._shelf.get(volume_id)
            if record is None or not _has_mount(record):
                continue
            async with self._changing.setdefault(volume_id, asyncio.Lock()):
                if volume_id not in self._mounted:
                    await self._mount(record)
                    self._mounted.add(volume_id)

    async def _mount(self, record: VolumeRecord) -> None:
        if record.remote:
            await self._remote.mount(record.id)
        else:
            place = self._store.data(record.id)
            await asyncio.to_thread(mounting.mount, record.options or {}, place)

    async def unneeded(self, volume_ids: Collection[str]) -> None:
        """Unmount what no container with processes has any more."""
        for volume_id in self._mounted & set(volume_ids):
            async with self._changing.setdefault(volume_id, asyncio.Lock()):
                if self._is_needed(volume_id) or volume_id not in self._mounted:
                    continue
                try:
                    await asyncio.to_thread(self._store.unmount, volume_id)
                except OSError as error:
                    _log.error("volume %s could not be unmounted: %s", volume_id, error)
                else:
                    self._mounted.discard(volume_id)
                    self._remote.give_back(volume_id)

    def _is_needed(self, volume_id: str) -> bool:
        return volume_id in self._claims or volume_id in self._users.live_volumes()

    async def settle(self) -> None:
        """At start-up, when it is known who lives: unmount what a killed daemon left."""
        await self.unneeded(tuple(self._mounted))
        self._remote.settle(self._mounted)

    async def given_back(self, volume_id: str) -> None:
        """Wait until a plugin has its volume back that nobody needs any more."""
        await self._remote.returned(volume_id)

    async def close(self) -> None:
        """Leave everything as it is."""
        await self._remote.close()

    async def fill(self, volume_id: str, root: int, path: str) -> None:
        """Copy what the tree ``root`` (a descriptor) has at ``path`` into a volume that is empty.

        InvalidArgumentError: there is a file; UnavailableError: the disk refuses.
        """
        async with self._changing.setdefault(volume_id, asyncio.Lock()):
            record = self._shelf.get(volume_id)
            busy = volume_id in self._mounted | self._users.live_volumes()
            limited = record is not None and (bool(record.options) or record.remote)
            at_once = not busy and not limited
            try:
                await asyncio.to_thread(fill, self._store, volume_id, (root, path), at_once=at_once)
            except OSError as error:
                raise UnavailableError(f"cannot fill the volume at {path}: {error}") from error


def _has_mount(record: VolumeRecord) -> bool:
    return record.remote or wishes.is_mounted(record.options or {})
