"""Builds of before, a row or a page for each."""

from boxship.cli.format.directive import Column, View
from boxship.cli.format.durations import human_duration
from boxship.wire.buildkit.history import BuildHistoryRecord

DEFAULT_COLUMNS = ("Ref", "Name", "Status", "CreatedAt", "Duration")


class RecordView:
    """One build."""

    def __init__(self, record: BuildHistoryRecord, now_ns: int) -> None:
        self.record = record
        self._now_ns = now_ns

    def name(self) -> str:
        """What it was made of, and which stage of it."""
        attributes = self.record.frontend_attrs
        if named := attributes.get("build-arg:BUILDKIT_BUILD_NAME"):
            return named
        target = attributes.get("target", "")
        parts = [attributes.get("context", ""), attributes.get("filename", "Dockerfile")]
        shown = " ".join(part for part in parts if part)
        return f"{shown} ({target})" if target else shown

    def status(self) -> str:
        error = self.record.error
        if self.record.completed_at is None:
            return "Running"
        if error is None or not (error.code or error.message):
            return "Completed"
        return "Canceled" if error.code == 1 else "Error"

    def created(self) -> str:
        moment = self.record.created_at
        return "" if moment is None else f"{human_duration((self._now_ns - moment.ns) / 1e9)} ago"

    def seconds(self) -> float:
        if self.record.created_at is None:
            return 0.0
        end = self._now_ns if self.record.completed_at is None else self.record.completed_at.ns
        return max(0, end - self.record.created_at.ns) / 1e9

    def duration(self) -> str:
        seconds = self.seconds()
        minutes = int(seconds // 60)
        return f"{minutes}m {seconds - 60 * minutes:.0f}s" if minutes else f"{seconds:.1f}s"

    def error(self) -> str:
        return self.record.error.message if self.record.error is not None else ""

    def page(self) -> str:
        """All that is known."""
        record, attributes = self.record, self.record.frontend_attrs
        pairs = [
            ("Ref", record.ref),
            ("Name", self.name()),
            ("Context", attributes.get("context", "")),
            ("Dockerfile", attributes.get("filename", "")),
            ("Target", attributes.get("target", "")),
            ("Platform", attributes.get("platform", "")),
            ("Started", self.created()),
            ("Duration", self.duration()),
            ("Status", self.status()),
            ("Error", self.error()),
            ("Build steps", f"{record.completed_steps} of {record.total_steps}"),
            ("Cached steps", str(record.cached_steps)),
            ("Warnings", str(record.warnings) if record.warnings else ""),
            ("Image", record.exporter_response.get("containerimage.digest", "")),
            ("Names", record.exporter_response.get("image.name", "")),
        ]
        lines = [f"{name + ':':<14}{value}\n" for name, value in pairs if value]
        for prefix, title in (("build-arg:", "Build arguments"), ("label:", "Labels")):
            rows = sorted(name for name in attributes if name.startswith(prefix))
            lines += [f"{title}:\n"] if rows else []
            lines += [f"  {name.removeprefix(prefix)}={attributes[name]}\n" for name in rows]
        return "".join(lines)


RECORD: View[RecordView] = View(
    go_type="*buildx.record",
    columns={
        "Ref": Column("BUILD ID", lambda view: view.record.ref),
        "Name": Column("NAME", RecordView.name),
        "Status": Column("STATUS", RecordView.status),
        "CreatedAt": Column("CREATED AT", RecordView.created),
        "Duration": Column("DURATION", RecordView.duration),
        "Error": Column("ERROR", RecordView.error),
        "TotalSteps": Column("TOTAL STEPS", lambda view: view.record.total_steps),
        "CompletedSteps": Column("COMPLETED STEPS", lambda view: view.record.completed_steps),
        "CachedSteps": Column("CACHED STEPS", lambda view: view.record.cached_steps),
        "Warnings": Column("WARNINGS", lambda view: view.record.warnings),
    },
    methods={},
)
