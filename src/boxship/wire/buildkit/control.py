"""``moby.buildkit.v1`` (api/services/control/control.proto): building, watching, the cache."""

from typing import Annotated

from boxship.wire.buildkit.solver import Definition, ProgressGroup, Range, SourceInfo
from boxship.wire.buildkit.wellknown import Timestamp
from boxship.wire.buildkit.worker import BuildkitVersion, WorkerRecord
from boxship.wire.protobuf import Message

# ── building ─────────────────────────────────────────────────────────────────────────────────


class CacheOptionsEntry(Message, frozen=True):
    type: Annotated[str, 1] = ""
    attrs: Annotated[dict[str, str], 2] = {}


class CacheOptions(Message, frozen=True):
    """Where a cache comes from and goes to. The first three are how it was said before 0.4."""

    export_ref: Annotated[str, 1] = ""
    import_refs: Annotated[tuple[str, ...], 2] = ()
    export_attrs: Annotated[dict[str, str], 3] = {}
    exports: Annotated[tuple[CacheOptionsEntry, ...], 4] = ()
    imports: Annotated[tuple[CacheOptionsEntry, ...], 5] = ()


class Exporter(Message, frozen=True):
    type: Annotated[str, 1] = ""
    attrs: Annotated[dict[str, str], 2] = {}


class SolveRequest(Message, frozen=True):
    ref: Annotated[str, 1] = ""
    definition: Annotated[Definition | None, 2] = None
    exporter: Annotated[str, 3] = ""
    """Of clients that know of one exporter only; the others fill ``exporters``."""
    exporter_attrs: Annotated[dict[str, str], 4] = {}
    session: Annotated[str, 5] = ""
    frontend: Annotated[str, 6] = ""
    """Empty: the client drives the build over the gateway."""
    frontend_attrs: Annotated[dict[str, str], 7] = {}
    cache: Annotated[CacheOptions | None, 8] = None
    entitlements: Annotated[tuple[str, ...], 9] = ()
    frontend_inputs: Annotated[dict[str, Definition], 10] = {}
    internal: Annotated[bool, 11] = False
    """Not to be kept in the history."""
    source_policy: Annotated[bytes, 12] = b""
    """``moby.buildkit.v1.sourcepolicy.Policy``, not read."""
    exporters: Annotated[tuple[Exporter, ...], 13] = ()
    enable_session_exporter: Annotated[bool, 14] = False


class SolveResponse(Message, frozen=True):
    exporter_response: Annotated[dict[str, str], 1] = {}


# ── watching ─────────────────────────────────────────────────────────────────────────────────


class StatusRequest(Message, frozen=True):
    ref: Annotated[str, 1] = ""


class Vertex(Message, frozen=True):
    digest: Annotated[str, 1] = ""
    inputs: Annotated[tuple[str, ...], 2] = ()
    name: Annotated[str, 3] = ""
    cached: Annotated[bool, 4] = False
    started: Annotated[Timestamp | None, 5] = None
    completed: Annotated[Timestamp | None, 6] = None
    error: Annotated[str, 7] = ""
    progress_group: Annotated[ProgressGroup | None, 8] = None


class VertexStatus(Message, frozen=True):
    id: Annotated[str, 1] = ""
    vertex: Annotated[str, 2] = ""
    name: Annotated[str, 3] = ""
    current: Annotated[int, 4] = 0
    total: Annotated[int, 5] = 0
    timestamp: Annotated[Timestamp | None, 6] = None
    started: Annotated[Timestamp | None, 7] = None
    completed: Annotated[Timestamp | None, 8] = None


class VertexLog(Message, frozen=True):
    vertex: Annotated[str, 1] = ""
    timestamp: Annotated[Timestamp | None, 2] = None
    stream: Annotated[int, 3] = 0
    message: Annotated[bytes, 4] = b""


class VertexWarning(Message, frozen=True):
    vertex: Annotated[str, 1] = ""
    level: Annotated[int, 2] = 0
    short: Annotated[bytes, 3] = b""
    detail: Annotated[tuple[bytes, ...], 4] = ()
    url: Annotated[str, 5] = ""
    info: Annotated[SourceInfo | None, 6] = None
    ranges: Annotated[tuple[Range, ...], 7] = ()


class StatusResponse(Message, frozen=True):
    vertices: Annotated[tuple[Vertex, ...], 1] = ()
    statuses: Annotated[tuple[VertexStatus, ...], 2] = ()
    logs: Annotated[tuple[VertexLog, ...], 3] = ()
    warnings: Annotated[tuple[VertexWarning, ...], 4] = ()


# ── the cache ────────────────────────────────────────────────────────────────────────────────


class DiskUsageRequest(Message, frozen=True):
    filter: Annotated[tuple[str, ...], 1] = ()
    age_limit: Annotated[int, 2] = 0


class UsageRecord(Message, frozen=True):
    id: Annotated[str, 1] = ""
    mutable: Annotated[bool, 2] = False
    in_use: Annotated[bool, 3] = False
    size: Annotated[int, 4] = 0
    parent: Annotated[str, 5] = ""
    created_at: Annotated[Timestamp | None, 6] = None
    last_used_at: Annotated[Timestamp | None, 7] = None
    usage_count: Annotated[int, 8] = 0
    description: Annotated[str, 9] = ""
    record_type: Annotated[str, 10] = ""
    shared: Annotated[bool, 11] = False
    parents: Annotated[tuple[str, ...], 12] = ()


class DiskUsageResponse(Message, frozen=True):
    record: Annotated[tuple[UsageRecord, ...], 1] = ()


class PruneRequest(Message, frozen=True):
    filter: Annotated[tuple[str, ...], 1] = ()
    all: Annotated[bool, 2] = False
    keep_duration: Annotated[int, 3] = 0
    """Nanoseconds."""
    reserved_space: Annotated[int, 4] = 0
    """Once called ``keepBytes``."""
    max_used_space: Annotated[int, 5] = 0
    min_free_space: Annotated[int, 6] = 0


# ── the builder ──────────────────────────────────────────────────────────────────────────────


class ListWorkersRequest(Message, frozen=True):
    filter: Annotated[tuple[str, ...], 1] = ()


class ListWorkersResponse(Message, frozen=True):
    record: Annotated[tuple[WorkerRecord, ...], 1] = ()


class InfoRequest(Message, frozen=True):
    pass


class InfoResponse(Message, frozen=True):
    version: Annotated[BuildkitVersion | None, 1] = None
