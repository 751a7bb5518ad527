"""What callers of the volume use cases hand in and get back; all frozen, parsed at the edge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from boxship.engine.volumes.record import LOCAL, VolumeRecord
from boxship.model.labels import ANY_LABELS, LabelFilter


@dataclass(frozen=True)
class CreateVolume:
    """A wish for a volume; without a name it is an anonymous one."""

    name: str = ""
    driver: str = LOCAL
    """Empty: whoever has a volume of that name, else the local one."""
    labels: Mapping[str, str] | None = None
    options: Mapping[str, str] | None = None
    read_only: bool = False
    origin: str = ""
    """The id of the volume whose files it has, if it is a copy."""
    taken_from: str = ""
    """The directory of another engine that has its files, or had them."""
    created_ns: int = 0
    """When that engine made it; 0: it is made now."""
    anonymous: bool = False
    """Its name was made up."""


@dataclass(frozen=True)
class VolumeQuery:
    """Which volumes to list, by Docker's filters."""

    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class VolumePrune:
    """Which of the unused volumes to remove: anonymous ones, or ``all``."""

    all: bool = False
    labels: LabelFilter = ANY_LABELS

    def admits(self, record: VolumeRecord) -> bool:
        """Tell whether a volume is to go if nobody uses it."""
        return (self.all or record.anonymous) and self.labels.admits(record.labels or {})


@dataclass(frozen=True)
class PrunedVolumes:
    """The names of those that went, and the bytes that came free."""

    names: tuple[str, ...]
    reclaimed: int


@dataclass(frozen=True)
class VolumeView:
    """A volume, and where its files are."""

    record: VolumeRecord
    mountpoint: str
    origin: str = ""
    """The name of the volume that it is a copy of, if that is still there."""
    scope: str = LOCAL
    """``global``: other engines see the same volume."""
    status: Mapping[str, object] = field(default_factory=dict)
    """What its plugin says of it."""


@dataclass(frozen=True)
class VolumeSurvey:
    """All volumes, and a warning for each plugin that did not tell its own."""

    views: tuple[VolumeView, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class VolumeUse:
    """A volume with its size in bytes (-1: it is being removed) and how many use it."""

    view: VolumeView
    size: int
    references: int
