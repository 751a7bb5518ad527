"""What everything takes on the disk, and what of it could be freed.

Images are added up from what is known of their layers. Containers and volumes are walked:
what they have written changes all the time, and is little as a rule.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, Raw, UnsetType, structs

from boxship.api.call import Call
from boxship.api.endpoints.containers import all_rows
from boxship.api.http.messages import Answer
from boxship.api.views import images as image_views
from boxship.api.views import volumes as volume_views
from boxship.base.clock import format_ns
from boxship.base.errors import InvalidArgumentError
from boxship.engine.volumes.requests import VolumeUse
from boxship.model.image import ImageDiskUsage, ImageQuery
from boxship.wire.adapt import adapted_list
from boxship.wire.containers import ContainerRow
from boxship.wire.diskusage import TYPES, CacheRow, DiskUsage, FlatDiskUsage, Usage, both_forms

if TYPE_CHECKING:  # what builds need is loaded by who builds
    from boxship.engine.build.requests import CacheEntry

_ACTIVE = ("running", "paused", "restarting")


@dataclass(frozen=True, slots=True)
class _Kinds:
    """Which kinds were asked for; all, unless the client names some."""

    image: bool
    container: bool
    volume: bool
    build_cache: bool


@dataclass(frozen=True, slots=True)
class _There:
    """What there is of each kind that was asked for."""

    images: ImageDiskUsage
    containers: list[ContainerRow]
    volumes: list[VolumeUse]
    caches: "list[CacheEntry]"


async def disk_usage(call: Call) -> Answer:
    kinds = _kinds(call)
    there = _There(
        images=call.backend.images.disk_usage(),
        containers=await all_rows(call) if kinds.container else [],
        volumes=await call.backend.volumes.usage() if kinds.volume else [],
        caches=await call.backend.builds().usage() if kinds.build_cache else [],
    )
    trash = UNSET if call.text("type") else await _trash(call)
    if call.version >= 52:
        usage = _by_kind(call, kinds, there)
        usage = structs.replace(usage, trash_usage=trash)
        if call.version > 52 or call.text("verbose"):
            return call.json(usage)
        # 1.52 answered in both forms, unless its own was asked for.
        flat = _flat(call, kinds, there)
        return call.json(both_forms(flat, usage))
    flat = _flat(call, kinds, there)
    return call.json(structs.replace(flat, trash_usage=trash))


async def _trash(call: Call) -> Usage | UnsetType:
    """Return what the trash takes; nothing where there is none."""
    entries = await call.backend.trash.list()
    if not (entries or call.backend.trash.is_on):
        return UNSET
    size = sum(entry.size for entry in entries)
    return Usage(total_count=len(entries), reclaimable=size, total_size=size)


def _kinds(call: Call) -> _Kinds:
    asked = set(call.request.query.get("type", ())) if call.version >= 42 else set()
    for kind in sorted(asked - TYPES):
        raise InvalidArgumentError(f"unknown object type: {kind}")
    asked = asked or set(TYPES)
    return _Kinds(*(kind in asked for kind in ("image", "container", "volume", "build-cache")))


def _by_kind(call: Call, kinds: _Kinds, there: _There) -> DiskUsage:
    verbose, images = call.boolean("verbose"), there.images
    return DiskUsage(
        image_usage=Usage(
            images.active,
            images.count,
            images.reclaimable,
            images.size,
            _image_rows(call) if verbose else UNSET,
        )
        if kinds.image
        else UNSET,
        container_usage=_container_usage(call, there.containers, verbose=verbose)
        if kinds.container
        else UNSET,
        volume_usage=_volume_usage(call, there.volumes, verbose=verbose) if kinds.volume else UNSET,
        build_cache_usage=_cache_usage(there.caches, verbose=verbose)
        if kinds.build_cache
        else UNSET,
    )


def _container_usage(call: Call, rows: list[ContainerRow], *, verbose: bool) -> Usage:
    idle = [row for row in rows if row.state not in _ACTIVE]
    return Usage(
        active_count=len(rows) - len(idle),
        total_count=len(rows),
        reclaimable=sum(map(_written, idle)),
        total_size=sum(map(_written, rows)),
        items=Raw(adapted_list(rows, call.version)) if verbose else UNSET,
    )


def _flat(call: Call, kinds: _Kinds, there: _There) -> FlatDiskUsage:
    return FlatDiskUsage(
        layers_size=there.images.size if kinds.image else 0,
        images=_image_rows(call) if kinds.image else None,
        containers=Raw(adapted_list(there.containers, call.version)) if kinds.container else None,
        volumes=_volume_rows(call, there.volumes) if kinds.volume else None,
        build_cache=_cache_rows(there.caches) if kinds.build_cache else None,
        builder_size=sum(each.size for each in there.caches) if call.version < 42 else UNSET,
    )


def _cache_usage(caches: "list[CacheEntry]", *, verbose: bool) -> Usage:
    return Usage(
        active_count=sum(each.in_use for each in caches),
        total_count=len(caches),
        reclaimable=sum(each.size for each in caches if not (each.in_use or each.shared)),
        total_size=sum(each.size for each in caches),
        items=_cache_rows(caches) if verbose else UNSET,
    )


def _cache_rows(caches: "list[CacheEntry]") -> Raw:
    return Raw(msgspec.json.encode([_cache_row(each) for each in caches]))


def _cache_row(entry: "CacheEntry") -> CacheRow:
    return CacheRow(
        id=entry.id,
        type=entry.kind,
        description=entry.description,
        in_use=entry.in_use,
        shared=entry.shared,
        size=entry.size,
        created_at=format_ns(entry.created_ns),
        usage_count=entry.usage_count,
        last_used_at=format_ns(entry.last_used_ns) if entry.last_used_ns is not None else None,
        parents=entry.parents or UNSET,
    )


def _volume_usage(call: Call, volumes: list[VolumeUse], *, verbose: bool) -> Usage:
    idle = [volume for volume in volumes if not volume.references]
    total, reclaimable = (sum(max(0, each.size) for each in some) for some in (volumes, idle))
    return Usage(
        active_count=len(volumes) - len(idle),
        total_count=len(volumes),
        reclaimable=reclaimable,
        total_size=total,
        items=_volume_rows(call, volumes) if verbose else UNSET,
    )


def _volume_rows(call: Call, volumes: list[VolumeUse]) -> Raw:
    rows = [volume_views.row_with_usage(volume) for volume in volumes]
    return Raw(adapted_list(rows, call.version))


def _image_rows(call: Call) -> Raw:
    query = ImageQuery(shared_size=True, count_containers=True)
    rows = [image_views.image_row(image) for image in call.backend.images.list(query)]
    return Raw(adapted_list(rows, call.version))


def _written(row: ContainerRow) -> int:
    return 0 if row.size_rw is UNSET else row.size_rw


ROUTES = (("GET", "/system/df", disk_usage),)
