"""Which ids outside the users and groups of a user namespace are."""

from dataclasses import dataclass

Map = tuple[tuple[int, int, int], ...]
"""Ranges as ``/proc/PID/uid_map`` has them: first id inside, first id outside, how many."""


@dataclass(frozen=True)
class UserMaps:
    """Both maps. Their first range begins with 0 inside."""

    uid_map: Map
    gid_map: Map

    @property
    def root(self) -> tuple[int, int]:
        """uid and gid that the container's root is outside."""
        return self.uid_map[0][1], self.gid_map[0][1]
