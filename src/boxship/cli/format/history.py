"""A step of an image's history as ``history`` shows it."""

import time
from collections.abc import Mapping
from typing import Any

from boxship.cli.format.containers import ellipsis
from boxship.cli.format.directive import Column, View
from boxship.cli.format.durations import local_rfc3339, since
from boxship.cli.format.images import short_image_id
from boxship.cli.format.sizes import human_size

_SHORT_COMMAND = 45


class HistoryView:
    """One entry of ``GET /images/{name}/history``."""

    def __init__(
        self, entry: Mapping[str, Any], *, full: bool, human: bool, now: float | None = None
    ) -> None:
        self._entry = entry
        self._full = full
        self._human = human
        self._now = time.time() if now is None else now

    def id(self) -> str:
        identifier: str = self._entry["Id"]
        return identifier if self._full else short_image_id(identifier)

    def created_since(self) -> str:
        if not self._human:
            return self.created_at()
        created = self._entry.get("Created", 0)
        return since(created, self._now) if created > 0 else "N/A"

    def created_at(self) -> str:
        return local_rfc3339(self._entry.get("Created", 0))

    def created_by(self) -> str:
        text = (self._entry.get("CreatedBy") or "").replace("\t", " ")
        return text if self._full else ellipsis(text, _SHORT_COMMAND)

    def size(self) -> str:
        size = self._entry.get("Size", 0)
        return human_size(size, 3) if self._human else str(size)

    def comment(self) -> str:
        return self._entry.get("Comment") or ""


HISTORY: View[HistoryView] = View(
    go_type="*image.historyContext",
    columns={
        "ID": Column("IMAGE", HistoryView.id),
        "CreatedSince": Column("CREATED", HistoryView.created_since),
        "CreatedAt": Column("CREATED AT", HistoryView.created_at),
        "CreatedBy": Column("CREATED BY", HistoryView.created_by),
        "Size": Column("SIZE", HistoryView.size),
        "Comment": Column("COMMENT", HistoryView.comment),
    },
    methods={},
)
