"""A repository as ``search`` shows it."""

from collections.abc import Mapping
from typing import Any

from boxship.cli.format.containers import ellipsis
from boxship.cli.format.directive import Column, View

_WIDTH = 45


class FoundView:
    """One entry of ``GET /images/search``."""

    def __init__(self, result: Mapping[str, Any], *, full: bool) -> None:
        self._result = result
        self._full = full

    def name(self) -> str:
        return str(self._result.get("name") or "")

    def description(self) -> str:
        text = str(self._result.get("description") or "")
        text = text.replace("\r", " ").replace("\n", " ")
        return text if self._full else ellipsis(text, _WIDTH)

    def stars(self) -> str:
        return str(self._result.get("star_count") or 0)

    def is_official(self) -> str:
        return "true" if self._result.get("is_official") else "false"

    def official(self) -> str:
        return "[OK]" if self._result.get("is_official") else ""


FOUND: View[FoundView] = View(
    go_type="*registry.searchContext",
    columns={
        "Name": Column("NAME", FoundView.name),
        "Description": Column("DESCRIPTION", FoundView.description),
        "StarCount": Column("STARS", FoundView.stars),
        "IsOfficial": Column("OFFICIAL", FoundView.official),
    },
    methods={},
    otherwise_in_json={"IsOfficial": FoundView.is_official},
)
