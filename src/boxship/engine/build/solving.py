"""Solve a graph: what is there already is not done again, what is needed is done side by side.

::

    result(target) ─ recipe key known? ─ found ────────────────────────► nothing below is looked at
         │ no
         ├─ result(input) … all at once ─ content key ─ found ─────────► known by its recipe, too
         │ no
         └─ run (one at a time per content key) ─► layer ─► record ─► result

Each vertex is solved once, by a task of its own. The first failure ends all of them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from boxship.base.errors import BoxshipError, InvalidArgumentError, NotFoundError
from boxship.dockerfile.places import Range
from boxship.engine.build.cachestore import CacheRecord
from boxship.engine.build.contents import (
    excluding,
    kinds_in_layers,
    kinds_in_listing,
    of_layers,
    of_listing,
)
from boxship.engine.build.contexts import Context
from boxship.engine.build.explain import Explainer
from boxship.engine.build.imagecache import ImageCache
from boxship.engine.build.reporting import Reporter
from boxship.engine.build.results import EMPTY_LAYER, EMPTY_TAR, Ground, Result, Turn
from boxship.engine.images.bridge import in_thread
from boxship.oci.digest import Digest
from boxship.solver.graph import Graph, Vertex
from boxship.solver.keys import (
    Part,
    combined,
    content_key,
    definition,
    layers_key,
    parts,
    recipe_key,
)
from boxship.solver.operations import (
    Exec,
    FileActions,
    ImageSource,
    LocalSource,
    Merge,
    Source,
)
from boxship.storage.layers import Layer, Lease

Step = Exec | FileActions


class Sources(Protocol):
    """Where files come from that no step makes."""

    async def directory(self, source: LocalSource) -> Context:
        """Return a context; it is brought here when somebody asks for the first time."""
        ...

    async def key(self, source: Source) -> Digest:
        """Return what decides of a remote source, without its files as far as possible."""
        ...

    async def fetch(self, source: Source) -> Result:
        """Return the files of a remote source."""
        ...


class Steps(Protocol):
    """Carries steps out (``stepping.py``)."""

    async def carry_out(self, vertex: Vertex[Range], inputs: Sequence[Result]) -> Layer: ...

    def refused(self, vertex: Vertex[Range], error: BoxshipError) -> BoxshipError:
        """Return the error of a step that could not even be looked for, with its place."""
        ...


@dataclass(slots=True)
class Solver:
    """One build. Belongs to the event loop."""

    ground: Ground
    graph: Graph[Range]
    sources: Sources
    steps: Steps
    lease: Lease
    report: Reporter
    explain: Explainer | None = None
    of_images: ImageCache | None = None
    """Images of which layers may be taken."""
    date: str = ""
    """The latest that any file may have, as it decides about results."""
    _tasks: dict[tuple[str, Digest], asyncio.Task[Any]] = field(default_factory=dict)

    async def solve(self, targets: Sequence[Digest]) -> list[Result]:
        """Return the results of vertices; nothing of the work goes on when this has ended."""
        for vertex in self.graph.needed(targets):
            self.report.announce(vertex.digest, vertex.name, vertex.inputs)
        try:
            found = list(await asyncio.gather(*map(self.result, targets)))
        except BaseException:
            await self._stop()
            raise
        await self._stop()
        return found

    async def _stop(self) -> None:
        going = [task for task in self._tasks.values() if not task.done()]
        for task in going:
            task.cancel()
        if going:
            await asyncio.wait(going)
        for task in self._tasks.values():
            if task.done() and not task.cancelled():
                task.exception()  # told by whoever has failed first

    async def records(self, targets: Sequence[Digest]) -> list[CacheRecord]:
        """Return what is known by now of all steps that lead to ``targets``."""
        found = []
        for vertex in self.graph.needed(targets):
            if isinstance(vertex.operation, Exec | FileActions):
                record = self.ground.cache.find(await self.recipe(vertex.digest))
                found += [] if record is None else [record]
        return found

    async def result(self, digest: Digest) -> Result:
        found: Result = await self._once("result", digest, self._result)
        return found

    async def recipe(self, digest: Digest) -> Digest:
        """Return the key that follows from what was asked for and from the sources."""
        found: Digest = await self._once("recipe", digest, self._recipe)
        return found

    async def _once(
        self, what: str, digest: Digest, work: Callable[[Digest], Coroutine[Any, Any, Any]]
    ) -> Any:
        task = self._tasks.get((what, digest))
        if task is None:
            task = self._tasks[what, digest] = asyncio.create_task(work(digest))
        return await asyncio.shield(task)

    async def _recipe(self, digest: Digest) -> Digest:
        vertex = self.graph[digest]
        match vertex.operation:
            case ImageSource(layers=layers):
                return layers_key(map(Digest.parse, layers))
            case Exec() | FileActions() as operation:
                keys = [self._part(vertex, part) for part in parts(operation)]
                return recipe_key(operation, await asyncio.gather(*keys), self.date)
            case Merge() as operation:
                below = await asyncio.gather(*map(self.recipe, vertex.inputs))
                return recipe_key(operation, below)
            case LocalSource():
                return await self._listed(vertex, Part(0))
            case other:
                return await self.sources.key(other)

    async def _part(self, vertex: Vertex[Range], part: Part) -> Digest:
        """Return what decides of a part of an input, before there is a result of it."""
        below = self.graph[vertex.inputs[part.input]]
        if isinstance(below.operation, LocalSource):
            return await self._listed(below, part)
        return await self.recipe(below.digest)

    async def _listed(self, vertex: Vertex[Range], part: Part) -> Digest:
        await self.result(vertex.digest)
        assert isinstance(vertex.operation, LocalSource)
        listing = await (await self.sources.directory(vertex.operation)).listing()
        return of_listing(listing, part, excluding(part.exclude))

    def _is_fresh(self, digest: Digest) -> bool:
        """Tell whether a result, or one that it stands on, is to be made anew."""
        return any(vertex.fresh for vertex in self.graph.needed([digest]))

    async def _result(self, digest: Digest) -> Result:
        vertex = self.graph[digest]
        match vertex.operation:
            case Exec() | FileActions():
                try:
                    return await self._step(vertex, vertex.operation)
                except (InvalidArgumentError, NotFoundError) as error:
                    # Of the files that it is about, or a malformed pattern.
                    raise self.steps.refused(vertex, error) from error
            case Merge():
                return await self._merged(vertex)
            case ImageSource(layers=layers):
                found = tuple(map(Digest.parse, layers))
                self.report.finish(digest, cached=True, layers=found)
                return Result(found, (0,) * len(found), ("",) * len(found))
            case source:
                return await self._source(vertex, source)

    async def _source(self, vertex: Vertex[Range], source: Source) -> Result:
        self.report.start(vertex.digest)
        try:
            if isinstance(source, LocalSource):
                result = Result(directory=(await self.sources.directory(source)).path)
            else:
                result = await self.sources.fetch(source)
        except BaseException as error:
            self.report.finish(vertex.digest, error=_said(error))
            raise
        self.report.finish(vertex.digest)
        return result

    async def _merged(self, vertex: Vertex[Range]) -> Result:
        inputs = await asyncio.gather(*map(self.result, vertex.inputs))
        layers = tuple(layer for result in inputs for layer in result.layers)
        times = tuple(time for result in inputs for time in result.times)
        copied = tuple(kind for result in inputs for kind in result.copied)
        self.report.start(vertex.digest)
        self.report.finish(vertex.digest, layers=layers)
        return Result(layers, times, copied)

    async def _step(self, vertex: Vertex[Range], operation: Step) -> Result:
        cache, fresh = self.ground.cache, self._is_fresh(vertex.digest)
        recipe = await self.recipe(vertex.digest)
        if not fresh and (record := cache.find(recipe)) is not None:
            return self._found(vertex, cache.used(record))
        inputs = await asyncio.gather(*map(self.result, vertex.inputs))
        contents = [await self._content(vertex, part, inputs) for part in parts(operation)]
        content = content_key(operation, contents, self.date)
        if not vertex.fresh and (record := cache.find(content)) is not None:
            return self._found(vertex, cache.used(record, recipe))
        async with self._turn(vertex, content) as turn:
            if not vertex.fresh and (record := cache.find(content)) is not None:
                return self._found(vertex, cache.used(record, recipe))
            with self.report.sharing(vertex.digest, turn.say):
                return await self._run(vertex, operation, inputs, (recipe, content), contents)

    @asynccontextmanager
    async def _turn(self, vertex: Vertex[Range], content: Digest) -> AsyncIterator[Turn]:
        """Wait for another build that is at this step, and show what it shows."""
        turns, digest = self.ground.turns, vertex.digest
        if vertex.fresh or not turns.is_taken(content):
            async with turns.turn(content) as turn:
                yield turn
            return
        self.report.start(digest)
        try:
            async with turns.turn(content, partial(self.report.log, digest)) as turn:
                yield turn
        except BaseException as error:
            self.report.settle(digest, error=_said(error))
            raise
        record = self.ground.cache.find(content)
        layers = () if record is None else _as_result(record).layers
        self.report.settle(digest, layers=layers)

    async def _content(self, vertex: Vertex[Range], part: Part, inputs: Sequence[Result]) -> Digest:
        """Return what an input has in it, as far as it decides."""
        result, below = inputs[part.input], self.graph[vertex.inputs[part.input]]
        if isinstance(below.operation, LocalSource):
            return await self._listed(below, part)
        if result.key is not None:
            return result.key
        if part.whole:
            return layers_key(result.stack)
        opaque, ignore = self.ground.storage.snapshots.opaque, excluding(part.exclude)
        return await asyncio.to_thread(of_layers, self._directories(result), opaque, part, ignore)

    def _found(self, vertex: Vertex[Range], record: CacheRecord) -> Result:
        """Take an earlier result, and say of all below it that nobody had to look at them."""
        layers = tuple(map(Digest.parse, record.layers))
        for layer in layers:
            self.lease.hold(layer)
        for below in self.graph.needed([vertex.digest]):
            looked_at = ("result", below.digest) in self._tasks and below is not vertex
            if not looked_at and not self.report.is_told(below.digest):
                mine = layers if below is vertex else ()
                self.report.finish(below.digest, cached=True, layers=mine)
        return _as_result(record)

    async def _run(
        self,
        vertex: Vertex[Range],
        operation: Step,
        inputs: Sequence[Result],
        keys: tuple[Digest, Digest],
        contents: Sequence[Digest],
    ) -> Result:
        if self.explain is not None:
            self.explain.miss(vertex, operation, contents)
        root = Result() if operation.root is None else inputs[operation.root]
        kind = await self._copied(vertex, operation, inputs, contents)
        found = await self._of_image(vertex, root, kind)
        layer = found[0] if found else await self._carried_out(vertex, inputs)
        at_ns = found[1] if found else self.ground.clock.now_ns()
        record = await self.ground.cache.add(
            CacheRecord(
                id="",
                description=vertex.name,
                layers=(*map(str, root.layers), layer.diff_id),
                times=(*root.times, at_ns),
                copied=(*root.copied, kind),
                keys=tuple(map(str, keys)),
                created_ns=0,
                own=layer.diff_id,
                size=layer.size,
                parent=root.record,
                step=str(definition(operation)),
                inputs=_named(operation, contents),
            )
        )
        result = _as_result(record)
        self.report.finish(vertex.digest, cached=found is not None, layers=result.layers)
        return result

    async def _of_image(
        self, vertex: Vertex[Range], root: Result, copied: str
    ) -> tuple[Layer, int] | None:
        """Return the layer that an image has for a step, and its time."""
        if self.of_images is None or vertex.fresh:
            return None
        found = self.of_images.find(vertex, root, copied)
        if found is None:
            return None
        store = self.ground.storage.layers
        layer = store.find(found.layer)
        if layer is None and found.layer == EMPTY_LAYER:
            layer = await in_thread(lambda: store.unpack([EMPTY_TAR], self.lease))
        if layer is None:
            return None
        self.lease.hold(found.layer)
        return layer, found.at_ns

    async def _copied(
        self,
        vertex: Vertex[Range],
        operation: Step,
        inputs: Sequence[Result],
        contents: Sequence[Digest],
    ) -> str:
        """Say what is copied: its kind, and a digest of it and of how it is copied."""
        found: list[str] = []
        for part in parts(operation) if isinstance(operation, FileActions) else ():
            below = self.graph[vertex.inputs[part.input]].operation
            if part.whole:
                continue
            if isinstance(below, LocalSource):
                listing = await (await self.sources.directory(below)).listing()
                found += kinds_in_listing(listing, part)
            elif inputs[part.input].directory:
                found.append("file")
            else:
                directories = self._directories(inputs[part.input])
                opaque = self.ground.storage.snapshots.opaque
                found += await asyncio.to_thread(kinds_in_layers, directories, opaque, part)
        if not found:
            return ""
        copied = [
            each for part, each in zip(parts(operation), contents, strict=True) if not part.whole
        ]
        kind = found[0] if len(found) == 1 else "multi"
        return f"{kind}:{combined('copied', operation, copied).hex}"

    def _directories(self, result: Result) -> list[str]:
        layers = self.ground.storage.layers
        return [layers.diff_directory(layer) for layer in reversed(result.stack)]

    async def _carried_out(self, vertex: Vertex[Range], inputs: Sequence[Result]) -> Layer:
        try:
            self.report.start(vertex.digest)
            return await self.steps.carry_out(vertex, inputs)
        except BaseException as error:
            self.report.finish(vertex.digest, error=_said(error))
            raise


def _as_result(record: CacheRecord) -> Result:
    layers = tuple(map(Digest.parse, record.layers))
    return Result(layers, record.times, record.copied, record=record.id)


def _named(operation: Step, contents: Sequence[Digest]) -> tuple[tuple[str, str], ...]:
    """Name what an operation used, for people."""
    found = []
    for part, content in zip(parts(operation), contents, strict=True):
        found.append((" ".join(part.paths) or "the files so far", str(content)))
    return tuple(found)


def _said(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "canceled"
    return str(error) or type(error).__name__
