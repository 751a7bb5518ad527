"""Choosing objects by their labels, as every ``prune`` does."""

from collections.abc import Iterable, Mapping

from msgspec import Struct


class LabelFilter(Struct, frozen=True):
    """``wanted`` and ``unwanted`` are ``name`` or ``name=value``; empty ones restrict nothing.

    All of the wanted must hold. An object is left out if all of the unwanted hold, as in Docker.
    """

    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()

    def admits(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an object with these labels is chosen."""
        if not _all_hold(self.wanted, labels):
            return False
        return not self.unwanted or not _all_hold(self.unwanted, labels)


ANY_LABELS = LabelFilter()


def _all_hold(conditions: Iterable[str], labels: Mapping[str, str]) -> bool:
    for condition in conditions:
        name, equals, value = condition.partition("=")
        if name not in labels or (equals and labels[name] != value):
            return False
    return True
