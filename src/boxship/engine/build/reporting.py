"""Telling of vertices, so that each event is the whole of what is known."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from boxship.base.clock import Clock
from boxship.engine.build.progress import ProgressEvent, Tell, Vertex, VertexLog
from boxship.oci.digest import Digest

_LONGEST_LOG = 2 << 20


@dataclass(slots=True)
class Reporter:
    """One build's progress. Belongs to the event loop."""

    tell: Tell
    clock: Clock
    vertices: dict[Digest, Vertex] = field(default_factory=dict)
    _logged: dict[Digest, int] = field(default_factory=dict)
    _shared: dict[Digest, Callable[[int, bytes], None]] = field(default_factory=dict)

    def announce(self, digest: Digest, name: str, inputs: Iterable[Digest] = ()) -> None:
        """Say that a vertex is part of the build."""
        if digest not in self.vertices:
            self._put(Vertex(digest, name, tuple(inputs)))

    def start(self, digest: Digest) -> None:
        known = self.vertices[digest]
        self._put(Vertex(digest, known.name, known.inputs, started_ns=self.clock.now_ns()))

    def finish(
        self,
        digest: Digest,
        *,
        cached: bool = False,
        error: str = "",
        layers: tuple[Digest, ...] = (),
    ) -> None:
        """Say how a vertex has ended; one that nobody started has been found."""
        known, now = self.vertices[digest], self.clock.now_ns()
        started = now if known.started_ns is None else known.started_ns
        self._put(Vertex(digest, known.name, known.inputs, started, now, cached, error, layers))

    def settle(self, digest: Digest, *, error: str = "", layers: tuple[Digest, ...] = ()) -> None:
        """Finish a vertex, if it hasn't ended."""
        if self.vertices[digest].completed_ns is None:
            self.finish(digest, error=error, layers=layers)

    def is_told(self, digest: Digest) -> bool:
        """Tell whether a vertex has been begun or found."""
        known = self.vertices.get(digest)
        return known is not None and known.started_ns is not None

    @contextmanager
    def sharing(self, digest: Digest, hear: Callable[[int, bytes], None]) -> Iterator[None]:
        """Have somebody else hear, too, what a vertex writes."""
        self._shared[digest] = hear
        try:
            yield
        finally:
            del self._shared[digest]

    def log(self, digest: Digest, stream: int, data: bytes) -> None:
        """Pass on what a step writes, up to a bound: nobody slows a step that floods its output."""
        before = self._logged.get(digest, 0)
        self._logged[digest] = before + len(data)
        if before > _LONGEST_LOG:
            return
        if before + len(data) > _LONGEST_LOG:
            data = data[: _LONGEST_LOG - before] + b"\n[output clipped, log limit 2MiB reached]\n"
            self._logged[digest] = _LONGEST_LOG + 1
        self.event(VertexLog(digest, stream, data, self.clock.now_ns()))
        if digest in self._shared:
            self._shared[digest](stream, data)

    def event(self, event: ProgressEvent) -> None:
        self.tell(event)

    def _put(self, vertex: Vertex) -> None:
        self.vertices[vertex.digest] = vertex
        self.tell(vertex)
