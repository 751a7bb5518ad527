"""Questions that clients ask the frontend instead of having something built.

The answer is metadata of a result: ``result.json`` for programs, ``result.txt`` for people, and the
``version`` of its form.
"""

from collections.abc import Awaitable, Callable

import msgspec

from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.clientside import ClientSide
from boxship.engine.build.progress import LineRange, ProgressEvent, SourceText, VertexWarning
from boxship.engine.build.requests import BuildRequest
from boxship.engine.build.service import Builder

Metadata = dict[str, bytes]
Answer = Callable[[Builder, BuildRequest, ClientSide], Awaitable[Metadata]]

_DESCRIBE, _LINT = "frontend.subrequests.describe", "frontend.lint"
_VERSION = b"1.0.0"


async def answer_subrequest(
    name: str, builder: Builder, request: BuildRequest, client: ClientSide
) -> Metadata:
    """Answer. InvalidArgumentError: such a question is not known."""
    answer = _ANSWERS.get(name)
    if answer is None:
        raise InvalidArgumentError(f"unsupported request {name}")
    return await answer(builder, request, client)


# ── which there are ──────────────────────────────────────────────────────────────────────────


class _Subrequest(msgspec.Struct, rename="pascal"):
    name: str
    version: str
    type: str
    description: str


async def _describe(_: Builder, __: BuildRequest, ___: ClientSide) -> Metadata:
    known = [
        _Subrequest(_LINT, "1.0.0", "rpc", "Lint a Dockerfile"),
        _Subrequest(_DESCRIBE, "1.0.0", "rpc", "List available subrequest types"),
    ]
    text = "".join(f"{each.name}\t{each.description}\n" for each in known)
    return {
        "result.json": msgspec.json.encode(known),
        "result.txt": text.encode(),
        "version": _VERSION,
    }


# ── lint ─────────────────────────────────────────────────────────────────────────────────────


class _Position(msgspec.Struct):
    line: int
    character: int = 0


class _Range(msgspec.Struct):
    start: _Position
    end: _Position


class _Location(msgspec.Struct, rename={"source": "sourceIndex"}):
    source: int
    ranges: list[_Range]


class _Warning(msgspec.Struct, rename={"rule": "ruleName"}):
    rule: str
    description: str
    url: str
    detail: str
    location: _Location


class _Source(msgspec.Struct):
    filename: str
    language: str
    data: bytes


class _Lint(msgspec.Struct):
    warnings: list[_Warning]
    sources: list[_Source]


async def _lint(builder: Builder, request: BuildRequest, client: ClientSide) -> Metadata:
    events: list[ProgressEvent] = []
    await builder.build(request, client, events.append)
    warnings = [event for event in events if isinstance(event, VertexWarning)]
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
        "version": _VERSION,
    }


def _warning(event: VertexWarning, sources: list[SourceText]) -> _Warning:
    source = sources.index(event.source) if event.source is not None else 0
    detail = event.short.removeprefix(f"{event.rule}: ")
    return _Warning(
        rule=event.rule,
        description=" ".join(event.detail),
        url=event.url,
        detail=detail,
        location=_Location(source, [_range(each) for each in event.ranges]),
    )


def _range(lines: LineRange) -> _Range:
    return _Range(
        _Position(lines.start, lines.start_column), _Position(lines.end, lines.end_column)
    )


def _text(event: VertexWarning) -> str:
    where = event.source.filename if event.source is not None else ""
    line = event.ranges[0].start if event.ranges else 0
    lines = [f"WARNING: {event.short}", *event.detail, f"{where}:{line}"]
    return "\n".join(lines) + "\n\n"


_ANSWERS: dict[str, Answer] = {_DESCRIBE: _describe, _LINT: _lint}
