"""A managed plugin as ``plugin ls`` shows it."""

from collections.abc import Mapping
from typing import Any

from boxship.cli.format.directive import Column, View

_SHORT_ID = 12
_SHORT_DESCRIPTION = 45


class PluginView:
    """One entry of ``GET /plugins``."""

    def __init__(self, plugin: Mapping[str, Any], *, full: bool = False) -> None:
        self._plugin = plugin
        self._full = full

    def id(self) -> str:
        identifier: str = self._plugin["Id"]
        return identifier if self._full else identifier[:_SHORT_ID]

    def name(self) -> str:
        return str(self._plugin["Name"])

    def description(self) -> str:
        text = str(self._plugin["Config"]["Description"]).replace("\n", "").replace("\r", "")
        if self._full or len(text) <= _SHORT_DESCRIPTION:
            return text
        return f"{text[: _SHORT_DESCRIPTION - 1]}…"

    def enabled(self) -> bool:
        return bool(self._plugin["Enabled"])

    def reference(self) -> str:
        return str(self._plugin.get("PluginReference") or "")


PLUGIN: View[PluginView] = View(
    go_type="*plugin.pluginContext",
    columns={
        "ID": Column("ID", PluginView.id),
        "Name": Column("NAME", PluginView.name),
        "Description": Column("DESCRIPTION", PluginView.description),
        "Enabled": Column("ENABLED", PluginView.enabled),
        "PluginReference": Column("IMAGE", PluginView.reference),
    },
    methods={},
)
