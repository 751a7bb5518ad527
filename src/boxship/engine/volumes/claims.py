"""Volumes that somebody is about to use, whose record does not say so yet."""

from collections import Counter
from collections.abc import Iterable


class Claims:
    """How often each volume is claimed, by id. Belongs to the event loop."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()

    def __contains__(self, volume_id: str) -> bool:
        return self._held[volume_id] > 0

    def ids(self) -> frozenset[str]:
        """Return all that are claimed."""
        return frozenset(self._held)

    def take(self, volume_ids: Iterable[str]) -> None:
        """Claim each once more."""
        self._held.update(volume_ids)

    def give_back(self, volume_ids: Iterable[str]) -> None:
        """Claim each once less."""
        self._held.subtract(volume_ids)
        self._held = +self._held
