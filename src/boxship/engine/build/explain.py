"""Why a step ran although results of earlier builds were allowed (``--explain-cache``)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from boxship.dockerfile.places import Range
from boxship.engine.build.cachestore import CacheStore
from boxship.engine.build.contexts import Context
from boxship.engine.build.progress import CacheMiss
from boxship.engine.build.reporting import Reporter
from boxship.oci.digest import Digest
from boxship.solver.graph import Graph, Vertex
from boxship.solver.keys import Part, definition, parts
from boxship.solver.operations import LocalSource, Operation

_MOST_NAMED = 8


@dataclass(slots=True)
class Explainer:
    """Looks for what the same step was given the last time. ``contexts``: those of this build."""

    cache: CacheStore
    graph: Graph[Range]
    report: Reporter
    contexts: dict[str, Context] = field(default_factory=dict)

    def miss(self, vertex: Vertex[Range], operation: Operation, contents: Sequence[Digest]) -> None:
        """Say why no result fits, as an event and in the step's own log."""
        reason, details = self._reason(vertex, operation, contents)
        self.report.event(CacheMiss(vertex.digest, vertex.name, reason, details))
        lines = [f"cache miss: {reason}", *(f"  {detail}" for detail in details)]
        self.report.log(vertex.digest, 2, ("\n".join(lines) + "\n").encode())

    def _reason(
        self, vertex: Vertex[Range], operation: Operation, contents: Sequence[Digest]
    ) -> tuple[str, tuple[str, ...]]:
        if vertex.fresh:
            return "the cache is not to be used for it", ()
        before = self.cache.of_step(str(definition(operation)))
        if not before:
            return "the instruction is new, or its result was pruned", ()
        used = parts(operation)
        now = list(zip(used, map(str, contents), strict=True))
        was = [content for _, content in before[0].inputs]
        if len(was) != len(now):
            return "it uses other files than before", ()
        changed = [part for (part, new), old in zip(now, was, strict=True) if new != old]
        if not changed:
            return "the result of before is no longer whole", ()
        return self._changes(vertex, changed)

    def _changes(
        self, vertex: Vertex[Range], changed: Sequence[Part]
    ) -> tuple[str, tuple[str, ...]]:
        files = [path for part in changed for path in self._files(vertex, part)]
        names = [" ".join(part.paths) for part in changed if part.paths]
        if files:
            more = len(files) - _MOST_NAMED
            details = files[:_MOST_NAMED] + ([f"and {more} more"] if more > 0 else [])
            return f"{files[0]} changed" if len(files) == 1 else "files changed", tuple(details)
        if names:
            return f"{', '.join(names)} changed", ()
        return "the step before it gave other files", ()

    def _files(self, vertex: Vertex[Range], part: Part) -> list[str]:
        below = self.graph[vertex.inputs[part.input]].operation
        if not isinstance(below, LocalSource) or below.name not in self.contexts:
            return []
        wanted = [path.strip("/").split("*")[0] for path in part.paths]
        changed = self.contexts[below.name].changed
        return [path for path in changed if any(path.startswith(each) for each in wanted)]
