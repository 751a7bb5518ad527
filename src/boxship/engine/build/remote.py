"""Files from elsewhere: by HTTP, from git, and contexts that are one of these."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from urllib.parse import urlsplit

from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.agents import relayed
from boxship.engine.build.clientside import ClientSide
from boxship.engine.build.downloads import Downloads
from boxship.engine.build.planning.filesteps import git_source, is_git
from boxship.engine.build.requests import (
    ContextSource,
    DaemonDirectory,
    DockerfileText,
    RemoteSource,
)
from boxship.engine.build.results import Result
from boxship.engine.build.sources import git, web
from boxship.engine.build.temporary import temporary
from boxship.engine.build.uploads import Uploads
from boxship.oci.digest import Digest
from boxship.solver.operations import GitSource, HttpSource
from boxship.storage.chunks import CHUNK
from boxship.storage.storage import Storage

_TAR_AT, _TAR_MAGIC = 257, b"ustar"
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_FILE = "file"


@dataclass(slots=True)
class Remote:
    """What one build fetches; it is there as long as ``stack`` is."""

    storage: Storage
    client: ClientSide
    stack: AsyncExitStack
    downloads: Downloads
    _fetched: dict[HttpSource | GitSource, asyncio.Task[Result]] = field(default_factory=dict)
    _commits: dict[GitSource, asyncio.Task[str]] = field(default_factory=dict)

    async def key(self, source: HttpSource | GitSource) -> Digest:
        """Return what decides of the files, with as little of them as possible."""
        if isinstance(source, GitSource):
            return _git_key(source, await self._commit(source))
        if source.checksum:
            return _http_key(source, source.checksum)
        result = await self.fetch(source)
        assert result.key is not None
        return result.key

    async def fetch(
        self, source: HttpSource | GitSource, told: Callable[[str], None] = lambda _: None
    ) -> Result:
        """Return the files, fetched once."""
        task = self._fetched.get(source)
        if task is None:
            work = self._git(source) if isinstance(source, GitSource) else self._http(source)
            task = self._fetched[source] = asyncio.create_task(work)
            self.stack.push_async_callback(_ended, task)
        return await asyncio.shield(task)

    async def _http(self, source: HttpSource) -> Result:
        place = temporary(self.storage.root, self.storage.disposal)
        directory = await self.stack.enter_async_context(place)
        allowed = await self._authorization(urlsplit(source.url).netloc)
        found = await web.fetch(source, directory, lambda *_: None, allowed, self.downloads)
        return Result(directory=directory, key=_http_key(source, str(found)))

    async def _authorization(self, host: str) -> str:
        """Return what the client's secrets for a host say, as BuildKit names them."""
        header = await self.client.secret(f"HTTP_AUTH_HEADER_{host}") or b""
        token = await self.client.secret(f"HTTP_AUTH_TOKEN_{host}") or b""
        bearer = f"Bearer {token.decode().strip()}" if token else ""
        return header.decode().strip() or bearer

    async def _git(self, source: GitSource) -> Result:
        place = temporary(self.storage.root, self.storage.disposal)
        directory = await self.stack.enter_async_context(place)
        async with self._access(source) as access:
            commit = await git.fetch(source, directory, lambda *_: None, access)
        return Result(directory=directory, key=_git_key(source, commit))

    async def _commit(self, source: GitSource) -> str:
        task = self._commits.get(source)
        if task is None:
            task = self._commits[source] = asyncio.create_task(self._asked(source))
            self.stack.push_async_callback(_ended, task)
        return await asyncio.shield(task)

    async def _asked(self, source: GitSource) -> str:
        async with self._access(source) as access:
            return await git.commit_of(source, access)

    @asynccontextmanager
    async def _access(self, source: GitSource) -> AsyncIterator[git.Access]:
        """Have what the client's secrets of the usual names allow, a host's own first, and its
        agent."""
        host = urlsplit(source.remote).hostname or ""
        token = await self._secret("GIT_AUTH_TOKEN", host)
        access = git.Access(token=token, header=await self._secret("GIT_AUTH_HEADER", host))
        agent = await self.client.ssh("default")
        if agent is None:
            yield access
            return
        with tempfile.TemporaryDirectory(prefix="boxship-agent-") as directory:
            path = f"{directory}/socket"
            async with relayed(agent, path):
                yield replace(access, agent=path)

    async def _secret(self, name: str, host: str) -> str:
        own = await self.client.secret(f"{name}.{host}") if host else None
        found = await self.client.secret(name) if own is None else own
        return (found or b"").decode(errors="replace").strip()

    async def context(
        self, source: RemoteSource, *, keep_git: bool = False
    ) -> ContextSource | DockerfileText:
        """Bring a remote context here. What is no archive is a Dockerfile itself."""
        if is_git(source.url):
            result = await self.fetch(git_source(source.url, keep_git=keep_git))
            return DaemonDirectory(result.directory)
        if not source.url.startswith(("http://", "https://")):
            raise InvalidArgumentError(f"{source.url}: a context is a git or http(s) address")
        result = await self.fetch(HttpSource(source.url, filename=_FILE))
        path = os.path.join(result.directory, _FILE)
        if not await asyncio.to_thread(_is_archive, path):
            return DockerfileText(await asyncio.to_thread(_content, path))
        uploads = Uploads(self.storage)
        unpacked = await self.stack.enter_async_context(uploads.unpacked(_chunks(path)))
        return DaemonDirectory(unpacked)


async def _ended(task: "asyncio.Task[object]") -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()


def _http_key(source: HttpSource, content: str) -> Digest:
    return Digest("sha256", sha256(f"http {source.filename} {content}".encode()).hexdigest())


def _git_key(source: GitSource, commit: str) -> Digest:
    what = f"git {commit} {source.subdirectory} {source.keep_git_directory} {source.submodules}"
    return Digest("sha256", sha256(what.encode()).hexdigest())


def _is_archive(path: str) -> bool:
    with open(path, "rb") as stream:
        beginning = stream.read(512)
    return beginning.startswith(_PACKED) or beginning[_TAR_AT:].startswith(_TAR_MAGIC)


def _content(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


async def _chunks(path: str) -> AsyncIterator[bytes]:
    stream = await asyncio.to_thread(open, path, "rb")
    try:
        while data := await asyncio.to_thread(stream.read, CHUNK):
            yield data
    finally:
        stream.close()
