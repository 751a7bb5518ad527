"""What is in the trash, a row each."""

from collections.abc import Mapping
from typing import Any

from boxship.base.clock import parse_rfc3339
from boxship.base.ids import short_id
from boxship.cli.format.directive import Column, View
from boxship.cli.format.durations import human_duration
from boxship.cli.format.sizes import human_size


class TrashView:
    """One entry of ``GET /system/trash``."""

    def __init__(self, entry: Mapping[str, Any], now_ns: int) -> None:
        self._entry = entry
        self._now_ns = now_ns

    def id(self) -> str:
        return short_id(str(self._entry["ID"]))

    def type(self) -> str:
        return str(self._entry["Type"])

    def name(self) -> str:
        return str(self._entry["Name"])

    def removed(self) -> str:
        gone_ns = self._now_ns - parse_rfc3339(self._entry["Removed"])
        return f"{human_duration(gone_ns / 1e9)} ago"

    def expires(self) -> str:
        left = max(0, parse_rfc3339(self._entry["Expires"]) - self._now_ns)
        return f"in {human_duration(left / 1e9)}"

    def size(self) -> str:
        return human_size(self._entry["Size"])


TRASH: View[TrashView] = View(
    go_type="*trash.entry",
    columns={
        "ID": Column("ID", TrashView.id),
        "Type": Column("TYPE", TrashView.type),
        "Name": Column("NAME", TrashView.name),
        "Removed": Column("REMOVED", TrashView.removed),
        "Expires": Column("EXPIRES", TrashView.expires),
        "Size": Column("SIZE", TrashView.size),
    },
    methods={},
)
