"""The graph of a build: vertices named by what they are.

A vertex' digest covers its operation and, through their digests, everything below it. So two stages
that begin with the same steps share them, and so do the plans of two platforms, without anybody
looking for what they have in common. What a vertex is called and where in a Dockerfile it stands
are facts for people beside it; the first one who adds it decides.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import msgspec

from boxship.oci.digest import Digest
from boxship.solver.operations import Operation

_ENCODER = msgspec.msgpack.Encoder()

PlaceT = TypeVar("PlaceT")


@dataclass(frozen=True, slots=True)
class Vertex(Generic[PlaceT]):
    """A step. ``fresh``: no earlier result will do (``--no-cache``)."""

    digest: Digest
    operation: Operation
    inputs: tuple[Digest, ...]
    name: str
    fresh: bool = False
    place: PlaceT | None = None


@dataclass(slots=True)
class Graph(Generic[PlaceT]):
    """Vertices by digest; inputs come before those that use them."""

    vertices: dict[Digest, Vertex[PlaceT]] = field(default_factory=dict)

    def add(
        self,
        operation: Operation,
        inputs: Iterable[Digest] = (),
        *,
        name: str,
        fresh: bool = False,
        place: PlaceT | None = None,
    ) -> Digest:
        """Add a vertex, unless it is there, and return its digest."""
        below = tuple(inputs)
        for each in below:
            if each not in self.vertices:
                raise KeyError(each)
        text = _ENCODER.encode((operation, [str(each) for each in below], fresh))
        digest = Digest.of(text)
        if digest not in self.vertices:
            self.vertices[digest] = Vertex(digest, operation, below, name, fresh, place)
        return digest

    def rename(self, digest: Digest, name: str, place: PlaceT | None) -> None:
        """Call a vertex something else, where it stands."""
        self.vertices[digest] = replace(self.vertices[digest], name=name, place=place)

    def __getitem__(self, digest: Digest) -> Vertex[PlaceT]:
        return self.vertices[digest]

    def needed(self, targets: Iterable[Digest]) -> list[Vertex[PlaceT]]:
        """Return what leads to ``targets``, each after its inputs; nothing else is ever done."""
        wanted: set[Digest] = set()
        waiting = list(targets)
        while waiting:
            digest = waiting.pop()
            if digest not in wanted:
                wanted.add(digest)
                waiting.extend(self.vertices[digest].inputs)
        return [vertex for digest, vertex in self.vertices.items() if digest in wanted]

    def users(self) -> Mapping[Digest, tuple[Digest, ...]]:
        """Return for each vertex those that have it as an input."""
        found: dict[Digest, tuple[Digest, ...]] = {}
        for vertex in self.vertices.values():
            for below in vertex.inputs:
                found[below] = (*found.get(below, ()), vertex.digest)
        return found

    def __iter__(self) -> Iterator[Vertex[PlaceT]]:
        return iter(self.vertices.values())
