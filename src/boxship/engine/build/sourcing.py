"""Where the files of one build come from: contexts, and what is fetched from elsewhere."""

import asyncio
import os
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial

from boxship.base.errors import InvalidArgumentError, NotImplementedYetError
from boxship.dockerfile.ignore import Decision, Ignore, ignore
from boxship.dockerfile.places import Range
from boxship.engine.build.clientside import ClientSide, Selection
from boxship.engine.build.contexts import Context, Contexts
from boxship.engine.build.progress import VertexStatus
from boxship.engine.build.remote import Remote
from boxship.engine.build.reporting import Reporter
from boxship.engine.build.requests import (
    CONTEXT,
    BuildRequest,
    ClientDirectory,
    DaemonDirectory,
    RemoteSource,
)
from boxship.engine.build.results import Result
from boxship.oci.digest import Digest
from boxship.solver.graph import Graph
from boxship.solver.keys import parts
from boxship.solver.operations import GitSource, HttpSource, LocalSource, Source
from boxship.storage.deleting import delete_tree


@dataclass(slots=True)
class BuildSources:
    """Belongs to one build; what it opens stays open as long as ``stack`` does."""

    request: BuildRequest
    client: ClientSide
    contexts: Contexts
    remote: Remote
    stack: AsyncExitStack
    report: Reporter
    graph: Graph[Range] = field(default_factory=Graph)
    whole: frozenset[Digest] = frozenset()
    """Vertices of contexts that are wanted with all that is in them."""
    opened: dict[str, Context] = field(default_factory=dict)
    _turn: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def directory(self, source: LocalSource) -> Context:
        """Return a context, brought here once."""
        async with self._turn.setdefault(source.name, asyncio.Lock()):
            if source.name not in self.opened:
                self.opened[source.name] = await self._open(source)
            return self.opened[source.name]

    async def _open(self, source: LocalSource) -> Context:
        where: object = self.request.context
        if source.name != CONTEXT:
            named = {name.lower(): each for name, each in self.request.contexts.items()}
            where = named[source.name.lower()]
        if isinstance(where, RemoteSource):
            where = await self.remote.context(where)
        if isinstance(where, DaemonDirectory):
            if source.exclude:
                await asyncio.to_thread(_remove_ignored, where.path, ignore(source.exclude))
            return Context(where.path)
        if isinstance(where, ClientDirectory):
            selection = Selection(exclude=source.exclude, follow=self._wanted(source))
            told = partial(self._told, source, self.report.clock.now_ns())
            opened = self.contexts.opened(self.client, where.name, selection, transferred=told)
            return await self.stack.enter_async_context(opened)
        raise InvalidArgumentError(f"context {source.name}: no directory")

    def _told(self, source: LocalSource, started_ns: int, done: int) -> None:
        """Say how many bytes of a context have come."""
        for vertex in self.graph:
            if vertex.operation == source:
                now, name = self.report.clock.now_ns(), "transferring context:"
                self.report.event(VertexStatus(name, vertex.digest, name, done, 0, now, started_ns))

    def _wanted(self, source: LocalSource) -> tuple[str, ...]:
        """Return the paths that steps take of a context; empty for all of it."""
        paths: set[str] = set()
        for vertex in self.graph:
            if vertex.digest in self.whole and vertex.operation == source:
                return ()
            for part in parts(vertex.operation):
                if self.graph[vertex.inputs[part.input]].operation == source:
                    if part.whole:
                        return ()
                    paths.update(path.replace("/./", "/").strip("/") for path in part.paths)
        return () if "" in paths else tuple(sorted(paths))

    async def key(self, source: Source) -> Digest:
        """Return what decides of a remote source."""
        return await self.remote.key(_remote(source))

    async def fetch(self, source: Source) -> Result:
        """Return the files of a remote source."""
        return await self.remote.fetch(_remote(source))


def _remote(source: Source) -> HttpSource | GitSource:
    if not isinstance(source, HttpSource | GitSource):
        raise NotImplementedYetError(f"{type(source).__name__}: not there yet")
    return source


def _remove_ignored(root: str, patterns: Ignore) -> None:
    """Take out of a context what ``.dockerignore`` leaves out, as if it had not been sent."""
    _remove_within(root, "", patterns, None)


def _remove_within(root: str, below: str, patterns: Ignore, above: Decision | None) -> None:
    for entry in _entries(os.path.join(root, below)):
        path = f"{below}{entry.name}"
        decision = patterns.decide(path, above)
        is_directory = entry.is_dir(follow_symlinks=False)
        if not decision.left_out:
            if is_directory:
                _remove_within(root, f"{path}/", patterns, decision)
        elif not is_directory:
            os.unlink(entry.path)
        elif patterns.may_take_within(path):
            _remove_within(root, f"{path}/", patterns, decision)
            if not os.listdir(entry.path):
                os.rmdir(entry.path)
        else:
            delete_tree(entry.path)


def _entries(directory: str) -> Iterable["os.DirEntry[str]"]:
    with os.scandir(directory) as found:
        return list(found)
