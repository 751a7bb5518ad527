"""Managed plugins of which there is one, that remembers what it is asked."""

from __future__ import annotations  # FakeManaged.list and .set hide the builtins

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

from boxship.base.errors import ConflictError, NotFoundError
from boxship.distribution.credentials import Credentials
from boxship.engine.managed.installing import PullPlugin
from boxship.engine.managed.privileges import Privilege
from boxship.engine.managed.record import PluginRecord
from boxship.engine.managed.settings import initial
from boxship.model.image import (
    LayerTransfer,
    PushBegun,
    TransferBegun,
    TransferDigest,
    TransferEvent,
    TransferPhase,
)
from boxship.oci.plugin import decode_config

DIGEST = "sha256:" + "ab" * 32
CONFIG = decode_config(
    b'{"interface": {"types": ["docker.volumedriver/1.0"], "socket": "v.sock"},'
    b' "linux": {"capabilities": ["CAP_SYS_ADMIN"], "devices": [{"path": "/dev/fuse"}]},'
    b' "mounts": [{"name": "state", "source": "/data", "destination": "/state", "type": "bind"}],'
    b' "env": [{"name": "DEBUG", "settable": ["value"], "value": "0"}], "entrypoint": ["/run"]}'
)
RECORD = PluginRecord(
    "5" * 64, "me/vol:latest", "me/vol:latest", CONFIG, initial(CONFIG), DIGEST, (DIGEST,), "6" * 64
)


class FakeInstaller:
    """Pulls and pushes one layer."""

    def __init__(self, asked: list[object]) -> None:
        self._asked = asked

    async def privileges(
        self, remote: str, credentials: Credentials | None
    ) -> tuple[Privilege, ...]:
        self._asked.append(("privileges", remote, credentials))
        return (Privilege("network", "a network", ("host",)),)

    async def create(self, name: str, archive: AsyncIterator[bytes]) -> None:
        self._asked.append(("create", name, b"".join([chunk async for chunk in archive])))

    def name_of(self, wish: PullPlugin) -> str:
        return f"{wish.name or wish.remote}:latest"

    async def pull(self, wish: PullPlugin) -> AsyncGenerator[TransferEvent, None]:
        self._asked.append(("pull", wish))
        yield TransferBegun(wish.remote, "latest")
        yield TransferDigest(DIGEST)
        yield LayerTransfer(DIGEST, TransferPhase.PULLED)

    async def upgrade(self, name: str, wish: PullPlugin) -> AsyncGenerator[TransferEvent, None]:
        _found(name)
        self._asked.append(("upgrade", name, wish))
        yield TransferDigest(DIGEST)

    async def push(
        self, name: str, credentials: Credentials | None
    ) -> AsyncGenerator[TransferEvent, None]:
        _found(name)
        self._asked.append(("push", name, credentials))
        yield PushBegun(name)
        yield TransferDigest(DIGEST, "latest", 7)


class FakeManaged:
    """``me/vol``, which is disabled."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.installer = FakeInstaller(self.asked)

    def list(self, filters: Mapping[str, tuple[str, ...]]) -> list[PluginRecord]:
        self.asked.append(("list", dict(filters)))
        return [RECORD]

    def inspect(self, name: str) -> PluginRecord:
        return _found(name)

    async def enable(self, name: str, timeout: int = 0) -> None:  # noqa: ASYNC109
        _found(name)
        self.asked.append(("enable", name, timeout))

    async def disable(self, name: str, *, force: bool = False) -> None:
        _found(name)
        raise ConflictError(f"plugin is already disabled: plugin {name} found but disabled")

    async def set(self, name: str, words: Sequence[str]) -> None:
        _found(name)
        self.asked.append(("set", name, tuple(words)))

    async def remove(self, name: str, *, force: bool = False) -> PluginRecord:
        self.asked.append(("remove", name, force))
        return _found(name)


def _found(name: str) -> PluginRecord:
    if name not in ("me/vol", RECORD.name, RECORD.id):
        raise NotFoundError(f'plugin "{name}" not found')
    return RECORD
