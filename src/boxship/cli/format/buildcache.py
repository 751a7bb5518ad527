"""The cache of builds, a row or a paragraph for each entry."""

from collections.abc import Iterable

from boxship.cli.format.directive import Column, View
from boxship.cli.format.durations import human_duration
from boxship.cli.format.sizes import human_size
from boxship.wire.buildkit.control import UsageRecord

DEFAULT_COLUMNS = ("ID", "Reclaimable", "Size", "LastUsedAt")


class CacheView:
    """One record; ``*`` marks what can still change, and sizes that others share."""

    def __init__(self, record: UsageRecord, now_ns: int) -> None:
        self.record = record
        self._now_ns = now_ns

    def id(self) -> str:
        return self.record.id + ("*" if self.record.mutable else "")

    def reclaimable(self) -> bool:
        return not self.record.in_use

    def size(self) -> str:
        return human_size(self.record.size, 4) + ("*" if self.record.shared else "")

    def last_used(self) -> str:
        moment = self.record.last_used_at
        return "" if moment is None else f"{human_duration((self._now_ns - moment.ns) / 1e9)} ago"

    def created(self) -> str:
        moment = self.record.created_at
        return "" if moment is None else f"{human_duration((self._now_ns - moment.ns) / 1e9)} ago"

    def parents(self) -> tuple[str, ...]:
        return self.record.parents or ((self.record.parent,) if self.record.parent else ())

    def paragraph(self) -> str:
        """All that is known, as ``--verbose`` has it."""
        pairs = [
            ("ID", self.record.id),
            *[("Parents", ", ".join(self.parents()))][: len(self.parents())],
            ("Created", self.created()),
            ("Mutable", str(self.record.mutable).lower()),
            ("Reclaimable", str(self.reclaimable()).lower()),
            ("Shared", str(self.record.shared).lower()),
            ("Size", human_size(self.record.size, 4)),
            ("Description", self.record.description),
            ("Usage count", str(self.record.usage_count)),
            ("Last used", self.last_used()),
            ("Type", self.record.record_type),
        ]
        return "".join(f"{name + ':':<15}{value}\n" for name, value in pairs if value)


CACHE: View[CacheView] = View(
    go_type="*buildx.usage",
    columns={
        "ID": Column("ID", CacheView.id),
        "Parents": Column("PARENTS", lambda view: ",".join(view.parents())),
        "CreatedAt": Column("CREATED", CacheView.created),
        "Mutable": Column("MUTABLE", lambda view: view.record.mutable),
        "Reclaimable": Column("RECLAIMABLE", CacheView.reclaimable),
        "Shared": Column("SHARED", lambda view: view.record.shared),
        "Size": Column("SIZE", CacheView.size),
        "Description": Column("DESCRIPTION", lambda view: view.record.description),
        "UsageCount": Column("USAGE COUNT", lambda view: view.record.usage_count),
        "LastUsedAt": Column("LAST ACCESSED", CacheView.last_used),
        "Type": Column("TYPE", lambda view: view.record.record_type),
    },
    methods={},
)


def sums(records: Iterable[UsageRecord]) -> str:
    """The lines below the table."""
    records = tuple(records)
    total = sum(record.size for record in records)
    shared = sum(record.size for record in records if record.shared)
    free = sum(record.size for record in records if not record.in_use)
    rows = [("Reclaimable", free), ("Total", total)]
    if shared:
        rows = [("Shared", shared), ("Private", total - shared), *rows]
    return "".join(f"{name + ':':<15}{human_size(size, 4)}\n" for name, size in rows)
