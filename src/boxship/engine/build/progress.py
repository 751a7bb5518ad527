"""What a build tells while it runs, in BuildKit's terms.

Events are facts about a vertex, each the whole of what is known: a later ``Vertex`` of the same
digest replaces the one before. A door turns them into its own stream; the classic one goes through
the steps of the ``BuildPlan`` in order, and shows of each what has been told of its vertex. ::

    BuildPlan  Vertex(started) VertexLog … VertexStatus … Vertex(completed)  VertexWarning …
"""

from collections.abc import Callable
from dataclasses import dataclass

from boxship.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class LineRange:
    """Lines of a source, counted from 1, both included; columns from 0, where known."""

    start: int
    end: int
    start_column: int = 0
    end_column: int = 0


@dataclass(frozen=True, slots=True)
class SourceText:
    """A Dockerfile (or included file) that ranges speak of."""

    filename: str
    data: bytes
    language: str = "Dockerfile"


@dataclass(frozen=True, slots=True)
class Vertex:
    """A step of the graph. Not started: no ``started_ns``; ended: ``completed_ns``."""

    digest: Digest
    name: str
    """As clients print it: ``[build 2/5] RUN make``."""
    inputs: tuple[Digest, ...] = ()
    started_ns: int | None = None
    completed_ns: int | None = None
    cached: bool = False
    error: str = ""
    layers: tuple[Digest, ...] = ()
    """Of a vertex that ended well, if its result is layers: their diff ids, lowest first."""


@dataclass(frozen=True, slots=True)
class VertexStatus:
    """A count within a vertex: bytes that travelled, layers that were pulled."""

    id: str
    vertex: Digest
    name: str
    current: int
    total: int
    time_ns: int
    started_ns: int | None = None
    completed_ns: int | None = None


@dataclass(frozen=True, slots=True)
class VertexLog:
    """Output of a step. ``stream`` 1 is standard output, 2 standard error."""

    vertex: Digest
    stream: int
    data: bytes
    time_ns: int


@dataclass(frozen=True, slots=True)
class VertexWarning:
    """What a lint rule, or a step, warns of."""

    vertex: Digest
    short: str
    level: int = 1
    detail: tuple[str, ...] = ()
    url: str = ""
    source: SourceText | None = None
    ranges: tuple[LineRange, ...] = ()
    rule: str = ""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One instruction, as the classic builder counts them.

    ``vertex`` is what carries it out; None for those that change the config alone.
    """

    number: int
    total: int
    text: str
    """The instruction as the classic builder prints it, variables not replaced."""
    vertex: Digest | None
    stage: str
    line: int


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """All steps that lead to the target, in the Dockerfile's order. Told once per platform."""

    steps: tuple[PlannedStep, ...]
    platform: str = ""


@dataclass(frozen=True, slots=True)
class CacheMiss:
    """Why a step ran though a cache was allowed (``BuildRequest.explain``)."""

    vertex: Digest
    name: str
    reason: str
    """One line for a person: ``app.py changed``, ``the step before it ran anew`` …"""
    details: tuple[str, ...] = ()
    """Which files, a line each."""


@dataclass(frozen=True, slots=True)
class ImageWritten:
    """An image is in the store (the classic door's ``aux``)."""

    image_id: Digest
    names: tuple[str, ...] = ()


ProgressEvent = (
    BuildPlan | Vertex | VertexStatus | VertexLog | VertexWarning | CacheMiss | ImageWritten
)
Tell = Callable[[ProgressEvent], None]
"""Called on the event loop; it must not block."""
