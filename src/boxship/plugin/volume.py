"""Volume drivers: ``VolumeDriver.*``, typed.

``ID`` tells callers of ``Mount`` and ``Unmount`` apart, so that a plugin may count them.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from boxship.plugin.client import Nothing, PluginClient
from boxship.plugin.errors import PluginRefusedError, PluginSilentError


class PluginVolume(Struct, frozen=True, rename="pascal"):
    """A volume as its driver tells it; ``mountpoint`` is empty where it is not mounted."""

    name: str = ""
    mountpoint: str = ""
    created_at: str = ""
    status: dict[str, object] = msgspec.field(default_factory=dict)


class _Named(Struct, frozen=True, rename="pascal"):
    name: str


class _Create(Struct, frozen=True, rename="pascal"):
    name: str
    opts: dict[str, str]


class _Caller(Struct, frozen=True, rename="pascal"):
    name: str
    id: str = msgspec.field(name="ID")


class _Found(Struct, frozen=True, rename="pascal"):
    volume: PluginVolume | None = None


class _Listed(Struct, frozen=True, rename="pascal"):
    volumes: tuple[PluginVolume, ...] = ()


class _Mounted(Struct, frozen=True, rename="pascal"):
    mountpoint: str = ""


class _Capability(Struct, frozen=True, rename="pascal"):
    scope: str = "local"


class _Capabilities(Struct, frozen=True, rename="pascal"):
    capabilities: _Capability = _Capability()


class VolumeDriver:
    """Asks a plugin about volumes. Errors of all calls as of :meth:`PluginClient.ask`."""

    def __init__(self, client: PluginClient) -> None:
        self._client = client
        self.timeouts = client.timeouts
        self._scope = ""

    async def scope(self) -> str:
        """Return ``local`` or ``global``; who says nothing of it is local, as in Docker."""
        if not self._scope:
            try:
                answer = await self._client.ask("VolumeDriver.Capabilities", {}, _Capabilities)
            except PluginSilentError:
                return "local"  # this time; it is asked again
            except PluginRefusedError:
                self._scope = "local"
            else:
                said = answer.capabilities.scope.lower()
                self._scope = said if said in {"local", "global"} else "local"
        return self._scope

    async def create(self, name: str, options: Mapping[str, str]) -> None:
        """Have a volume made."""
        wish = _Create(name, dict(options))
        await self._client.ask(
            "VolumeDriver.Create", wish, Nothing, within=self._client.timeouts.work
        )

    async def get(self, name: str, *, within: float | None = None) -> PluginVolume | None:
        """Return a volume; ``None``: the plugin says that there is none, in whatever words."""
        try:
            answer = await self._client.ask("VolumeDriver.Get", _Named(name), _Found, within=within)
        except PluginRefusedError:
            return None
        found = answer.volume
        if found is None or not found.name:
            return None
        if found.name != name:
            raise self._client.nonsense("VolumeDriver.Get", f"asked for {name}, it is {found.name}")
        return found

    async def list(self, *, within: float | None = None) -> tuple[PluginVolume, ...]:
        """Return all that the plugin has."""
        answer = await self._client.ask("VolumeDriver.List", {}, _Listed, within=within)
        if not all(volume.name for volume in answer.volumes):
            raise self._client.nonsense("VolumeDriver.List", "a volume without a name")
        return answer.volumes

    async def mount(self, name: str, caller: str) -> str:
        """Have it mounted; return where, an absolute path as the plugin sees it."""
        answer = await self._client.ask(
            "VolumeDriver.Mount", _Caller(name, caller), _Mounted, within=self._client.timeouts.work
        )
        return self._checked("VolumeDriver.Mount", answer.mountpoint)

    async def path(self, name: str) -> str:
        """Return where it is mounted; empty: nowhere."""
        answer = await self._client.ask("VolumeDriver.Path", _Named(name), _Mounted)
        if not answer.mountpoint:
            return ""
        return self._checked("VolumeDriver.Path", answer.mountpoint)

    async def unmount(self, name: str, caller: str) -> None:
        """A caller does not need it any more."""
        await self._client.ask(
            "VolumeDriver.Unmount",
            _Caller(name, caller),
            Nothing,
            within=self._client.timeouts.work,
        )

    async def remove(self, name: str) -> None:
        """Have it removed, and its files."""
        await self._client.ask(
            "VolumeDriver.Remove", _Named(name), Nothing, within=self._client.timeouts.work
        )

    def _checked(self, method: str, path: str) -> str:
        if not path.startswith("/") or "\0" in path:
            raise self._client.nonsense(method, f"{path!r} is no absolute path")
        return path
