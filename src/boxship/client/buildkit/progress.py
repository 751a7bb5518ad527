"""What a builder tells while it works, in BuildKit's terms; moments are nanoseconds since 1970.

A vertex is a step of the graph. It is told of again whenever something about it changes; a status
is one thing that goes on inside of it (a layer that is fetched), a log is what its process wrote.
"""

from typing import NamedTuple


class Vertex(NamedTuple):
    digest: str
    name: str
    inputs: tuple[str, ...] = ()
    started: int | None = None
    completed: int | None = None
    cached: bool = False
    error: str = ""


class Status(NamedTuple):
    """``current`` of ``total`` (0: nobody knows), in bytes as a rule."""

    id: str
    vertex: str
    name: str = ""
    current: int = 0
    total: int = 0
    moment: int = 0
    started: int | None = None
    completed: int | None = None


class Log(NamedTuple):
    """``stream`` is 1 or 2, as descriptors are numbered."""

    vertex: str
    stream: int
    data: bytes
    moment: int


class Place(NamedTuple):
    """A position in a source file: lines from 1, columns from 0."""

    line: int
    column: int = 0


class Span(NamedTuple):
    start: Place
    end: Place


class Source(NamedTuple):
    """A source file, and the parts of it that are meant."""

    filename: str
    data: bytes
    spans: tuple[Span, ...] = ()


class Warned(NamedTuple):
    """Something that a person should know and that stops nothing."""

    vertex: str
    short: str
    detail: tuple[str, ...] = ()
    url: str = ""
    level: int = 1
    source: Source | None = None


class Update(NamedTuple):
    """What was told at once."""

    vertices: tuple[Vertex, ...] = ()
    statuses: tuple[Status, ...] = ()
    logs: tuple[Log, ...] = ()
    warnings: tuple[Warned, ...] = ()
