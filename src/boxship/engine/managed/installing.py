"""Plugins into the engine and out of it: made, pulled, upgraded, pushed.

Until the record is written nothing of a plugin can be seen; what a failure leaves is swept.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from boxship.base import ids
from boxship.distribution.cancel import Cancel
from boxship.distribution.credentials import Credentials
from boxship.distribution.registries import Registries
from boxship.engine.events.bus import EventBus
from boxship.engine.images.bridge import consume, in_thread, stoppable, telling, to_the_end
from boxship.engine.managed import fetching, settings
from boxship.engine.managed.packages import Packages, Packed
from boxship.engine.managed.privileges import Privilege, asked
from boxship.engine.managed.record import PluginRecord
from boxship.engine.managed.running import Processes
from boxship.engine.managed.shelf import PluginShelf, check_disabled, parsed
from boxship.model.event import EventType
from boxship.model.image import PushBegun, TransferEvent
from boxship.oci.digest import Digest
from boxship.oci.reference import Reference

Tell = Callable[[TransferEvent], None]


@dataclass(frozen=True, slots=True)
class PullPlugin:
    """What to pull, under which name here (empty: its own), and what was agreed to."""

    remote: str
    name: str = ""
    granted: tuple[Privilege, ...] = ()
    credentials: Credentials | None = None


class Installer:
    """Belongs to the event loop."""

    def __init__(
        self,
        shelf: PluginShelf,
        packages: Packages,
        processes: Processes,
        events: EventBus,
        registries: Callable[[], Registries],
    ) -> None:
        self._shelf = shelf
        self._packages = packages
        self._processes = processes
        self._events = events
        self._registries = registries
        self._naming = asyncio.Lock()
        """Held while a name is looked at and taken."""
        self._taking_in = 0
        """How many archives and pulls are under way, whose blobs no record names yet."""

    async def privileges(
        self, remote: str, credentials: Credentials | None
    ) -> tuple[Privilege, ...]:
        """Ask a registry what a plugin wants. Errors as of :class:`fetching.RemotePlugin`."""
        name, cancel = parsed(remote), Cancel()
        repository = await in_thread(partial(self._registries().repository, name, credentials))
        found = await stoppable(
            lambda: fetching.RemotePlugin(repository, name, cancel), cancel.cancel
        )
        return asked(found.config)

    async def create(self, name: str, archive: AsyncIterator[bytes]) -> None:
        """Make a plugin of an archive.

        InvalidArgumentError: a bad name, archive or configuration; ConflictError: there is one of
        that name; UnavailableError: the disk is full.
        """
        reference = parsed(name)
        self._shelf.check_free(reference.familiar)
        async with self._tree() as process_id:
            packed = await consume(archive, lambda c: self._packages.pack(c, process_id))
            record = _installed(packed, process_id, reference.familiar, reference.familiar)
            await to_the_end(self._install(record))
        self._say("create", record)

    def name_of(self, wish: PullPlugin) -> str:
        """Return what a pulled plugin will be called here. InvalidArgumentError: a bad name."""
        return parsed(wish.name or wish.remote).familiar

    async def pull(self, wish: PullPlugin) -> AsyncGenerator[TransferEvent, None]:
        """Pull a plugin, and tell how it goes.

        ConflictError: there is one of that name; ForbiddenError: it asks for more than was agreed
        to; other errors as of :meth:`privileges`.
        """
        reference = parsed(wish.remote)
        name = self.name_of(wish)
        self._shelf.check_free(name)
        events = telling(partial(self._pull, wish, reference, name))
        async with contextlib.aclosing(events):
            async for event in events:
                yield event

    async def _pull(self, wish: PullPlugin, reference: Reference, name: str, tell: Tell) -> None:
        async with self._tree() as process_id:
            packed = await self._fetched(wish, reference, process_id, tell)
            record = _installed(packed, process_id, name, reference.familiar)
            await to_the_end(self._install(record))
        self._events.publish(EventType.PLUGIN, "pull", reference.familiar, {"name": name})

    async def _fetched(
        self, wish: PullPlugin, reference: Reference, process_id: str, tell: Tell
    ) -> Packed:
        find = partial(self._registries().repository, reference, wish.credentials)
        repository = await in_thread(find)
        cancel = Cancel()

        def fetch() -> Packed:
            remote = fetching.pull(repository, reference, wish.granted, tell, cancel)
            return remote.take(self._packages, process_id, tell)

        return await stoppable(fetch, cancel.cancel)

    async def _install(self, record: PluginRecord) -> None:
        async with self._naming:
            self._shelf.check_free(record.name)
            await self._put(record)

    async def _put(self, record: PluginRecord) -> None:
        """Record a plugin with its new process: both, or neither."""
        await self._processes.add(record)
        try:
            await self._shelf.save(record)
        except BaseException:
            await self._processes.remove(record.process)
            raise

    async def upgrade(self, name: str, wish: PullPlugin) -> AsyncGenerator[TransferEvent, None]:
        """Put what a registry has in a plugin's place; what was set stays set where it can.

        ConflictError: it is enabled; other errors as of :meth:`pull`.
        """
        record = self._shelf.find(name)
        check_disabled(record)
        events = telling(partial(self._upgrade, record.id, wish, parsed(wish.remote)))
        async with contextlib.aclosing(events):
            async for event in events:
                yield event

    async def _upgrade(
        self, plugin_id: str, wish: PullPlugin, reference: Reference, tell: Tell
    ) -> None:
        async with self._shelf.locked(plugin_id) as before:
            check_disabled(before)
            async with self._tree() as process_id:
                packed = await self._fetched(wish, reference, process_id, tell)
                after = replace(
                    _installed(packed, process_id, before.name, reference.familiar),
                    id=before.id,
                    settings=settings.carried_over(before.config, before.settings, packed.config),
                )
                await to_the_end(self._replace(before, after))
        attributes = {"name": before.name}
        self._events.publish(EventType.PLUGIN, "pull", reference.familiar, attributes)

    async def _replace(self, before: PluginRecord, after: PluginRecord) -> None:
        await self._put(after)
        await self._processes.remove(before.process)

    async def push(
        self, name: str, credentials: Credentials | None
    ) -> AsyncGenerator[TransferEvent, None]:
        """Send a plugin to the registry of its reference. NotFoundError; as of a push of images."""
        record = self._shelf.find(name)
        reference = parsed(record.reference)
        find = partial(self._registries().repository, reference, credentials)
        repository = await in_thread(find)
        yield PushBegun(reference.familiar_name)

        async def work(tell: Tell) -> None:
            cancel = Cancel()
            push = partial(fetching.push, repository, record, self._packages, tell, cancel)
            self._taking_in += 1  # a removal meanwhile must not take its blobs
            try:
                await stoppable(push, cancel.cancel)
            finally:
                self._taking_in -= 1
            self._say("push", record)

        events = telling(work)
        async with contextlib.aclosing(events):
            async for event in events:
                yield event

    @contextlib.asynccontextmanager
    async def _tree(self) -> AsyncIterator[str]:
        """Own the id of a process to come; unless it comes, its tree goes."""
        process_id = ids.new_id()
        self._taking_in += 1
        try:
            yield process_id
        finally:
            self._taking_in -= 1
            if self._shelf.of_process(process_id) is None:
                self._packages.uproot(process_id)
            self.sweep()

    def sweep(self) -> None:
        """Remove blobs of plugins that are gone, while nobody brings others in."""
        if self._taking_in:
            return
        needed = {Digest.parse(text) for r in self._shelf for text in (*r.blobs, r.manifest)}
        self._packages.sweep(needed)

    def _say(self, action: str, record: PluginRecord) -> None:
        self._events.publish(EventType.PLUGIN, action, record.id, {"name": record.name})


def _installed(packed: Packed, process_id: str, name: str, reference: str) -> PluginRecord:
    return PluginRecord(
        id=ids.new_id(),
        name=name,
        reference=reference,
        config=packed.config,
        settings=settings.initial(packed.config),
        manifest=str(packed.manifest),
        blobs=tuple(map(str, packed.blobs)),
        process=process_id,
    )
