"""What a container has done to a file of its image."""

from enum import Enum

from msgspec import Struct


class ChangeKind(Enum):
    """What happened; the values are those of the Engine API."""

    CHANGED = 0
    ADDED = 1
    DELETED = 2


class FileChange(Struct, frozen=True):
    """One row of ``docker diff``. ``path`` is absolute; file names are bytes."""

    kind: ChangeKind
    path: bytes
