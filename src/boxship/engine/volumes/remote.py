"""Volumes that plugins keep: the engine's record beside the plugin's own.

A plugin's volume has a record (labels, who made it when, its id) and a directory like any other; on
that directory is mounted, while somebody needs it, what the plugin mounts. So whatever reads, fills
or copies volumes knows no plugins. The plugin sees one caller, the engine, however many containers
have a volume. ::

    create   Get → not there: Create → record
    mount    caller written into the record → Mount → bound on our directory
    unmount  taken off → Unmount → caller struck out; a daemon that was killed in between goes on
    remove   Remove → record gone

A plugin may know volumes that have no record: another engine made them, or a daemon that was
killed. They are shown, and get a record by being used.
"""

import asyncio
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from boxship.base.errors import BoxshipError, InternalError, NotFoundError, UnavailableError
from boxship.base.ids import new_id
from boxship.engine.plugins.entry import PluginEntry
from boxship.engine.volumes.record import LOCAL, VolumeRecord
from boxship.engine.volumes.requests import CreateVolume
from boxship.plugin.capability import Capability
from boxship.plugin.errors import PluginSilentError

if TYPE_CHECKING:
    from boxship.engine.plugins.provider import HostPath, Provider
    from boxship.plugin.volume import PluginVolume, VolumeDriver

_log = logging.getLogger(__name__)

_LOOKING = 10.0
"""Seconds that a plugin gets to say what volumes it has, where nobody named it."""
_LEFT_ALONE = 30.0


@dataclass(frozen=True)
class Told:
    """A volume as its driver tells it."""

    driver: str
    scope: str
    volume: "PluginVolume"


