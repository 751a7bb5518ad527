"""Who uses volumes, as far as volumes need to know."""

from collections.abc import Mapping
from typing import Protocol


class VolumeUsers(Protocol):
    """The containers of the engine."""

    def volume_users(self) -> Mapping[str, tuple[str, ...]]:
        """Return the ids of the containers that have each volume, by the volume's id."""
        ...

    def live_volumes(self) -> frozenset[str]:
        """Return the ids of the volumes of containers that have processes, or are being started."""
        ...

    async def volume_renamed(self, volume_id: str, old: str, new: str) -> None:
        """Call a volume by its new name from now on."""
        ...


class NoVolumeUsers:
    """Nobody; before the containers are known."""

    def volume_users(self) -> Mapping[str, tuple[str, ...]]:
        return {}

    def live_volumes(self) -> frozenset[str]:
        return frozenset()

    async def volume_renamed(self, volume_id: str, old: str, new: str) -> None:
        pass
