"""Builds without a door: an engine in this process, and a client that is a directory."""

import asyncio
import contextlib
import os
import shutil
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boxship.dockerfile.ignore import ignore
from boxship.engine.build.clientside import NoClient, Selection, Synced
from boxship.engine.build.progress import ProgressEvent, Vertex, VertexLog
from boxship.engine.build.requests import (
    BuildRequest,
    BuildResult,
    DockerfileText,
    ImageOutput,
)
from boxship.engine.engine import Engine
from boxship.oci.reference import parse
from support.opened import Place, opened, until


@dataclass
class LocalClient(NoClient):
    """A client whose files are in a directory, and whose secrets are in memory."""

    directory: Path
    identity: str = "a client"
    secrets: dict[str, bytes] = field(default_factory=dict)
    synced: list[str] = field(default_factory=list)
    """Paths that travelled."""
    files: dict[str, bytes] = field(default_factory=dict)
    received: dict[str, Path] = field(default_factory=dict)
    others: dict[str, Path] = field(default_factory=dict)
    """Further directories, by name."""

    async def sync(
        self, name: str, selection: Selection, target: str, *_: object, **__: object
    ) -> Synced:
        wanted = self._selected(self.others.get(name, self.directory), selection)
        before = len(self.synced)
        removed = self._make_equal(Path(target), wanted)
        return Synced(frozenset([*self.synced[before:], *removed]))

    def _selected(self, directory: Path, selection: Selection) -> dict[str, Path]:
        left_out = ignore(selection.exclude)
        found = {str(p.relative_to(directory)): p for p in sorted(directory.rglob("*"))}
        return {
            name: path
            for name, path in found.items()
            if not left_out.leaves_out(name)
            and (not selection.include or name in selection.include)
        }

    def _make_equal(self, there: Path, wanted: Mapping[str, Path]) -> list[str]:
        removed = []
        for path in sorted(there.rglob("*"), reverse=True):
            if str(path.relative_to(there)) not in wanted:
                removed.append(str(path.relative_to(there)))
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        for relative, path in wanted.items():
            self._bring(path, there / relative, relative)
        return removed

    def _bring(self, path: Path, place: Path, relative: str) -> None:
        if path.is_dir() and not path.is_symlink():
            if not place.is_dir():
                self.synced.append(relative)
            place.mkdir(parents=True, exist_ok=True)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists() and _facts(place) == _facts(path):
            return
        self.synced.append(relative)
        shutil.copy2(path, place, follow_symlinks=False)

    async def secret(self, identifier: str) -> bytes | None:
        return self.secrets.get(identifier)

    async def send_file(self, chunks: AsyncIterator[bytes], metadata: Mapping[str, str]) -> None:
        self.files[metadata.get("id", "")] = b"".join([chunk async for chunk in chunks])

    async def send_directory(self, directory: str, metadata: Mapping[str, str]) -> None:
        place = self.directory.parent / f"received-{len(self.received)}"
        shutil.copytree(directory, place, symlinks=True)
        self.received[metadata.get("id", "")] = place


def _facts(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_mode, found.st_size


@dataclass
class Told:
    """What a build has told."""

    events: list[ProgressEvent] = field(default_factory=list)

    def __call__(self, event: ProgressEvent) -> None:
        self.events.append(event)

    @property
    def vertices(self) -> dict[str, Vertex]:
        """The last word about each vertex, by name."""
        return {event.name: event for event in self.events if isinstance(event, Vertex)}

    def ran(self) -> list[str]:
        """The instructions that were carried out, without their numbers, in order of starting."""
        found = [v for v in self.vertices.values() if not v.cached and v.started_ns]
        found.sort(key=lambda vertex: vertex.started_ns or 0)
        names = [vertex.name.partition("] ")[2] for vertex in found]
        return [name for name in names if name.startswith(("RUN", "COPY", "ADD", "WORKDIR"))]

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def log(self, text: str = "") -> str:
        """What the steps with `text` in their names wrote."""
        wanted = {v.digest for v in self.vertices.values() if text in v.name}
        logs = [event for event in self.events if isinstance(event, VertexLog)]
        return b"".join(log.data for log in logs if log.vertex in wanted).decode()


class Workshop:
    """An engine in this process that builds; `do` runs its loop while it works on something."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.place = Place()
        self._stack = contextlib.AsyncExitStack()
        self.told = Told()
        self.open()
        self.do(self._all_threads())

    def open(self) -> None:
        """Open the engine."""
        self.engine: Engine = self.loop.run_until_complete(
            self._stack.enter_async_context(opened(self.place))
        )

    def do(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, 40))

    async def _all_threads(self) -> None:
        """Have every thread there that an engine starts late: it stays for the next test."""
        self.loop.set_default_executor(ThreadPoolExecutor(2))
        both = threading.Barrier(2)
        await asyncio.gather(asyncio.to_thread(both.wait), asyncio.to_thread(both.wait))
        await until(lambda: any(t.name.startswith("events") for t in threading.enumerate()))

    def settle(self) -> None:
        """Wait until nothing of any step is left, neither at work nor on the disk."""
        chores = self.engine._context.background._chores
        self.do(until(lambda: not chores and self.place.remains() == []))

    def reopen(self) -> None:
        """Close the engine and open another one on the same data."""
        self.settle()
        self.loop.run_until_complete(self._stack.aclose())
        self._stack = contextlib.AsyncExitStack()
        self.open()

    def close(self) -> None:
        self.loop.run_until_complete(self._stack.aclose())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.place.close()

    def starting(
        self, text: str, client: LocalClient, *, name: str = "", **more: Any
    ) -> Awaitable[BuildResult]:
        """Begin a build of a Dockerfile's text; what it tells is in `told`."""
        self.told = Told()
        names = (parse(name).with_default_tag(),) if name else ()
        more.setdefault("outputs", (ImageOutput(names),))
        more.setdefault("network", "none")
        request = BuildRequest(dockerfile=DockerfileText(text.encode()), **more)
        return self.engine.builds.build(request, client, self.told)

    def build(self, text: str, client: LocalClient, **more: Any) -> BuildResult:
        result: BuildResult = self.do(self.starting(text, client, **more))
        return result


@contextlib.contextmanager
def workshop() -> Iterator[Workshop]:
    """Own an engine that builds."""
    shop = Workshop()
    try:
        yield shop
    finally:
        shop.close()


def write(directory: Path, **files: str) -> None:
    """Write files; `__` in a name is a slash, `_dot_` a dot."""
    for name, text in files.items():
        path = directory / name.replace("__", "/").replace("_dot_", ".")
        os.makedirs(path.parent, exist_ok=True)
        path.write_text(text)