class RemoteVolumes:
    """What plugins are asked about volumes. Belongs to the event loop."""

    def __init__(self, plugins: PluginEntry) -> None:
        self._plugins = plugins
        self._drivers: dict[str, tuple[Provider, VolumeDriver]] = {}
        self._silent: dict[str, float] = {}
        """Until when those are not looked at that failed to say whether they have a volume."""
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def may_be(self) -> bool:
        """Tell whether there may be any plugin; that costs no more than a look at directories."""
        return self._plugins.is_any

    # ── making and removing ──────────────────────────────────────────────────────────────────

    def turn(self, name: str) -> AbstractAsyncContextManager[object]:
        """Have what plugins are asked about one name asked in order."""
        return self._turns.setdefault(name, asyncio.Lock()) if name else nullcontext()

    async def prepared(self, wish: CreateVolume) -> tuple[CreateVolume, bool]:
        """Have the plugin make what is wished for; return the wish for a record, whether it is new.

        A wish that names no driver gets the one that has a volume of this name already. Errors:
        NotFoundError: no such driver; what :meth:`PluginClient.ask` raises.
        """
        if wish.driver in ("", LOCAL):
            found = None if wish.driver or not wish.name else await self.find(wish.name)
            return (wish if found is None else replace(wish, driver=found.driver)), False
        named = replace(wish, name=wish.name or new_id(), anonymous=not wish.name)
        driver, provider = await self._driver("create", named.name, wish.driver)
        with _telling(f"create {named.name}"):
            there = await driver.get(named.name)
            if there is None:
                await driver.create(named.name, wish.options or {})
        return replace(named, driver=provider.name), there is None

    async def undo(self, wish: CreateVolume) -> None:
        """Remove what was made, because its record could not be."""
        try:
            await self.remove(wish.name, wish.driver)
        except BoxshipError as error:
            _log.error(
                "plugin %s keeps volume %s, which is lost: %s", wish.driver, wish.name, error
            )

    async def remove(self, name: str, driver: str) -> None:
        """Have a volume removed; one that the plugin has no more is fine."""
        asked, _ = await self._driver("remove", name, driver)
        with _telling(f"remove {name}"):
            try:
                await asked.remove(name)
            except PluginSilentError:
                raise
            except BoxshipError:
                if await asked.get(name) is not None:
                    raise

    # ── mounting ─────────────────────────────────────────────────────────────────────────────

    async def mount(self, record: VolumeRecord) -> "HostPath":
        """Have it mounted for the record's caller; return where on the host.

        UnavailableError, InternalError: as Docker words it.
        """
        where = f"error while mounting volume '{record.name}': "
        try:
            driver, provider = await self._driver("get", record.name, record.driver)
            named = await driver.mount(record.name, record.caller)
            path = provider.host_path(named)
        except PluginSilentError as error:
            raise UnavailableError(f"{where}{error}") from error
        except BoxshipError as error:
            raise InternalError(f"{where}{error}") from error
        try:
            os.close(await asyncio.to_thread(path.open_directory))
        except OSError as error:
            raise InternalError(
                f"{where}plugin {record.driver} says it is at {named}, where there is no directory"
            ) from error
        return path

    async def unmount(self, record: VolumeRecord) -> None:
        """Say that the record's caller does not need it any more. Errors are logged."""
        try:
            driver, _ = await self._driver("get", record.name, record.driver)
            await driver.unmount(record.name, record.caller)
        except BoxshipError as error:
            _log.error("volume %s: plugin %s: %s", record.name, record.driver, error)

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    async def told(self, record: VolumeRecord) -> Told:
        """Return what the driver says of a record's volume. Errors of asking; NotFoundError."""
        driver, provider = await self._driver("get", record.name, record.driver)
        found = await driver.get(record.name)
        if found is None:
            raise NotFoundError(
                f"get {record.name}: plugin {record.driver} does not know this volume (any more)"
            )
        return await _told(provider, driver, found)

    async def find(self, name: str) -> Told | None:
        """Ask all plugins for a volume of this name; those that fail count as not having it."""
        if not self.may_be:
            return None
        now = asyncio.get_running_loop().time()
        for provider, driver in await self._all():
            if self._silent.get(provider.name, now) > now:
                continue
            try:
                found = await driver.get(name, within=self._patience(driver))
            except BoxshipError as error:
                self._silent[provider.name] = now + _LEFT_ALONE
                _log.warning("looking for volume %s: %s", name, error)
                continue
            if found is not None:
                return await _told(provider, driver, found)
        return None

    async def all(self) -> tuple[list[Told], list[str]]:
        """Return all volumes of all plugins, and a warning for each plugin that failed."""
        found: list[Told] = []
        warnings = []
        drivers = await self._all()
        lists = await asyncio.gather(
            *(d.list(within=self._patience(d)) for _, d in drivers), return_exceptions=True
        )
        for (provider, driver), listed in zip(drivers, lists, strict=True):
            if isinstance(listed, BoxshipError):
                warnings.append(f"plugin {provider.name}: {listed}")
            elif isinstance(listed, BaseException):
                raise listed
            else:
                found += [await _told(provider, driver, volume) for volume in listed]
        return found, warnings

    def _patience(self, driver: "VolumeDriver") -> float:
        return min(_LOOKING, driver.timeouts.question)

    # ── drivers ──────────────────────────────────────────────────────────────────────────────

    async def _driver(self, verb: str, name: str, driver: str) -> "tuple[VolumeDriver, Provider]":
        with _telling(f"{verb} {name}: error looking up volume plugin {driver}"):
            provider = await self._plugins().provider(Capability.VOLUME, driver)
        return self._of(provider), provider

    async def _all(self) -> "Sequence[tuple[Provider, VolumeDriver]]":
        providers = await self._plugins().activated(Capability.VOLUME)
        return [(provider, self._of(provider)) for provider in providers]

    def _of(self, provider: "Provider") -> "VolumeDriver":
        known = self._drivers.get(provider.name)
        if known is None or known[0] is not provider:
            asking = import_module("boxship.plugin.volume").VolumeDriver(provider.client)
            known = self._drivers[provider.name] = (provider, asking)
        return known[1]


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Put before an error what was being done, as Docker does; it stays what it is."""
    try:
        yield
    except BoxshipError as error:
        raise type(error)(f"{what}: {error}") from error


async def _told(provider: "Provider", driver: "VolumeDriver", volume: "PluginVolume") -> Told:
    return Told(provider.name, await driver.scope(), volume)
