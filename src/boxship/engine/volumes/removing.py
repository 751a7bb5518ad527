"""Remove volumes that plugins keep: the plugin first, then the record."""

import logging
from collections.abc import Awaitable, Callable

from boxship.base.errors import BoxshipError, ConflictError
from boxship.engine.volumes.mounts import VolumeMounts
from boxship.engine.volumes.record import VolumeRecord
from boxship.engine.volumes.remote import RemoteVolumes
from boxship.engine.volumes.shelf import VolumeShelf

_log = logging.getLogger(__name__)


class RemoteRemoving:
    """Belongs to the event loop. A plugin is asked outside any lock but its volume's own turn."""

    def __init__(
        self,
        shelf: VolumeShelf,
        remote: RemoteVolumes,
        mounts: VolumeMounts,
        check_unused: Callable[[VolumeRecord, str], None],
        forget: Callable[[VolumeRecord, str], Awaitable[None]],
    ) -> None:
        self._shelf = shelf
        self._remote = remote
        self._mounts = mounts
        self._check_unused = check_unused
        self._forget = forget
        self._going: set[str] = set()

    def is_going(self, volume_id: str) -> bool:
        """Tell whether its plugin is removing it just now."""
        return volume_id in self._going

    async def remove(self, name: str, user: str = "", *, force: bool = False) -> bool:
        """Remove a plugin's volume; ``False``: no plugin has one of this name.

        ``user`` is about to go itself, and does not count. ``force``: the record goes whatever the
        plugin says. ConflictError: somebody uses it; what the plugin answers.
        """
        if self._shelf.named(name) is None and not self._remote.may_be:
            return False
        async with self._remote.turn(name):
            record = self._shelf.named(name)
            if record is None:
                found = await self._remote.find(name)
                if found is not None:
                    await self._remote.remove(name, found.driver)
                return found is not None
            if record.remote:
                await self._remove(record, user, force=force)
            return record.remote

    async def remove_quietly(self, record: VolumeRecord, user: str) -> None:
        """Remove one of a container that goes; an error is logged, and it stays."""
        try:
            await self.remove(record.name, user)
        except ConflictError:
            return
        except BoxshipError as error:
            _log.error("a volume of a container that is gone stays: %s", error)

    async def _remove(self, record: VolumeRecord, user: str, *, force: bool) -> None:
        self._check_unused(record, user)
        self._going.add(record.id)
        try:
            await self._mounts.given_back(record.id)
            await self._remote.remove(record.name, record.driver)
        except BoxshipError as error:
            if not force:
                raise
            _log.warning("volume %s is forgotten: %s", record.name, error)
        finally:
            self._going.discard(record.id)
        await self._forget(record, user)
