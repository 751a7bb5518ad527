"""All plugins that can be asked, by capability and name.

::

    provider(VOLUME, "shop")
        registered (managed, enabled)         → asked at once: enabling it was its activation
        socket or spec file of that name      → Plugin.Activate, once for each address
        entry point of a Python package       → its process is started, then likewise
        else                                  → NotFoundError: plugin "shop" not found

Who uses a plugin follows from the records of volumes, networks and containers, and is counted
nowhere: those who have them say so (:meth:`Plugins.add_users`).
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from boxship.base.errors import BoxshipError, NotFoundError
from boxship.engine.plugins.hosting import Hosts
from boxship.engine.plugins.provider import Provider
from boxship.engine.settings import PluginSettings
from boxship.plugin import discovery
from boxship.plugin.activation import activate
from boxship.plugin.capability import Capability
from boxship.plugin.client import PluginClient, Timeouts
from boxship.plugin.endpoint import Endpoint
from boxship.plugin.packages import packaged

_log = logging.getLogger(__name__)

_TRIAL = 5.0
"""Seconds for a plugin to be activated that nobody asked for by its name."""
_AT_ONCE = 0.0
_LEFT_ALONE = 30.0
EMPTY: frozenset[str] = frozenset()
Users = Callable[[str], Iterable[str]]
"""Given a plugin's whole name: what uses it, in words for a person (``volume data``)."""


class Watcher(Protocol):
    """Somebody who is told about plugins, whoever asked for them."""

    def came(self, provider: Provider) -> None:
        """One can be asked from now on."""

    async def goes(self, provider: Provider) -> None:
        """A managed one is about to be ended. Raises nothing."""


