"""Plugins' volumes mounted on our directories, and given back to their plugins. ::

    caller written down → Mount → bound on <volume>/_data       somebody needs it
    taken off <volume>/_data → Unmount → caller struck out      nobody does any more

What is mounted is in the mount table, what the plugin was told in the record: a daemon that is
killed at any point finds out what is left to do. Giving back happens beside everything else,
because no container's end may wait for a plugin; whoever mounts, or removes, the same volume waits
for it.
"""

import asyncio
import contextlib
import logging

import msgspec

from boxship.base.errors import BoxshipError
from boxship.base.ids import new_id
from boxship.engine.volumes import mounting
from boxship.engine.volumes.record import VolumeRecord
from boxship.engine.volumes.remote import RemoteVolumes
from boxship.engine.volumes.shelf import VolumeShelf
from boxship.storage.volumes import VolumeStore

_log = logging.getLogger(__name__)

_LAST_WORDS = 2.0
"""Seconds that plugins have to take volumes back when the daemon stops."""


class RemoteMounts:
    """Belongs to the event loop."""

    def __init__(self, store: VolumeStore, shelf: VolumeShelf, remote: RemoteVolumes) -> None:
        self._store = store
        self._shelf = shelf
        self._remote = remote
        self._returning: dict[str, asyncio.Task[None]] = {}

    async def mount(self, volume_id: str) -> None:
        """Have it mounted. InternalError, UnavailableError: it cannot be."""
        await self.returned(volume_id)
        record = self._shelf.get(volume_id)
        if record is None:
            return
        if not record.caller:
            record = self._save(record, new_id())
        try:
            path = await self._remote.mount(record)
            await asyncio.to_thread(mounting.bind, path, self._store.data(volume_id))
        except BaseException:
            # Whether the plugin has mounted it, it alone knows.
            self.give_back(volume_id)
            raise

    def give_back(self, volume_id: str) -> None:
        """Say to the plugin that it is not needed, beside everything else."""
        record = self._shelf.get(volume_id)
        if record is None or not record.caller or volume_id in self._returning:
            return
        task = asyncio.create_task(self._give_back(record))
        self._returning[volume_id] = task
        task.add_done_callback(lambda _: self._returning.pop(volume_id, None))

    async def _give_back(self, record: VolumeRecord) -> None:
        await self._remote.unmount(record)
        current = self._shelf.get(record.id)
        if current is not None:
            self._save(current, "")

    async def returned(self, volume_id: str) -> None:
        """Wait until the plugin has it back, if it is on its way there."""
        task = self._returning.get(volume_id)
        if task is not None:
            await asyncio.wait([task])

    def settle(self, mounted: set[str]) -> None:
        """At start-up: give back what a killed daemon had, unless it is mounted."""
        for record in self._shelf:
            if record.caller and record.id not in mounted:
                self.give_back(record.id)

    async def close(self) -> None:
        """Stop giving back; the next daemon goes on with what is left."""
        tasks = list(self._returning.values())
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_WORDS)
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, BoxshipError):
                await task

    def _save(self, record: VolumeRecord, caller: str) -> VolumeRecord:
        changed = msgspec.structs.replace(record, caller=caller)
        self._shelf.touch(changed)
        return changed
