"""What takes space, as ``system df`` shows it: a row a kind, or with ``-v`` a table a kind."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from boxship.base.clock import parse_rfc3339
from boxship.cli.format.containers import CONTAINER, ContainerView
from boxship.cli.format.directive import Column, Directive, Row, View, columns_template
from boxship.cli.format.durations import since
from boxship.cli.format.images import IMAGE, NOTHING, ImageView, split_reference
from boxship.cli.format.sizes import human_size
from boxship.client.diskusage import DiskUsage, Kind

SUMMARY_COLUMNS = ("Type", "TotalCount", "Active", "Size", "Reclaimable")
_IMAGE_COLUMNS = (
    "Repository",
    "Tag",
    "ID",
    "CreatedSince",
    "Size",
    "SharedSize",
    "UniqueSize",
    "Containers",
)
_CONTAINER_COLUMNS = (
    "ID",
    "Image",
    "Command",
    "LocalVolumes",
    "Size",
    "RunningFor",
    "Status",
    "Names",
)


class UsageView:
    """One kind of object."""

    def __init__(self, title: str, kind: Kind, *, share: bool = True) -> None:
        self._title = title
        self._kind = kind
        self._share = share

    def type(self) -> str:
        return self._title

    def total(self) -> str:
        return str(self._kind.total)

    def active(self) -> str:
        return str(self._kind.active)

    def size(self) -> str:
        return human_size(self._kind.size)

    def reclaimable(self) -> str:
        size = human_size(self._kind.reclaimable)
        if not self._share or self._kind.size <= 0:
            return size
        return f"{size} ({self._kind.reclaimable * 100 // self._kind.size}%)"


SUMMARY: View[UsageView] = View(
    go_type="*formatter.DiskUsageContext",
    columns={
        "Type": Column("TYPE", UsageView.type),
        "TotalCount": Column("TOTAL", UsageView.total),
        "Active": Column("ACTIVE", UsageView.active),
        "Size": Column("SIZE", UsageView.size),
        "Reclaimable": Column("RECLAIMABLE", UsageView.reclaimable),
    },
    methods={},
)


def summary_rows(usage: DiskUsage) -> tuple[UsageView, ...]:
    return (
        UsageView("Images", usage.images),
        UsageView("Containers", usage.containers),
        UsageView("Local Volumes", usage.volumes),
        UsageView("Build Cache", usage.build_cache, share=False),
        *([UsageView("Trash", usage.trash)] if usage.trash is not None else ()),
    )


class VolumeView:
    """One volume."""

    def __init__(self, volume: Mapping[str, Any]) -> None:
        self._volume = volume
        self._usage = volume.get("UsageData") or {}

    def name(self) -> str:
        return str(self._volume.get("Name", ""))

    def driver(self) -> str:
        return str(self._volume.get("Driver", ""))

    def scope(self) -> str:
        return str(self._volume.get("Scope", ""))

    def mountpoint(self) -> str:
        return str(self._volume.get("Mountpoint", ""))

    def labels(self) -> str:
        labels = self._volume.get("Labels") or {}
        return ",".join(f"{name}={labels[name]}" for name in sorted(labels))

    def label(self) -> Callable[..., str]:
        labels = self._volume.get("Labels") or {}
        return lambda name: str(labels.get(name, ""))

    def no_cluster(self) -> str:
        return "N/A"

    def links(self) -> str:
        return str(self._usage["RefCount"]) if self._usage else "N/A"

    def size(self) -> str:
        size = self._usage.get("Size", -1)
        return "N/A" if size < 0 else human_size(size)


VOLUME: View[VolumeView] = View(
    go_type="*formatter.volumeContext",
    columns={
        "Availability": Column("AVAILABILITY", VolumeView.no_cluster),
        "Driver": Column("DRIVER", VolumeView.driver),
        "Group": Column("GROUP", VolumeView.no_cluster),
        "Labels": Column("LABELS", VolumeView.labels),
        "Mountpoint": Column("MOUNTPOINT", VolumeView.mountpoint),
        "Name": Column("VOLUME NAME", VolumeView.name),
        "Scope": Column("SCOPE", VolumeView.scope),
        "Status": Column("STATUS", VolumeView.no_cluster),
        "Links": Column("LINKS", VolumeView.links),
        "Size": Column("SIZE", VolumeView.size),
    },
    methods={"Label": VolumeView.label},
)


class CacheView:
    """One record of the build cache."""

    def __init__(self, record: Mapping[str, Any], *, now: float) -> None:
        self._record = record
        self._now = now

    def id(self) -> str:
        return str(self._record.get("ID", ""))[:12]

    def type(self) -> str:
        return str(self._record.get("Type", ""))

    def size(self) -> str:
        return human_size(self._record.get("Size", 0), 3)

    def created(self) -> str:
        return self._since("CreatedAt")

    def last_used(self) -> str:
        return self._since("LastUsedAt")

    def _since(self, member: str) -> str:
        text = self._record.get(member)
        return since(parse_rfc3339(text) // 1_000_000_000, self._now) if text else ""

    def usage(self) -> str:
        return str(self._record.get("UsageCount", 0))

    def shared(self) -> str:
        return str(bool(self._record.get("Shared"))).lower()


CACHE: View[CacheView] = View(
    go_type="*formatter.buildCacheContext",
    columns={
        "ID": Column("CACHE ID", CacheView.id),
        "CacheType": Column("CACHE TYPE", CacheView.type),
        "Size": Column("SIZE", CacheView.size),
        "CreatedSince": Column("CREATED", CacheView.created),
        "LastUsedSince": Column("LAST USED", CacheView.last_used),
        "UsageCount": Column("USAGE", CacheView.usage),
        "Shared": Column("SHARED", CacheView.shared),
    },
    methods={},
)


class Details:
    """Everything by kind, a row an object; ``full`` shows ids in full."""

    def __init__(self, usage: DiskUsage, *, full: bool) -> None:
        now = time.time()
        self.usage = usage
        # An image is one row here, under the first of its names.
        self.images = [_under_first_name(item, full=full, now=now) for item in usage.images.items]
        self.containers = [
            # How much of it is the image's is told with the image.
            ContainerView({**item, "SizeRootFs": 0}, full=full, now=now)
            for item in usage.containers.items
        ]
        self.volumes = [VolumeView(item) for item in usage.volumes.items]
        self.caches = [CacheView(item, now=now) for item in usage.build_cache.items]


def _under_first_name(image: Mapping[str, Any], *, full: bool, now: float) -> ImageView:
    tags = [name for name in image.get("RepoTags") or () if name != f"{NOTHING}:{NOTHING}"]
    repository, tag, _ = split_reference(tags[0]) if tags else (NOTHING, NOTHING, "")
    return ImageView(image, repository, tag, "", full=full, now=now)


def _json_of(view: View[Any], items: Sequence[Any]) -> list[Mapping[str, Any]]:
    return [Row(view, item).as_json() for item in items]


DETAILS: View[Details] = View(
    go_type="*formatter.diskUsageContext",
    columns={
        "Images": Column("", lambda details: _json_of(IMAGE, details.images)),
        "Containers": Column("", lambda details: _json_of(CONTAINER, details.containers)),
        "Volumes": Column("", lambda details: _json_of(VOLUME, details.volumes)),
        "BuildCache": Column("", lambda details: _json_of(CACHE, details.caches)),
    },
    methods={},
)


def detail_tables(details: Details) -> str:
    """All four tables."""
    cache_size = human_size(details.usage.build_cache.size)
    return (
        f"Images space usage:\n\n{_table(IMAGE, _IMAGE_COLUMNS, details.images)}"
        "\nContainers space usage:\n\n"
        f"{_table(CONTAINER, _CONTAINER_COLUMNS, details.containers)}"
        "\nLocal Volumes space usage:\n\n"
        f"{_table(VOLUME, ('Name', 'Links', 'Size'), details.volumes)}"
        f"\nBuild cache usage: {cache_size}\n\n"
        f"{_table(CACHE, tuple(CACHE.columns), details.caches)}"
    )


def _table(view: View[Any], columns: Sequence[str], items: Sequence[Any]) -> str:
    return Directive("table", table_default=columns_template(columns)).render(view, items)