@dataclass
class _Turn:
    """Activating one plugin: by one caller; those that wait meanwhile share its failure.

    Else each would begin anew when the one before has given up, and the last wait for hours.
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    failures: int = 0
    error: BoxshipError | None = None


class Plugins:
    """The plugins of one engine. Belongs to the event loop."""

    def __init__(self, settings: PluginSettings) -> None:
        self._settings = settings
        self._registered: dict[str, Provider] = {}
        self._found: dict[str, Provider] = {}
        self._activating: dict[str, _Turn] = {}
        self._users: list[Users] = []
        self._watchers: list[Watcher] = []
        self._failed: dict[str, float] = {}
        """Until when those are left alone that could not be activated, by the loop's clock."""
        self._hosts = Hosts(settings.hosted)
        self._packaged: frozenset[str] | None = None

    @property
    def timeouts(self) -> Timeouts:
        """How long plugins are waited for, where nothing else was said of one."""
        return Timeouts(work=self._settings.timeout, question=self._settings.timeout / 2)

    async def provider(self, capability: Capability, name: str) -> Provider:
        """Return who has this capability under this name; activated, not asked any more.

        NotFoundError: nobody, or it is something else; InvalidArgumentError: its spec file makes
        no sense; PluginSilentError, PluginNonsenseError: it cannot be activated.
        """
        found = self.registered(name) or await self._discovered(name)
        if found is None:
            raise NotFoundError(f'plugin "{name}" not found')
        if capability not in found.capabilities:
            raise NotFoundError(f'plugin "{name}" is no {capability.value}')
        return found

    # ── managed ones ─────────────────────────────────────────────────────────────────────────

    def register(self, provider: Provider) -> None:
        """A managed plugin is enabled: it can be asked from now on."""
        self._registered[provider.name] = provider
        self._tell(provider)

    async def dismiss(self, name: str) -> None:
        """It is about to be ended: nobody finds it any more, and who watches may take leave."""
        provider = self._registered.pop(name, None)
        if provider is not None:
            for watcher in self._watchers:
                await watcher.goes(provider)

    def unregister(self, name: str) -> None:
        """It has ended: nobody finds it any more; who has it asks on."""
        self._registered.pop(name, None)

    def registered(self, name: str) -> Provider | None:
        """Return an enabled managed plugin by its name, whose tag may be left out."""
        return self._registered.get(name) or self._registered.get(f"{name}:latest")

    def add_users(self, users: Users) -> None:
        """Say whom to ask who uses plugins."""
        self._users.append(users)

    def users(self, name: str) -> tuple[str, ...]:
        """Return what uses a plugin, in words; nothing: it may go."""
        return tuple(user for users in self._users for user in users(name))

    def watch(self, watcher: Watcher) -> None:
        """Have somebody told about plugins, first about those that are active already."""
        self._watchers.append(watcher)
        for provider in (*self._registered.values(), *self._found.values()):
            watcher.came(provider)

    def _tell(self, provider: Provider) -> None:
        for watcher in self._watchers:
            watcher.came(provider)

    # ── the others ───────────────────────────────────────────────────────────────────────────

    def names(self, capability: Capability) -> tuple[str, ...]:
        """Return the names of those that are active with a capability, sorted."""
        active = (*self._registered.values(), *self._found.values())
        return tuple(sorted({p.name for p in active if capability in p.capabilities}))

    async def activated(self, capability: Capability) -> Sequence[Provider]:
        """Return all that have a capability and can be activated now; the others are logged."""
        names_ = await asyncio.to_thread(discovery.names, self._settings.directories)
        await asyncio.gather(*map(self._try, {*names_, *(await self._packages())}))
        active = (*self._registered.values(), *self._found.values())
        return [provider for provider in active if capability in provider.capabilities]

    async def wake(self) -> None:
        """Activate those that say where they listen, and do: what collects metrics nobody names."""
        for name in await asyncio.to_thread(discovery.names, self._settings.directories):
            with contextlib.suppress(BoxshipError, TimeoutError):
                async with asyncio.timeout(_TRIAL):
                    await self._discovered(name, _AT_ONCE)

    async def _try(self, name: str) -> None:
        """Activate one that nobody asked for; if that fails, it is left alone for a while."""
        now = asyncio.get_running_loop().time()
        if self._failed.get(name, now) > now:
            return
        try:
            packaged_ = name in await self._packages()  # whose process may have to be started
            async with asyncio.timeout(None if packaged_ else _TRIAL):
                await self._discovered(name, _AT_ONCE)
        except (BoxshipError, TimeoutError) as error:
            self._failed[name] = now + _LEFT_ALONE
            _log.warning("plugin %s: %s", name, error or "it does not answer")
        else:
            self._failed.pop(name, None)

    async def _discovered(self, name: str, connect: float | None = None) -> Provider | None:
        turn = self._activating.setdefault(name, _Turn())
        failures = turn.failures
        async with turn.lock:
            if turn.error is not None and turn.failures > failures:
                raise type(turn.error)(str(turn.error)) from turn.error
            try:
                return await self._looked_for(name, connect)
            except BoxshipError as error:
                if connect is None:  # one that nobody named gets less time, and that is no verdict
                    turn.failures, turn.error = turn.failures + 1, error
                raise

    async def _looked_for(self, name: str, connect: float | None) -> Provider | None:
        endpoint = await asyncio.to_thread(discovery.find, name, self._settings.directories)
        if endpoint is None and name in await self._packages():
            endpoint = await self._hosts.endpoint(name)
        known = self._found.get(name)
        if endpoint is None:
            self._found.pop(name, None)
            self._activating.pop(name, None)
            return None
        if known is not None and known.client.endpoint == endpoint:
            return known
        return await self._activated(name, endpoint, connect)

    async def _packages(self) -> frozenset[str]:
        """Return the names of plugins that installed packages have; looked for once."""
        if self._packaged is None:
            self._packaged = await asyncio.to_thread(packaged) if self._settings.hosted else EMPTY
        return self._packaged

    def stop_hosted(self) -> None:
        """End the processes of packages' plugins. Blocking."""
        self._hosts.stop()

    async def _activated(self, name: str, endpoint: Endpoint, connect: float | None) -> Provider:
        client = PluginClient(name, endpoint, self.timeouts)
        asking = client
        if connect is not None:
            asking = PluginClient(name, endpoint, replace(self.timeouts, connect=connect))
        capabilities = await activate(asking)
        _log.info("plugin %s at %s is active", name, endpoint)
        found = self._found[name] = Provider(name, capabilities, client)
        self._tell(found)
        return found
