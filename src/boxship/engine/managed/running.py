"""Plugins' processes: started, waited for, stopped, found again.

::

    enable    places made ─► record of the process ─► start ─► its socket takes a connection
    dies      its policy starts it again, in the same places: who has its mounts keeps them
    disable   asked to end, killed after a while, its mounts taken away
    daemon    goes: the plugin goes on. Comes: it finds the shim, as of containers
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace as replaced

from msgspec.structs import replace

from boxship.base.errors import BoxshipError, NotFoundError, NotModifiedError
from boxship.engine.containers import discard, logs, recovery, start, stop
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container, locked
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.requests import LogQuery
from boxship.engine.managed.process import check_startable, process_record
from boxship.engine.managed.record import PluginRecord
from boxship.engine.managed.yard import Yard

_log = logging.getLogger(__name__)
_PATIENCE = 10.0
"""Seconds for a plugin to listen; Docker's, about."""
GRACE = 10
"""Seconds that a plugin has to end; Docker's."""
FAREWELL = 1
"""The same of one that failed to begin, or is removed by force."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.1
_LAST_LINES = 5


class Processes:
    """The processes of all plugins. Belongs to the event loop."""

    def __init__(
        self,
        yard: Yard,
        plugin_of: Callable[[str], PluginRecord | None],
        began_again: Callable[[PluginRecord], None],
    ) -> None:
        """``plugin_of`` returns the plugin that has a process.

        ``began_again`` is told of one that had died: it knows nothing of what it was told before.
        """
        self._began_again = began_again
        self._yard = yard
        self._plugin_of = plugin_of
        self.context = replaced(yard.context, start_again=self._start_again)

    async def add(self, record: PluginRecord) -> None:
        """Make the record of a process whose tree is ready."""
        container = Container(self._made(record))
        self.context.shelf.reserve(container.record.name, container.id)
        await self.context.shelf.add(container, durable=True)

    async def start(self, record: PluginRecord) -> None:
        """Start a plugin, and wait until it listens.

        InvalidArgumentError: its settings make no process; StartRefusedError, InternalError,
        UnavailableError: it cannot be started; BoxshipError: it does not listen, and is ended.
        """
        container = self._container(record)
        made = self._made(record)
        check_startable(made, record.name)
        self._yard.places.check(record)
        await asyncio.to_thread(self._yard.places.prepare, record)
        try:
            async with locked(container, released=True):
                start.check_startable(container)
                made = replace(made, state=container.record.state)
                await self.context.shelf.save_durable(container, made, "")
                await start.launch(self.context, container)
            await self._listening(container, record)
        except BaseException:
            await asyncio.shield(self.stop(record, grace=FAREWELL))
            raise

    async def stop(self, record: PluginRecord, *, grace: int = GRACE) -> None:
        """End a plugin, and take away what it had mounted; one that does not run is fine.

        It is killed after ``grace`` seconds.
        """
        container = self._container(record)
        with contextlib.suppress(NotModifiedError):
            await stop.stop(self.context, container, signal=None, grace=grace)
        await asyncio.to_thread(self._yard.places.let_go, record)

    async def remove(self, process_id: str) -> None:
        """Remove a process that does not run, with its tree; one that is gone is fine."""
        try:
            container = self.context.shelf.find(process_id)
        except NotFoundError:
            return
        async with locked(container, released=True):
            await discard.discard(self.context, container)

    def runs(self, record: PluginRecord) -> bool:
        """Tell whether it has processes, or is about to have them again."""
        return self._container(record).record.state.running

    # ── with the daemon ──────────────────────────────────────────────────────────────────────

    async def recover(self, wanted: set[str] | None) -> None:
        """Find the processes that run; those that are not ``wanted`` are nobody's, and go.

        ``None``: records may have been lost, and all stay.
        """
        self.context.shelf.load()
        await recovery.recover(self.context)
        for container in self.context.shelf:
            if wanted is not None and container.id not in wanted:
                with contextlib.suppress(NotModifiedError):
                    await stop.end_now(self.context, container)
                await self.remove(container.id)

    async def start_wanted(self) -> None:
        """Have those that ran before the machine went down, or the daemon stopped them, again."""
        await recovery.start_wanted(self.context)

    async def stop_all(self, *, at_most: int) -> None:
        """End all because the daemon goes: the next one starts them again."""
        alive = [c for c in self.context.shelf if c.record.state.alive]
        await asyncio.gather(*(stop.stop_for_now(self.context, c, at_most=at_most) for c in alive))

    def close(self) -> None:
        """Hang up; the processes go on."""
        for container in self.context.shelf:
            if container.shim is not None:
                link, container.shim = container.shim, None
                link.close()

    # ── parts ────────────────────────────────────────────────────────────────────────────────

    def _made(self, record: PluginRecord) -> ContainerRecord:
        context = self.context
        return process_record(
            record,
            self._yard.places,
            context.settings,
            created_ns=context.clock.now_ns(),
            unified_cgroups=context.planner.unified_cgroups,
        )

    def _container(self, record: PluginRecord) -> Container:
        return self.context.shelf.find(record.process)

    def _start_again(self, context: Context, container: Container) -> None:
        """Its policy wants it again: a socket of the run before is in its way."""
        record = self._plugin_of(container.id)
        if record is not None:
            try:
                self._yard.places.prepare(record)
            except OSError as error:
                _log.error("plugin %s: %s", record.name, error)
        start.schedule(context, container)
        if record is not None and record.enabled:
            self._began_again(record)

    async def _listening(self, container: Container, record: PluginRecord) -> None:
        """Wait until somebody takes a connection. BoxshipError: nobody does."""
        if not record.config.interface.socket:
            return
        path, pause = self._yard.places.socket(record), _FIRST_PAUSE
        ended = container.ended
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while not ended.is_set():
                    if _takes_connections(path):
                        return
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        name = record.config.interface.socket
        reason = f"nobody listens on its socket {name} after {_PATIENCE:g} seconds"
        if ended.is_set():
            reason = f"it ended with exit code {container.record.state.exit_code}"
        raise BoxshipError(f"plugin {record.name}: {reason}{await self._last_words(container)}")

    async def _last_words(self, container: Container) -> str:
        """Return what it has written, for whoever looks for the reason."""
        lines = []
        query = LogQuery(tail=_LAST_LINES)
        with contextlib.suppress(BoxshipError, OSError):
            async with aclosing(logs.read(self.context, container, query)) as batches:
                async for batch in batches:
                    lines += [line.log.rstrip() for line in batch]
        return "".join(f"\n  {line}" for line in lines[-_LAST_LINES:])


def _takes_connections(path: str) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        probe.connect(path)
        return True
    return False
