"""Shapes that ``boxship.wire`` leaves open because what is in them comes encoded already."""

from msgspec import UNSET, Struct, UnsetType

from boxship.wire import diskusage
from boxship.wire.containers import ContainerRow
from boxship.wire.images import ImageRow
from boxship.wire.volumes import VolumeRow


class _Totals(Struct, frozen=True, rename="pascal"):
    active_count: int = 0
    total_count: int = 0
    reclaimable: int = 0
    total_size: int = 0


class ImageUsage(_Totals, frozen=True, rename="pascal"):
    items: tuple[ImageRow, ...] | UnsetType = UNSET


class ContainerUsage(_Totals, frozen=True, rename="pascal"):
    items: tuple[ContainerRow, ...] | UnsetType = UNSET


class VolumeUsage(_Totals, frozen=True, rename="pascal"):
    items: tuple[VolumeRow, ...] | UnsetType = UNSET


class CacheUsage(_Totals, frozen=True, rename="pascal"):
    items: tuple[diskusage.CacheRow, ...] | UnsetType = UNSET


class DiskUsage(Struct, frozen=True, rename="pascal"):
    """Bytes by kind of object; a kind that was not asked for is left out."""

    image_usage: ImageUsage | UnsetType = UNSET
    container_usage: ContainerUsage | UnsetType = UNSET
    volume_usage: VolumeUsage | UnsetType = UNSET
    build_cache_usage: CacheUsage | UnsetType = UNSET
    trash_usage: diskusage.Usage | UnsetType = UNSET
