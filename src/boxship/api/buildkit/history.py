"""Builds of before, in BuildKit's messages."""

from collections.abc import Iterable, Iterator

from boxship.engine.build.requests import BuildRecord
from boxship.wire.buildkit.history import (
    BuildHistoryEvent,
    BuildHistoryRecord,
    BuildHistoryRequest,
    BuildResultInfo,
    Descriptor,
    EventType,
)
from boxship.wire.buildkit.wellknown import RpcStatus, Timestamp
from boxship.wire.grpc.status import Code

_IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"


def events_of(
    records: Iterable[BuildRecord], request: BuildHistoryRequest
) -> Iterator[BuildHistoryEvent]:
    """Yield what a client gets to know: builds that run as begun, the others as ended."""
    for number, record in enumerate(_wanted(records, request)):
        if request.limit and number >= request.limit:
            return
        running = record.completed_ns is None
        kind = EventType.STARTED if running else EventType.COMPLETE
        yield BuildHistoryEvent(kind, _record(record))


def _wanted(records: Iterable[BuildRecord], request: BuildHistoryRequest) -> Iterator[BuildRecord]:
    for record in records:
        if request.ref and record.reference != request.ref:
            continue
        if not (request.active_only and record.completed_ns is not None):
            yield record


def _record(record: BuildRecord) -> BuildHistoryRecord:
    completed = record.completed_ns
    images = enumerate(record.images)
    results = {n: Descriptor(media_type=_IMAGE_CONFIG, digest=digest) for n, digest in images}
    return BuildHistoryRecord(
        ref=record.reference,
        frontend="dockerfile.v0",
        frontend_attrs=dict(record.attributes),
        error=RpcStatus(Code.UNKNOWN, record.error) if record.error else None,
        created_at=Timestamp.of_ns(record.created_ns),
        completed_at=None if completed is None else Timestamp.of_ns(completed),
        exporter_response=dict(record.response),
        result=BuildResultInfo(results=results) if results else None,
        pinned=record.pinned,
        cached_steps=record.cached_steps,
        total_steps=record.total_steps,
        completed_steps=record.completed_steps,
        warnings=record.warnings,
    )
