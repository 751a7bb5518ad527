"""Sockets and tokens with limits, a row each."""

from collections.abc import Mapping
from typing import Any

from boxship.base.clock import parse_rfc3339
from boxship.cli.format.directive import Column, View
from boxship.cli.format.durations import human_duration


class SocketView:
    """One entry of ``GET /boxship/sockets``."""

    def __init__(self, entry: Mapping[str, Any], now_ns: int) -> None:
        self._entry = entry
        self._now_ns = now_ns

    def name(self) -> str:
        return str(self._entry["Name"])

    def kind(self) -> str:
        return str(self._entry["Kind"])

    def allow(self) -> str:
        return " ".join(self._entry["Allow"])

    def labels(self) -> str:
        return ",".join(f"{name}={value}" for name, value in self._entry["Labels"].items())

    def path(self) -> str:
        return str(self._entry["Path"])

    def group(self) -> str:
        return str(self._entry["Group"])

    def created(self) -> str:
        age_ns = self._now_ns - parse_rfc3339(self._entry["Created"])
        return f"{human_duration(age_ns / 1e9)} ago"


SOCKET: View[SocketView] = View(
    go_type="*access.scope",
    columns={
        "Name": Column("NAME", SocketView.name),
        "Kind": Column("KIND", SocketView.kind),
        "Allow": Column("ALLOW", SocketView.allow),
        "Labels": Column("LABELS", SocketView.labels),
        "Path": Column("PATH", SocketView.path),
        "Group": Column("GROUP", SocketView.group),
        "Created": Column("CREATED", SocketView.created),
    },
    methods={},
)
