"""The engine opened inside the test, without a daemon around it, and clients' connections to it."""

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from boxship.engine.containers.requests import (
    AttachRequest,
    ContainerQuery,
    CreateContainer,
    DetachedStream,
    ExecConfig,
    LogQuery,
)
from boxship.engine.engine import Engine
from boxship.engine.settings import EngineSettings, NetworkSettings
from boxship.model.container import ContainerConfig, HostConfig
from boxship.runtime.cgroups.layout import host_layout
from support.images.catalog import ensure

PATIENCE = 20.0


class Place:
    """A data root and an exec root of the test's own; outlives engines opened on it."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="bx-", dir="/tmp"))
        self.settings = self.settings_of(self.home)

    @staticmethod
    def settings_of(home: Path) -> EngineSettings:
        """Return the settings of an engine in ``home``."""
        return EngineSettings(
            data_root=f"{home}/data",
            exec_root=f"{home}/exec",
            cgroup_parent=f"/{home.name}",
            networks=NetworkSettings(bridge="none"),
        )

    def close(self) -> None:
        """Remove it, and the parent of its cgroups, which nobody may be in any more."""
        layout = host_layout()
        mounts = [hierarchy.mount for hierarchy in layout.hierarchies]
        for mount in [*mounts, layout.unified]:
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(f"{mount}{self.settings.cgroup_parent}")
        # The store deletes in the background, and may be deleting the same files just now.
        for _ in range(20):
            shutil.rmtree(self.home, ignore_errors=True)
        assert not self.home.exists(), f"{self.home} cannot be removed"

    def names(self, directory: str) -> list[str]:
        """List a directory of the place; a missing one is empty."""
        path = self.home / directory
        return sorted(os.listdir(path)) if path.exists() else []

    def remains(self) -> list[str]:
        """What containers have left here."""
        return [
            f"{directory}/{name}"
            for directory in ("data/containers", "data/snapshots", "exec/c", "exec/shm")
            for name in self.names(directory)
        ]


@contextlib.asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Engine]:
    """Open the engine on a place, with busybox loaded."""
    engine = await Engine.open(place.settings)
    try:
        if engine.images.count() == 0:
            async for _ in engine.images.load(_chunks(ensure("busybox"))):
                pass
        yield engine
    finally:
        await engine.close()


@contextlib.asynccontextmanager
async def engine_of_its_own() -> AsyncIterator[tuple[Engine, Place]]:
    """An engine on a fresh place; what it still holds at the end is removed, and checked."""
    place = Place()
    try:
        async with opened(place) as engine:
            try:
                yield engine, place
            finally:
                await remove_all(engine)
        assert place.remains() == [], "the engine left something behind"
    finally:
        place.close()


async def remove_all(engine: Engine) -> None:
    """Remove every container."""
    for record in engine.containers.list(ContainerQuery(all=True)):
        await engine.containers.remove(record.id, force=True)


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk


async def make(
    engine: Engine,
    *cmd: str,
    host: HostConfig | None = None,
    name: str | None = None,
    **config: object,
) -> str:
    """Create a busybox container; ``config`` are fields of its config."""
    wanted = ContainerConfig(image="busybox", cmd=cmd, **config)  # type: ignore[arg-type]
    created = await engine.containers.create(CreateContainer(wanted, host or HostConfig(), name))
    return created.id


async def run(engine: Engine, *cmd: str, **more: object) -> str:
    """Create a container and start it."""
    container = await make(engine, *cmd, **more)  # type: ignore[arg-type]
    await engine.containers.start(container)
    return container


async def outcome(engine: Engine, container: str) -> int:
    """Wait until it doesn't run; return its exit code."""
    waiting = await engine.containers.wait(container)
    return (await asyncio.wait_for(waiting, PATIENCE)).exit_code


async def output(engine: Engine, container: str, **query: object) -> str:
    """Return what it has logged."""
    text = []
    wanted = LogQuery(**query)  # type: ignore[arg-type]
    async with contextlib.aclosing(engine.containers.logs(container, wanted)) as batches:
        async for batch in batches:
            text += [line.log for line in batch]
    return "".join(text)


async def said(engine: Engine, *cmd: str, **more: object) -> str:
    """Run a command in a container of its own and return what it says."""
    container = await run(engine, *cmd, **more)
    await outcome(engine, container)
    text = await output(engine, container)
    await engine.containers.remove(container)
    return text


class Client:
    """A client's connection: hand it to the engine, keep the other end."""

    def __init__(self, prefix: bytes = b"") -> None:
        self._ours, self._theirs = socket.socketpair()
        self._prefix = prefix
        self._ours.setblocking(False)
        self.detached = False

    async def detach(self) -> DetachedStream:
        self.detached = True
        return DetachedStream(self._theirs.detach(), self._prefix)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._ours, data)

    def end_input(self) -> None:
        self._ours.shutdown(socket.SHUT_WR)

    async def receive(self) -> bytes:
        """Return the next bytes; empty at the end."""
        receiving = asyncio.get_running_loop().sock_recv(self._ours, 1 << 16)
        try:
            return await asyncio.wait_for(receiving, PATIENCE)
        except ConnectionResetError:
            return b""

    async def receive_all(self) -> bytes:
        data = b""
        while chunk := await self.receive():
            data += chunk
        return data

    async def receive_until(self, end: bytes) -> bytes:
        data = b""
        while end not in data:
            chunk = await self.receive()
            assert chunk, f"the stream ended after {data!r}"
            data += chunk
        return data

    def close(self) -> None:
        self._ours.close()
        if not self.detached:
            self._theirs.close()


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """Take a multiplexed stream apart."""
    found = []
    while data:
        length = int.from_bytes(data[4:8], "big")
        found.append((data[0], data[8 : 8 + length]))
        data = data[8 + length :]
    return found


def text_of(data: bytes, stream: int = 1) -> str:
    """Return what one stream of a multiplexed one says."""
    return b"".join(payload for number, payload in frames(data) if number == stream).decode()


async def attached(engine: Engine, container: str, client: Client, **wanted: object) -> None:
    """Attach a client to everything, live, unless told otherwise."""
    fields: dict[str, object] = {"stdout": True, "stderr": True, "stream": True, **wanted}
    await engine.containers.attach(container, AttachRequest(**fields), client)  # type: ignore[arg-type]


async def executed(engine: Engine, container: str, *cmd: str, **config: object) -> tuple[str, int]:
    """Run an exec to its end; return its output and exit code."""
    wanted = ExecConfig(cmd=cmd, attach_stdout=True, attach_stderr=True, **config)  # type: ignore[arg-type]
    exec_id = await engine.containers.exec_create(container, wanted)
    client = Client()
    try:
        await engine.containers.exec_start(exec_id, stream=client)
        data = await client.receive_all()
    finally:
        client.close()
    view = await exec_ended(engine, exec_id)
    return (data.decode() if wanted.tty else text_of(data)), view


async def exec_ended(engine: Engine, exec_id: str) -> int:
    """Wait for an exec's end; return its exit code."""
    await until(lambda: engine.containers.exec_inspect(exec_id).exit_code is not None)
    code = engine.containers.exec_inspect(exec_id).exit_code
    assert code is not None
    return code


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until something that announces itself to nobody has come about."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = condition()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.005)
