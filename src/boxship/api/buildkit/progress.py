"""What a build tells, in BuildKit's own messages."""

from collections.abc import Iterable, Iterator

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

_LONGEST_TEXT = 64 << 10
_LONGEST_SOURCE = 1 << 20
"""A Dockerfile may have 16 MiB, and a step's name all of it; clients take messages of 4 MiB."""
AT_ONCE = 512 << 10
"""Bytes in one message, by estimate. gRPC's clients refuse messages of 4 MiB if nobody told them
otherwise; a character may take four times what is counted."""
_EVENT = 400
"""Bytes that an event takes besides its texts, in memory as on the wire."""


def weight(event: ProgressEvent) -> int:
    """Return about how many bytes it is."""
    if isinstance(event, VertexLog):
        return _EVENT + len(event.data)
    if isinstance(event, Vertex):
        return _EVENT + len(event.name) + len(event.error) + 80 * len(event.inputs)
    if isinstance(event, VertexStatus):
        return _EVENT + len(event.id) + len(event.name)
    if isinstance(event, VertexWarning):
        source = 0 if event.source is None else len(event.source.data)
        return _EVENT + source + len(event.short) + sum(map(len, event.detail))
    return 0


def portions(events: Iterable[ProgressEvent]) -> Iterator[list[ProgressEvent]]:
    """Divide events into what fits messages."""
    found: list[ProgressEvent] = []
    size = 0
    for event in events:
        size += weight(event)
        if found and size > AT_ONCE:
            yield found
            found, size = [], weight(event)
        found.append(event)
    if found:
        yield found


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
        name=event.name[:_LONGEST_TEXT],
        cached=event.cached,
        started=_time(event.started_ns),
        completed=_time(event.completed_ns),
        error=event.error[:_LONGEST_TEXT],
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
    source = event.source
    if source is not None and len(source.data) > _LONGEST_SOURCE:
        source = None
    return control.VertexWarning(
        vertex=str(event.vertex),
        level=event.level,
        short=event.short.encode(),
        detail=tuple(line.encode() for line in event.detail),
        url=event.url,
        info=None if source is None else _source(source),
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
