"""``GET /system/df`` in one form, whatever the daemon's version.

Since 1.52 the daemon counts, before that it lists everything and the client has to.
"""

from collections.abc import Iterable
from typing import NamedTuple

from boxship.client.engine import EngineClient, JsonObject

_ACTIVE = ("running", "paused", "restarting")


class Kind(NamedTuple):
    """One kind of object; sizes in bytes. ``items`` are there if details were asked for."""

    active: int
    total: int
    size: int
    reclaimable: int
    items: tuple[JsonObject, ...] = ()


class DiskUsage(NamedTuple):
    images: Kind
    containers: Kind
    volumes: Kind
    build_cache: Kind
    trash: Kind | None = None
    """None where nothing is kept of what is removed, as with Docker's daemon."""


def disk_usage(client: EngineClient, *, details: bool) -> DiskUsage:
    answer: JsonObject = client.json("GET", "/system/df", {"verbose": "1" if details else None})
    trash = _counted(answer["TrashUsage"]) if "TrashUsage" in answer else None
    if "ImageUsage" in answer:
        names = ("ImageUsage", "ContainerUsage", "VolumeUsage", "BuildCacheUsage")
        images, containers, volumes, caches = (_counted(answer.get(name) or {}) for name in names)
        return DiskUsage(images, containers, volumes, caches, trash)
    return DiskUsage(
        _images(answer.get("Images") or (), answer.get("LayersSize", 0)),
        _containers(answer.get("Containers") or ()),
        _volumes(answer.get("Volumes") or ()),
        _build_cache(answer.get("BuildCache") or ()),
        trash,
    )


def _counted(usage: JsonObject) -> Kind:
    return Kind(
        usage.get("ActiveCount", 0),
        usage.get("TotalCount", 0),
        usage.get("TotalSize", 0),
        usage.get("Reclaimable", 0),
        tuple(usage.get("Items") or ()),
    )


def _images(items: Iterable[JsonObject], layers_size: int) -> Kind:
    """Layers that images in use share with others seem reclaimable; the answer tells no more."""
    items = tuple(items)
    active = [item for item in items if item.get("Containers", 0) > 0]
    needed = sum(item["Size"] - item["SharedSize"] for item in active)
    return Kind(len(active), len(items), layers_size, layers_size - needed, items)


def _containers(items: Iterable[JsonObject]) -> Kind:
    items = tuple(items)
    idle = [item for item in items if item.get("State") not in _ACTIVE]
    size, reclaimable = (sum(item.get("SizeRw", 0) for item in some) for some in (items, idle))
    return Kind(len(items) - len(idle), len(items), size, reclaimable, items)


def _volumes(items: Iterable[JsonObject]) -> Kind:
    items = tuple(items)
    sizes = [
        ((item.get("UsageData") or {}).get("RefCount", 0), max(0, item["UsageData"]["Size"]))
        for item in items
        if item.get("UsageData")
    ]
    idle = [size for references, size in sizes if not references]
    active = sum(1 for references, _ in sizes if references)
    return Kind(active, len(items), sum(size for _, size in sizes), sum(idle), items)


def _build_cache(items: Iterable[JsonObject]) -> Kind:
    items = tuple(items)
    own = [item for item in items if not item.get("Shared")]
    idle = [item for item in own if not item.get("InUse")]
    active = sum(1 for item in items if item.get("InUse"))
    size, reclaimable = (sum(item.get("Size", 0) for item in some) for some in (own, idle))
    return Kind(active, len(items), size, reclaimable, items)
