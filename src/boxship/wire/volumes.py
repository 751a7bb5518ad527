"""Volumes in requests and answers."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType


class ClusterVolumeSpec(Struct, frozen=True):
    """What a swarm would be told of a volume of its own."""


class VolumeBody(Struct, frozen=True, rename="pascal"):
    """The body of ``POST /volumes/create``."""

    name: str = ""
    driver: str = ""
    driver_opts: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    cluster_volume_spec: ClusterVolumeSpec | None = None
    """Given, it is a volume of a swarm's, whatever it says."""


class UsageData(Struct, frozen=True, rename="pascal"):
    """How many containers have a volume, and its bytes; -1: not known."""

    ref_count: int
    size: int


class CopyBody(Struct, frozen=True, rename="pascal"):
    """The body of ``POST /volumes/{name}/clone`` and ``…/snapshot``."""

    name: str = ""
    labels: dict[str, str] | None = None
    pause: bool = True


class VolumeRow(Struct, frozen=True, rename="pascal"):
    """A volume, wherever it is shown; ``usage_data`` in ``/system/df`` alone."""

    created_at: str
    driver: str
    labels: dict[str, str] | None
    mountpoint: str
    name: str
    options: dict[str, str] | None
    scope: str = "local"
    status: dict[str, Any] | UnsetType = UNSET
    usage_data: UsageData | UnsetType = UNSET


class VolumeList(Struct, frozen=True, rename="pascal"):
    """``GET /volumes``."""

    volumes: tuple[VolumeRow, ...]
    warnings: tuple[str, ...] | None = None
