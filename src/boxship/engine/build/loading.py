"""Bring the Dockerfile, what it includes, and ``.dockerignore`` here, and read them."""

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from hashlib import sha256
from itertools import count

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.base.files import opened
from boxship.dockerfile.errors import DockerfileError, IncludesWantedError
from boxship.dockerfile.ignore import patterns_in
from boxship.dockerfile.instructions import Dockerfile
from boxship.dockerfile.parsing import parse
from boxship.dockerfile.places import Range
from boxship.engine.build.clientside import ClientSide, Selection
from boxship.engine.build.contexts import Contexts
from boxship.engine.build.failures import InvalidDockerfileError, Place
from boxship.engine.build.progress import LineRange, SourceText
from boxship.engine.build.reporting import Reporter
from boxship.engine.build.requests import (
    CONTEXT,
    BuildRequest,
    ClientDirectory,
    ContextSource,
    DaemonDirectory,
    DockerfileText,
)
from boxship.kernel.paths import RESOLVE_IN_ROOT, openat2
from boxship.oci.digest import Digest

_LARGEST = 16 << 20
_IGNORE = ".dockerignore"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A Dockerfile that was read, with the patterns of what the context leaves out."""

    dockerfile: Dockerfile
    source: SourceText
    ignored: tuple[str, ...]
    vertex: Digest

    def place(self, where: Range) -> Place:
        """Return a place of it, or of a file that it includes."""
        source = self.source
        for name, text in self.dockerfile.files:
            if name == where.file:
                source = SourceText(name, text.encode())
        return Place(source, (LineRange(where.line_start, where.line_end),))


@dataclass(frozen=True, slots=True)
class Loader:
    """Reads what one build begins with."""

    request: BuildRequest
    client: ClientSide
    contexts: Contexts
    report: Reporter

    async def load(self) -> Loaded:
        """Return the Dockerfile. InvalidDockerfileError: it is malformed; NotFoundError: it is not
        there."""
        wanted = self.request.dockerfile
        files: Mapping[str, bytes] = {}
        if isinstance(wanted, DockerfileText):
            name, content = wanted.name, wanted.content
        else:
            name = wanted.path
            source = wanted.source or self.request.context
            files = await self._fetched(
                f"load build definition from {name}",
                source,
                (name, name.lower(), f"{name}.dockerignore"),
            )
            found = files.get(name, files.get(name.lower()))
            if found is None:
                raise self._absent(name)
            content = found
        vertex = self._vertex(f"load build definition from {name}")
        text = SourceText(name, content)
        dockerfile = await self._parsed(content, name, text)
        # The classic builder knows the context's own alone.
        own = None if self.request.classic else files.get(f"{name}.dockerignore")
        if own is None:
            context = await self._fetched("load .dockerignore", self.request.context, (_IGNORE,))
            own = context.get(_IGNORE, b"")
        ignored = tuple(patterns_in(own.decode("utf-8", "replace")))
        return Loaded(dockerfile, text, ignored, vertex)

    def _absent(self, name: str) -> Exception:
        if self.request.classic:
            return InvalidArgumentError(f"Cannot locate specified Dockerfile: {name}")
        return NotFoundError(f"failed to read dockerfile: open {name}: no such file or directory")

    async def _parsed(self, content: bytes, name: str, text: SourceText) -> Dockerfile:
        included: dict[str, str | bytes] = {}
        for _ in count():
            try:
                return parse(content, name, included=included)
            except IncludesWantedError as error:
                wanted = self.request.dockerfile
                source = self.request.context
                if not isinstance(wanted, DockerfileText):
                    source = wanted.source or source
                paths = tuple(error.names)
                included |= await self._fetched(f"load {', '.join(paths)}", source, paths)
                missing = [path for path in paths if path not in included]
                if missing:
                    raise InvalidDockerfileError(
                        f"INCLUDE: no such file: {missing[0]}", _place(text, error.where)
                    ) from error
            except DockerfileError as error:
                inner = included.get(error.where.file)
                at = SourceText(error.where.file, inner) if isinstance(inner, bytes) else text
                raise InvalidDockerfileError(str(error), _place(at, error.where)) from error
        raise AssertionError

    async def _fetched(
        self, title: str, source: ContextSource, paths: tuple[str, ...]
    ) -> Mapping[str, bytes]:
        """Return those of some files that there are."""
        vertex = self._vertex(title)
        self.report.announce(vertex, f"[internal] {title}")
        self.report.start(vertex)
        try:
            found = await self._read(source, paths)
        except BaseException as error:
            self.report.finish(vertex, error=str(error) or "canceled")
            raise
        self.report.finish(vertex)
        return found

    async def _read(self, source: ContextSource, paths: tuple[str, ...]) -> dict[str, bytes]:
        if isinstance(source, DaemonDirectory):
            return _contents(source.path, paths)
        if not isinstance(source, ClientDirectory):
            return {}
        async with AsyncExitStack() as stack:
            selection = Selection(include=paths)
            purpose = "ignore" if source.name == CONTEXT and paths == (_IGNORE,) else "definition"
            try:
                directory = await stack.enter_async_context(
                    self.contexts.opened(self.client, source.name, selection, purpose=purpose)
                )
            except NotFoundError:
                return {}
            return _contents(directory.path, paths)

    def _vertex(self, title: str) -> Digest:
        return Digest("sha256", sha256(f"{self.request.reference} {title}".encode()).hexdigest())


def _place(text: SourceText, where: Range) -> Place | None:
    if not where.line_start:
        return None
    return Place(text, (LineRange(where.line_start, where.line_end),))


def _contents(directory: str, paths: tuple[str, ...]) -> dict[str, bytes]:
    """Read files of a directory; a link in it leads nowhere outside."""
    found: dict[str, bytes] = {}
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    with opened(directory, os.O_RDONLY | os.O_DIRECTORY) as root:
        for path in paths:
            try:
                fd = openat2(root, path.lstrip("/"), flags, RESOLVE_IN_ROOT)
            except OSError:
                continue
            with os.fdopen(fd, "rb") as stream:
                if not os.path.isdir(f"/proc/self/fd/{fd}"):
                    found[path] = stream.read(_LARGEST + 1)
    return found
