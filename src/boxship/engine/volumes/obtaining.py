"""Find or make volumes, asking plugins where it takes that.

A plugin may take its time or hang. It is asked outside the lock under which records are changed,
so that only those wait who want a volume of the same name.
"""

import asyncio
from collections.abc import Callable

from boxship.engine.volumes.making import Making
from boxship.engine.volumes.record import LOCAL, VolumeRecord
from boxship.engine.volumes.remote import RemoteVolumes
from boxship.engine.volumes.requests import CreateVolume
from boxship.engine.volumes.shelf import VolumeShelf


class Obtaining:
    """Belongs to the event loop. ``changing`` is held while records change."""

    def __init__(
        self, shelf: VolumeShelf, making: Making, remote: RemoteVolumes, changing: asyncio.Lock
    ) -> None:
        self._shelf = shelf
        self._making = making
        self._remote = remote
        self._changing = changing

    async def obtain(
        self, wish: CreateVolume, then: Callable[[VolumeRecord], None] = lambda _: None
    ) -> VolumeRecord:
        """Return a volume; ``then`` is called with it before anybody can remove it.

        Errors as of :meth:`Volumes.create`.
        """
        if not self._concerns_plugins(wish):
            return await self._record(wish, then)
        async with self._remote.turn(wish.name):
            if self._shelf.named(wish.name) is not None:
                return await self._record(wish, then)
            prepared, is_new = await self._remote.prepared(wish)
            try:
                return await self._record(prepared, then)
            except BaseException:
                if is_new:
                    await self._remote.undo(prepared)
                raise

    async def _record(
        self, wish: CreateVolume, then: Callable[[VolumeRecord], None]
    ) -> VolumeRecord:
        async with self._changing:
            record, _ = await self._making.find_or_make(wish)
            then(record)
            return record

    def _concerns_plugins(self, wish: CreateVolume) -> bool:
        if wish.driver not in ("", LOCAL):
            return True
        return bool(wish.name) and not wish.driver and self._remote.may_be
