"""Remove the networks that nobody is on."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from boxship.base.errors import BoxshipError, ConflictError
from boxship.engine.networks.record import NetworkRecord
from boxship.engine.networks.requests import NetworkPrune


class Pruning:
    """One at a time. ``remove`` takes a network's id."""

    def __init__(
        self,
        networks: Iterable[NetworkRecord],
        in_use: Callable[[NetworkRecord], bool],
        remove: Callable[[str], Awaitable[None]],
    ) -> None:
        self._networks = networks
        self._in_use = in_use
        self._remove = remove
        self._running = asyncio.Lock()

    async def prune(self, wanted: NetworkPrune) -> tuple[str, ...]:
        """Remove them, and return their names. ConflictError: one runs."""
        if self._running.locked():
            raise ConflictError("a prune operation is already running")
        async with self._running:
            chosen = [record for record in self._networks if self._is_pruned(record, wanted)]
            return tuple([r.name for r in chosen if await self._remove_unused(r, wanted)])

    def plan(self, wanted: NetworkPrune) -> tuple[str, ...]:
        """Return the names of those that :meth:`prune` would remove now."""
        return tuple(record.name for record in self._networks if self._is_pruned(record, wanted))

    def _is_pruned(self, record: NetworkRecord, wanted: NetworkPrune) -> bool:
        return wanted.admits(record) and not self._in_use(record)

    async def _remove_unused(self, record: NetworkRecord, wanted: NetworkPrune) -> bool:
        if not self._is_pruned(record, wanted):
            return False
        try:
            await self._remove(record.id)
        except BoxshipError:
            return False  # somebody uses or removes it meanwhile: it is left to them
        return True
