"""The answer to ``frontend.lint``: what is unwise in a Dockerfile (``docker build --check``)."""

import msgspec

from boxship.engine.build.clientside import ClientSide
from boxship.engine.build.failures import Place, excerpt
from boxship.engine.build.progress import LineRange, ProgressEvent, SourceText, VertexWarning
from boxship.engine.build.requests import BuildRequest
from boxship.engine.build.service import Builder

DESCRIPTION = "Lint a Dockerfile"


class _Position(msgspec.Struct, frozen=True, omit_defaults=True):
    line: int = 0
    character: int = 0


class _Range(msgspec.Struct, frozen=True):
    start: _Position
    end: _Position


class _Location(msgspec.Struct, frozen=True, rename={"source": "sourceIndex"}):
    source: int
    ranges: list[_Range]


class _Warning(msgspec.Struct, frozen=True, rename={"rule": "ruleName"}):
    rule: str
    description: str
    url: str
    detail: str
    location: _Location


class _Source(msgspec.Struct, frozen=True):
    filename: str
    language: str
    data: bytes


class _Lint(msgspec.Struct, frozen=True):
    warnings: list[_Warning]
    sources: list[_Source]


async def lint(builder: Builder, request: BuildRequest, client: ClientSide) -> dict[str, bytes]:
    """Check what the request would build. The request has to be one that only checks."""
    events: list[ProgressEvent] = []
    await builder.build(request, client, events.append)
    warnings = [event for event in events if isinstance(event, VertexWarning) and event.rule]
    sources: list[SourceText] = []
    for warning in warnings:
        if warning.source is not None and warning.source not in sources:
            sources.append(warning.source)
    result = _Lint(
        [_warning(each, sources) for each in warnings],
        [_Source(each.filename, each.language, each.data) for each in sources],
    )
    return {
        "result.json": msgspec.json.encode(result),
        "result.txt": "".join(_text(each) for each in warnings).encode(),
        "result.statuscode": b"1" if warnings else b"0",
    }


def _warning(event: VertexWarning, sources: list[SourceText]) -> _Warning:
    source = sources.index(event.source) if event.source is not None else 0
    return _Warning(
        rule=event.rule,
        description=" ".join(event.detail),
        url=event.url,
        detail=_detail(event),
        location=_Location(source, [_range(each) for each in event.ranges]),
    )


def _detail(event: VertexWarning) -> str:
    """The message alone: in progress it stands between the rule and the line."""
    text = event.short.removeprefix(f"{event.rule}: ")
    return text.rpartition(" (line ")[0] or text


def _range(lines: LineRange) -> _Range:
    return _Range(
        _Position(lines.start, lines.start_column), _Position(lines.end, lines.end_column)
    )


def _text(event: VertexWarning) -> str:
    lines = "" if event.source is None else excerpt(Place(event.source, event.ranges))
    return f"WARNING: {event.rule} - {event.url}\n{_detail(event)}\n{lines}\n"
