"""``GET /system/df``: since 1.53 by kind of object, before 1.52 as flat lists, 1.52 had both.

Sizes are bytes. Rows are those of the lists of images and containers, as the client's version has
them, encoded.
"""

from msgspec import UNSET, Raw, Struct, UnsetType, field, structs

TYPES = frozenset({"container", "image", "volume", "build-cache"})


class Usage(Struct, frozen=True, rename="pascal"):
    """One kind of object; ``items`` only where details were asked for."""

    active_count: int = 0
    total_count: int = 0
    reclaimable: int = 0
    total_size: int = 0
    items: Raw | UnsetType = UNSET


class CacheRow(Struct, frozen=True, rename="pascal"):
    """Something that is kept for the next build; times as in RFC 3339."""

    id: str = field(name="ID")
    type: str
    description: str
    in_use: bool
    shared: bool
    """Images have it as well."""
    size: int
    created_at: str
    usage_count: int
    last_used_at: str | None = None
    parents: tuple[str, ...] | UnsetType = UNSET


class DiskUsage(Struct, frozen=True, rename="pascal"):
    """The newest form; a kind that was not asked for is left out."""

    image_usage: Usage | UnsetType = UNSET
    container_usage: Usage | UnsetType = UNSET
    volume_usage: Usage | UnsetType = UNSET
    build_cache_usage: Usage | UnsetType = UNSET
    trash_usage: Usage | UnsetType = UNSET
    """Beyond Docker, where there is a trash: what was removed and can be brought back."""


class FlatDiskUsage(Struct, frozen=True, rename="pascal"):
    """The form before 1.52. A kind that was not asked for is null."""

    layers_size: int = 0
    images: Raw | None = None
    containers: Raw | None = None
    volumes: Raw | None = None
    build_cache: Raw | None = None
    builder_size: int | UnsetType = UNSET
    """Until 1.41."""
    trash_usage: Usage | UnsetType = UNSET
    """Beyond Docker, as above."""


class BothDiskUsages(FlatDiskUsage, frozen=True, rename="pascal"):
    """The form of 1.52: flat lists, and the kinds beside them. Kinds not asked for are left out."""

    image_usage: Usage | UnsetType = UNSET
    container_usage: Usage | UnsetType = UNSET
    volume_usage: Usage | UnsetType = UNSET
    build_cache_usage: Usage | UnsetType = UNSET


def both_forms(flat: FlatDiskUsage, usage: DiskUsage) -> BothDiskUsages:
    """Put an answer's two forms together."""
    return BothDiskUsages(**structs.asdict(flat) | structs.asdict(usage))
