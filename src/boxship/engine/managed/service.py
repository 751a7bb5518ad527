"""The use cases of managed plugins: a method each.

::

    create, pull ─► installed ─► enable ─► running, registered ─► disable ─► installed ─► remove
                     set, upgrade, push

The record is the commit point: a process or a tree that no record names is garbage, and removed at
start-up. One lock per plugin orders what is done to it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec.structs import replace

from boxship.base.errors import BoxshipError, ConflictError, InvalidArgumentError
from boxship.distribution.registries import Registries
from boxship.engine.containers.context import Context
from boxship.engine.events.bus import EventBus
from boxship.engine.images.bridge import to_the_end
from boxship.engine.managed import listing, settings
from boxship.engine.managed.installing import Installer
from boxship.engine.managed.packages import Packages
from boxship.engine.managed.places import host_path
from boxship.engine.managed.record import DEFAULT_TIMEOUT, PluginRecord
from boxship.engine.managed.running import FAREWELL, GRACE, Processes
from boxship.engine.managed.shelf import PluginShelf, check_disabled
from boxship.engine.managed.yard import open_yard
from boxship.engine.plugins.provider import Provider
from boxship.engine.records.database import Database
from boxship.model.event import EventType
from boxship.model.image import TransferEvent
from boxship.plugin.capability import Capability
from boxship.plugin.client import PluginClient, Timeouts
from boxship.plugin.endpoint import Endpoint

_log = logging.getLogger(__name__)

Tell = Callable[[TransferEvent], None]


class ManagedPlugins:
    """The managed plugins of one engine. Belongs to the event loop."""

    def __init__(
        self,
        context: Context,
        database: Database,
        events: EventBus,
        registries: Callable[[], Registries],
    ) -> None:
        self._yard = open_yard(context, database)
        self._shelf = PluginShelf(database)
        self._packages = Packages(self._yard.storage)
        self._processes = Processes(self._yard, self._shelf.of_process, self._register)
        self._plugins = context.plugins
        self._events = events
        self.installer: Installer = Installer(
            self._shelf, self._packages, self._processes, events, registries
        )
        """Makes, pulls, upgrades and pushes them."""

    # ── with the daemon ──────────────────────────────────────────────────────────────────────

    async def recover(self) -> None:
        """Find what an earlier daemon left; before containers are looked after."""
        self._shelf.load()
        keeps_strangers = self._yard.context.keeps_strangers
        wanted = None if keeps_strangers else {record.process for record in self._shelf}
        await self._processes.recover(wanted)
        for record in self._shelf:
            if not record.enabled and self._processes.runs(record):
                await self._processes.stop(record)  # the daemon was killed in between
        if not keeps_strangers:
            for path in self._yard.places.strangers({record.id for record in self._shelf}):
                self._yard.context.throw_away(path)
            self.installer.sweep()
        for record in self._shelf:
            if record.enabled:
                self._register(record)

    async def start_wanted(self) -> None:
        """Start those that are enabled and do not run; before containers are started."""
        await self._processes.start_wanted()
        for record in self._shelf:
            if record.enabled and not self._processes.runs(record):
                try:
                    await self._processes.start(record)
                except BoxshipError as error:
                    _log.error(
                        "plugin %s cannot be started, and is disabled: %s", record.name, error
                    )
                    self._plugins().unregister(record.name)
                    await self._shelf.save(replace(record, enabled=False))

    async def stop_all(self, *, at_most: int) -> None:
        """End their processes, because the daemon goes."""
        await self._processes.stop_all(at_most=at_most)

    def close(self) -> None:
        """Let go of everything; plugins go on."""
        self._processes.close()

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    def list(self, filters: Mapping[str, tuple[str, ...]]) -> list[PluginRecord]:
        """Return the plugins that filters choose, by name. InvalidArgumentError."""
        wanted = listing.chooser(filters)
        return [record for record in self._shelf if wanted(record)]

    def inspect(self, name: str) -> PluginRecord:
        """Return a plugin. NotFoundError; InvalidArgumentError: several have such an id."""
        return self._shelf.find(name)

    async def remove(self, name: str, *, force: bool = False) -> PluginRecord:
        """Remove a plugin. ConflictError: it is used or, unless ``force``, enabled."""
        async with self._shelf.locked(self._shelf.find(name).id) as record:
            if not force:
                self._check_unused(record)
                check_disabled(record, f"plugin {record.name} is enabled")
            await to_the_end(self._remove(record))
        self._say("remove", record)
        return record

    async def _remove(self, record: PluginRecord) -> None:
        if record.enabled:
            await self._disable(record, grace=FAREWELL)
        await self._shelf.delete(record)
        await self._processes.remove(record.process)
        await asyncio.to_thread(self._yard.places.let_go, record)
        if record.config.propagated_mount:
            self._yard.context.throw_away(self._yard.places.propagated(record))
        self.installer.sweep()

    # ── running ──────────────────────────────────────────────────────────────────────────────

    async def enable(self, name: str, timeout: int = 0) -> None:  # noqa: ASYNC109 - of its calls
        """Start a plugin and offer what it provides. ``timeout``: seconds for each call of it.

        ConflictError: it is enabled already; errors of :meth:`Processes.start`.
        """
        async with self._shelf.locked(self._shelf.find(name).id) as record:
            if record.enabled:
                raise ConflictError(f"plugin already enabled: plugin {record.name} is enabled")
            if timeout < 0:
                raise InvalidArgumentError(f"negative value {timeout} is invalid for --timeout")
            enabled = replace(record, enabled=True, timeout=timeout or DEFAULT_TIMEOUT)
            await self._processes.start(record)
            await to_the_end(self._shelf.save(enabled))
            self._register(enabled)
        self._say("enable", enabled)

    async def disable(self, name: str, *, force: bool = False) -> None:
        """End a plugin. ConflictError: it is disabled already or, unless ``force``, in use."""
        async with self._shelf.locked(self._shelf.find(name).id) as record:
            if not record.enabled:
                raise ConflictError(
                    f"plugin is already disabled: plugin {record.name} found but disabled"
                )
            if not force:
                self._check_unused(record)
            await to_the_end(self._disable(record))
        self._say("disable", record)

    async def _disable(self, record: PluginRecord, *, grace: int = GRACE) -> None:
        await self._plugins().dismiss(record.name)
        await self._shelf.save(replace(record, enabled=False))
        await self._processes.stop(record, grace=grace)

    async def set(self, name: str, words: Sequence[str]) -> None:
        """Change settings of a plugin that is disabled. InvalidArgumentError, ConflictError."""
        async with self._shelf.locked(self._shelf.find(name).id) as record:
            told = "cannot set on an active plugin, disable plugin before setting"
            check_disabled(record, told)
            after = settings.changed(record.config, record.settings, words)
            await self._shelf.save(replace(record, settings=after))

    # ── parts ────────────────────────────────────────────────────────────────────────────────

    def _register(self, record: PluginRecord) -> None:
        self._plugins().register(self._provider(record))

    def _provider(self, record: PluginRecord) -> Provider:
        places = self._yard.places
        client = PluginClient(
            record.name,
            Endpoint(path=places.socket(record)),
            Timeouts(work=record.timeout, question=record.timeout),
        )
        return Provider(
            record.name,
            frozenset(each for each in Capability if each.interface in record.types),
            client,
            managed=True,
            host_path=partial(
                host_path,
                record,
                propagated=places.propagated(record),
                tree=self._packages.tree(record.process),
                metrics=places.metrics if places.collects(record) else "",
            ),
        )

    def _check_unused(self, record: PluginRecord) -> None:
        users = self._plugins().users(record.name)
        if users:
            raise ConflictError(f"plugin {record.name} is in use: {', '.join(users)}")

    def _say(self, action: str, record: PluginRecord) -> None:
        self._events.publish(EventType.PLUGIN, action, record.id, {"name": record.name})
