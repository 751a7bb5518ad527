"""What a build tells, in BuildKit's own messages."""

from collections.abc import Iterable, Sequence

from boxship.engine.build.failures import Place
from boxship.engine.build.progress import (
    LineRange,
    ProgressEvent,
    SourceText,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from boxship.wire.buildkit import control
from boxship.wire.buildkit.failure import FailurePlace
from boxship.wire.buildkit.solver import Position, Range, SourceInfo
from boxship.wire.buildkit.wellknown import Timestamp

_PORTION = 1 << 20
"""Bytes of output in one message. Clients refuse messages beyond 16 MiB (buildx: 4 MiB)."""
_MOST_EVENTS = 2000


def portion(events: Sequence[ProgressEvent | None], at: int) -> tuple[list[ProgressEvent], int]:
    """Return what fits into one message from ``at`` on, and where the next one begins."""
    found: list[ProgressEvent] = []
    size = 0
    for event in events[at : at + _MOST_EVENTS]:
        size += len(event.data) if isinstance(event, VertexLog) else 0
        if found and size > _PORTION:
            break
        found += () if event is None else (event,)
        at += 1
    return found, at


def status_of(events: Iterable[ProgressEvent]) -> control.StatusResponse:
    """Return events as one message; those that BuildKit has no word for are left out."""
    vertices: list[control.Vertex] = []
    statuses: list[control.VertexStatus] = []
    logs: list[control.VertexLog] = []
    warnings: list[control.VertexWarning] = []
    for event in events:
        if isinstance(event, Vertex):
            vertices.append(_vertex(event))
        elif isinstance(event, VertexStatus):
            statuses.append(_status(event))
        elif isinstance(event, VertexLog):
            time = Timestamp.of_ns(event.time_ns)
            logs.append(control.VertexLog(str(event.vertex), time, event.stream, event.data))
        elif isinstance(event, VertexWarning):
            warnings.append(_warning(event))
    return control.StatusResponse(tuple(vertices), tuple(statuses), tuple(logs), tuple(warnings))


def told(status: control.StatusResponse) -> bool:
    """Whether there is anything in it."""
    return bool(status.vertices or status.statuses or status.logs or status.warnings)


def failure_place(place: Place) -> FailurePlace:
    """Return where it went wrong, as a status's details have it."""
    return FailurePlace(_source(place.source), _ranges(place.ranges))


def _vertex(event: Vertex) -> control.Vertex:
    return control.Vertex(
        digest=str(event.digest),
        inputs=tuple(str(digest) for digest in event.inputs),
        name=event.name,
        cached=event.cached,
        started=_time(event.started_ns),
        completed=_time(event.completed_ns),
        error=event.error,
    )


def _status(event: VertexStatus) -> control.VertexStatus:
    return control.VertexStatus(
        id=event.id,
        vertex=str(event.vertex),
        name=event.name,
        current=event.current,
        total=event.total,
        timestamp=Timestamp.of_ns(event.time_ns),
        started=_time(event.started_ns),
        completed=_time(event.completed_ns),
    )


def _warning(event: VertexWarning) -> control.VertexWarning:
    return control.VertexWarning(
        vertex=str(event.vertex),
        level=event.level,
        short=event.short.encode(),
        detail=tuple(line.encode() for line in event.detail),
        url=event.url,
        info=None if event.source is None else _source(event.source),
        ranges=_ranges(event.ranges),
    )


def _source(source: SourceText) -> SourceInfo:
    return SourceInfo(filename=source.filename, data=source.data, language=source.language)


def _ranges(ranges: Iterable[LineRange]) -> tuple[Range, ...]:
    return tuple(
        Range(Position(each.start, each.start_column), Position(each.end, each.end_column))
        for each in ranges
    )


def _time(nanoseconds: int | None) -> Timestamp | None:
    return None if nanoseconds is None else Timestamp.of_ns(nanoseconds)
