"""Builds of before, in BuildKit's messages."""

from collections.abc import Iterable, Iterator
from itertools import islice

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


class Telling:
    """What one client has been told of the history; ``news`` is what has changed since."""

    def __init__(self, request: BuildHistoryRequest) -> None:
        self._request = request
        self._told: dict[str, BuildRecord] = {}

    def news(self, records: Iterable[BuildRecord]) -> Iterator[BuildHistoryEvent]:
        """Yield what a client doesn't know: builds that have begun, have ended, or are gone."""
        wanted = {each.reference: each for each in _wanted(records, self._request)}
        for reference, record in wanted.items():
            known = self._told.get(reference)
            if known is None or known.completed_ns != record.completed_ns:
                running = record.completed_ns is None
                kind = EventType.STARTED if running else EventType.COMPLETE
                yield BuildHistoryEvent(kind, _record(record))
        for reference in self._told.keys() - wanted.keys():
            yield BuildHistoryEvent(EventType.DELETED, BuildHistoryRecord(ref=reference))
        self._told = wanted


def _wanted(records: Iterable[BuildRecord], request: BuildHistoryRequest) -> Iterator[BuildRecord]:
    found = (
        record
        for record in records
        if request.ref in ("", record.reference)
        and not (request.active_only and record.completed_ns is not None)
    )
    return islice(found, request.limit or None)


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
