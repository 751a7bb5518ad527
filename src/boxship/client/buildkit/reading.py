"""From BuildKit's messages to what a display is fed with."""

from boxship.client.buildkit.progress import (
    Log,
    Place,
    Source,
    Span,
    Status,
    Update,
    Vertex,
    Warned,
)
from boxship.wire.buildkit import control, solver
from boxship.wire.buildkit.wellknown import Timestamp


def update_of(response: control.StatusResponse) -> Update:
    return Update(
        tuple(_vertex(each) for each in response.vertices),
        tuple(_status(each) for each in response.statuses),
        tuple(
            Log(each.vertex, each.stream, each.message, _moment(each.timestamp) or 0)
            for each in response.logs
        ),
        tuple(_warning(each) for each in response.warnings),
    )


def source_of(info: solver.SourceInfo, ranges: tuple[solver.Range, ...]) -> Source:
    return Source(info.filename, info.data, tuple(_span(each) for each in ranges))


def _vertex(vertex: control.Vertex) -> Vertex:
    return Vertex(
        vertex.digest,
        vertex.name,
        vertex.inputs,
        _moment(vertex.started),
        _moment(vertex.completed),
        vertex.cached,
        vertex.error,
    )


def _status(status: control.VertexStatus) -> Status:
    return Status(
        status.id,
        status.vertex,
        status.name,
        status.current,
        status.total,
        _moment(status.timestamp) or 0,
        _moment(status.started),
        _moment(status.completed),
    )


def _warning(warning: control.VertexWarning) -> Warned:
    return Warned(
        warning.vertex,
        warning.short.decode("utf-8", "replace"),
        tuple(line.decode("utf-8", "replace") for line in warning.detail),
        warning.url,
        warning.level,
        None if warning.info is None else source_of(warning.info, warning.ranges),
    )


def _moment(timestamp: Timestamp | None) -> int | None:
    return None if timestamp is None else timestamp.ns


def _span(each: solver.Range) -> Span:
    start = _place(each.start)
    return Span(start, start if each.end is None else _place(each.end))


def _place(position: solver.Position | None) -> Place:
    return Place(0) if position is None else Place(position.line, position.character)
