"""Questions that clients ask the frontend instead of having something built.

The answer is metadata of a result: ``result.json`` for programs, ``result.txt`` for people, and the
``version`` of its form (BuildKit's frontend/subrequests). Those of ``lint`` are in ``linting.py``.
"""

from collections.abc import Awaitable, Callable, Iterable

import msgspec

from boxship.api.buildkit.linting import DESCRIPTION, lint
from boxship.base.errors import InvalidArgumentError
from boxship.dockerfile import outline as offers
from boxship.dockerfile.instructions import Dockerfile
from boxship.dockerfile.outline import Parameter, Target
from boxship.dockerfile.places import Range
from boxship.engine.build.clientside import ClientSide
from boxship.engine.build.requests import BuildRequest
from boxship.engine.build.service import Builder

Metadata = dict[str, bytes]
Answer = Callable[[Builder, BuildRequest, ClientSide], Awaitable[Metadata]]

_VERSION = b"1.0.0"


async def answer_subrequest(
    name: str, builder: Builder, request: BuildRequest, client: ClientSide
) -> Metadata:
    """Answer. InvalidArgumentError: such a question is not known."""
    found = _ANSWERS.get(name)
    if found is None:
        raise InvalidArgumentError(f"unsupported request {name}")
    answer, _ = found
    return {**await answer(builder, request, client), "version": _VERSION}


def _metadata(answer: object, text: str) -> Metadata:
    return {"result.json": msgspec.json.encode(answer), "result.txt": text.encode()}


def _table(*rows: Iterable[str], gap: int = 3) -> str:
    """Write rows with columns as wide as their widest cell and a gap."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) + gap for column in zip(*cells, strict=True)]
    lines = ("".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells)
    return "".join(line.rstrip() + "\n" for line in lines)


# ── which questions there are ────────────────────────────────────────────────────────────────


class _Subrequest(msgspec.Struct, frozen=True, rename="pascal"):
    name: str
    version: str
    type: str
    description: str


async def _describe(_: Builder, __: BuildRequest, ___: ClientSide) -> Metadata:
    known = [
        _Subrequest(name, _VERSION.decode(), "rpc", about) for name, (_, about) in _ANSWERS.items()
    ]
    rows = ((each.name, each.version, each.description) for each in known)
    return _metadata(known, _table(("NAME", "VERSION", "DESCRIPTION"), *rows))


# ── which targets there are ──────────────────────────────────────────────────────────────────


class _Position(msgspec.Struct, frozen=True, omit_defaults=True):
    line: int = 0


class _Range(msgspec.Struct, frozen=True):
    start: _Position
    end: _Position


class _Location(msgspec.Struct, frozen=True, omit_defaults=True, rename={"source": "sourceIndex"}):
    ranges: tuple[_Range, ...] = ()
    source: int = 0


class _Target(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str = ""
    default: bool = False
    description: str = ""
    base: str = ""
    platform: str = ""
    location: _Location = _Location()


class _Targets(msgspec.Struct, frozen=True, omit_defaults=True):
    targets: tuple[_Target, ...]
    sources: tuple[bytes, ...] = ()


async def _targets(builder: Builder, request: BuildRequest, client: ClientSide) -> Metadata:
    read = await builder.read(request, client)
    found = offers.targets(read)
    answer = _Targets(tuple(_target(each, read) for each in found), _sources(read))
    rows = ((_named(each), each.description) for each in found)
    return _metadata(answer, _table(("TARGET", "DESCRIPTION"), *rows))


def _target(target: Target, read: Dockerfile) -> _Target:
    return _Target(
        name=target.name,
        default=target.default,
        description=target.description,
        base=target.base,
        platform=target.platform,
        location=_location(target.where, read),
    )


def _named(target: Target) -> str:
    if not target.default:
        return target.name
    return f"{target.name} (default)" if target.name else "(default)"


# ── what one target takes ────────────────────────────────────────────────────────────────────


class _Argument(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    description: str = ""
    value: str = ""
    location: _Location = _Location()


class _Wanted(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    required: bool = False
    location: _Location = _Location()


class _Cache(msgspec.Struct, frozen=True, omit_defaults=True, rename={"id": "ID"}):
    id: str
    location: _Location = _Location()


class _Outline(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str = ""
    description: str = ""
    args: tuple[_Argument, ...] = ()
    secrets: tuple[_Wanted, ...] = ()
    ssh: tuple[_Wanted, ...] = ()
    cache: tuple[_Cache, ...] = ()
    sources: tuple[bytes, ...] = ()


async def _outline(builder: Builder, request: BuildRequest, client: ClientSide) -> Metadata:
    read = await builder.read(request, client)
    found = offers.outline(read, request.target)
    answer = _Outline(
        found.target.name,
        found.target.description,
        tuple(_argument(each, request, read) for each in found.arguments),
        tuple(_wanted(each, read) for each in found.secrets),
        tuple(_wanted(each, read) for each in found.ssh),
        tuple(_Cache(each.name, _location(each.where, read)) for each in found.caches),
        _sources(read),
    )
    return _metadata(answer, _outline_text(answer))


def _argument(parameter: Parameter, request: BuildRequest, read: Dockerfile) -> _Argument:
    given = request.build_args.get(parameter.name)
    return _Argument(
        parameter.name,
        parameter.description,
        given if given is not None else parameter.default or "",
        _location(parameter.where, read),
    )


def _wanted(parameter: Parameter, read: Dockerfile) -> _Wanted:
    return _Wanted(parameter.name, parameter.required, _location(parameter.where, read))


def _outline_text(found: _Outline) -> str:
    parts = []
    if found.name or found.description:
        rows = [("TARGET:", found.name or "(default)")]
        rows += [("DESCRIPTION:", found.description)] if found.description else []
        parts.append(_table(*rows))
    if found.args:
        rows_of_args = ((each.name, each.value, each.description) for each in found.args)
        parts.append(_table(("BUILD ARG", "VALUE", "DESCRIPTION"), *rows_of_args))
    for title, members in (("SECRET", found.secrets), ("SSH", found.ssh)):
        if members:
            wanted = ((each.name, "true" if each.required else "") for each in members)
            parts.append(_table((title, "REQUIRED"), *wanted))
    if found.cache:
        parts.append(_table(("CACHE ID",), *((each.id,) for each in found.cache)))
    return "".join(part + "\n" for part in parts)


def _location(where: Range, read: Dockerfile) -> _Location:
    files = ["", *(name for name, _ in read.files)]
    source = files.index(where.file) if where.file in files else 0
    lines = _Range(_Position(where.line_start), _Position(where.line_end))
    return _Location((lines,), source)


def _sources(read: Dockerfile) -> tuple[bytes, ...]:
    return (read.text.encode(), *(text.encode() for _, text in read.files))


_ANSWERS: dict[str, tuple[Answer, str]] = {
    "frontend.lint": (lint, DESCRIPTION),
    "frontend.outline": (_outline, "List all parameters current build target supports"),
    "frontend.targets": (_targets, "List all targets current build supports"),
    "frontend.subrequests.describe": (_describe, "List available subrequest types"),
}
