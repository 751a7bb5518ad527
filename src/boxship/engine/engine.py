"""The engine as one thing to open and close: only wiring.

::

    Database ── Shelf ─────────────┐
    EventBus ── Announcer ─────────┤
    Networks ── Plugging ──────────┤
    Volumes ───────────────────────┤
    Storage ─── ImageService ──────┼── Context ── ContainerService
    Host ────── Planner ───────────┤
    LauncherLink ──────────────────┘

    KernelFabric ── Networks
"""

import asyncio
import os
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Self, cast

from boxship import __version__
from boxship.base.clock import Clock, SystemClock
from boxship.base.errors import InvalidArgumentError
from boxship.distribution.registries import Registries
from boxship.engine.check import Checker
from boxship.engine.containers import (
    networking,
    oomwatch,
    probing,
    recovery,
    start,
    stillness,
    stop,
    volumes,
)
from boxship.engine.containers.announce import Announcer
from boxship.engine.containers.background import Background
from boxship.engine.containers.checks.machine import this_machine
from boxship.engine.containers.checks.support import missing_limits
from boxship.engine.containers.context import Context
from boxship.engine.containers.fileservice import ContainerFiles
from boxship.engine.containers.paths import Paths
from boxship.engine.containers.pending import HangupWatch
from boxship.engine.containers.planner import Planner
from boxship.engine.containers.runtimes import Runtimes
from boxship.engine.containers.service import ContainerService
from boxship.engine.containers.shelf import Shelf
from boxship.engine.containers.tasks import LauncherLink
from boxship.engine.containers.usage import Usage
from boxship.engine.dataroot import machine_id, make_data_root, mapped_owners
from boxship.engine.events.archive import Archive
from boxship.engine.events.bus import EventBus
from boxship.engine.housekeeping.trash import Trash
from boxship.engine.housekeeping.volumecopies import VolumeCopies
from boxship.engine.images.remote import RemoteRegistries
from boxship.engine.images.service import ImageService
from boxship.engine.networks.fabric import KernelFabric
from boxship.engine.networks.opening import open_plugging
from boxship.engine.networks.publishing import Publications
from boxship.engine.networks.service import Networks
from boxship.engine.plugins.entry import PluginEntry
from boxship.engine.records.database import Database
from boxship.engine.records.schema import MIGRATIONS
from boxship.engine.records.trash import TrashBin
from boxship.engine.settings import Configured, EngineSettings
from boxship.engine.volumes.service import Volumes
from boxship.model.event import EventType
from boxship.runtime.host import Host
from boxship.storage.storage import Storage

if TYPE_CHECKING:
    from boxship.engine.access.service import Access
    from boxship.engine.adoption.service import Adoption
    from boxship.engine.build.service import Builder
    from boxship.engine.build.uploads import Uploads
    from boxship.engine.managed.service import ManagedPlugins
    from boxship.engine.metrics.service import Metrics
    from boxship.engine.why.service import Reasons

DATABASE = "boxship.db"
EVENTS = "events"
ACCESS = "access"
_ANY_PLUGIN = "SELECT 1 FROM plugins UNION ALL SELECT 1 FROM plugin_processes LIMIT 1"
USER_AGENT = f"boxship/{__version__}"


class Engine:
    """Everything that can be done, behind ``containers``, ``images`` and ``events``."""

    def __init__(
        self,
        context: Context,
        *,
        database: Database,
        images: ImageService,
        events: EventBus,
        shims: LauncherLink,
        storage: Storage,
        networks: Networks,
        scopes: Sequence[bytes] = (),
    ) -> None:
        self.plugins = context.plugins
        self.volumes = context.volumes
        self.networks = networks
        self.images = images
        self.registries = RemoteRegistries(lambda: images.registries)
        self.events = events
        self.containers = ContainerService(context)
        self.container_files = ContainerFiles(context)
        usage = Usage(context.shelf, context.trash)
        images.set_users(usage)
        context.volumes.set_users(usage)
        self.checker = Checker(storage, images, usage, database)
        self.trash = Trash(context, images, storage.volumes)
        still = partial(stillness.users_still, context)
        self.volume_copies = VolumeCopies(context.volumes, storage.volumes, still)
        self._database = database
        self._storage = storage
        self._context = context
        self._shims = shims
        self._reasons: Reasons | None = None
        self._keeps_log_budget = False
        self._builds: Builder | None = None
        self._containers_go_on = True
        self._scopes = scopes
        self._access: Access | None = None
        self._managed: ManagedPlugins | None = None

    @classmethod
    async def open(cls, settings: EngineSettings, clock: Clock | None = None) -> Self:
        """Open the data root and bring everything back into order; then it can be used."""
        clock = clock or SystemClock()
        os.makedirs(settings.exec_root, 0o711, exist_ok=True)
        make_data_root(settings)
        owners = -1
        if settings.user_maps is not None:
            owners = mapped_owners(settings.data_root, settings.user_maps)
        database = Database(f"{settings.data_root}/{DATABASE}", MIGRATIONS)
        scopes = [cast("bytes", body) for (body,) in database.load("SELECT body FROM scopes")]
        events = EventBus(clock, Archive(f"{settings.data_root}/{EVENTS}"))
        trash = TrashBin(database, clock, settings.trash_retention_ns)
        trash.load()
        storage = Storage.open(settings.data_root, settings.storage_driver)
        if settings.container_size and not storage.snapshots.limits_size:
            raise InvalidArgumentError(
                "storage-opts: a size of containers needs xfs mounted with the option pquota; "
                f"{settings.data_root} isn't on one"
            )
        images = ImageService(
            database,
            storage,
            Registries(settings.registries, USER_AGENT),
            events,
            clock,
            limits=settings.transfers,
            keep_blobs=settings.keep_blobs,
            trash_bin=trash,
        )
        plugins = PluginEntry(settings.plugins)
        networks = Networks(
            database,
            events,
            clock,
            settings.networks,
            KernelFabric(settings.data_root, f"{settings.exec_root}/forwarding"),
            exec_root=settings.exec_root,
            identity=f"{machine_id()} {settings.data_root}".encode(),
            trash=trash,
            plugins=plugins,
        )
        paths = Paths(settings.data_root, settings.exec_root)
        shims = LauncherLink(settings.exec_root)
        host, configured = Host.look(), Configured(settings)
        runtimes = Runtimes(settings.runtime, settings.runtimes)
        context = Context(
            configured=configured,
            paths=paths,
            clock=clock,
            machine=this_machine(
                missing_limits(host.layout), limits_size=storage.snapshots.limits_size
            ),
            shelf=Shelf(database, clock),
            announcer=Announcer(events),
            images=images,
            snapshots=storage.snapshots,
            throw_away=lambda path: storage.disposal.add([storage.root.move_aside(path)]),
            planner=Planner(configured, paths, host, runtimes),
            runtimes=runtimes,
            shims=shims,
            pending=HangupWatch(),
            networks=networks,
            plugging=open_plugging(settings, networks, clock),
            publications=Publications(),
            volumes=Volumes(database, storage.volumes, events, clock, trash, plugins=plugins),
            trash=trash,
            plugins=plugins,
            start_again=start.schedule,
            end_unhealthy=stop.schedule_end,
            mapped_owners=owners,
            keeps_strangers=bool(database.suspicion),
            background=Background(),
        )
        engine = cls(
            context,
            database=database,
            images=images,
            events=events,
            shims=shims,
            storage=storage,
            networks=networks,
            scopes=scopes,
        )
        loaded = context.shelf.load()
        if not context.keeps_strangers:
            await images.recover(
                [*(c.id for c in loaded), *(item.id for item in trash.of(EventType.CONTAINER))],
                running=any(container.record.state.alive for container in loaded),
            )
        await shims.open()
        managed = engine.managed if database.load(_ANY_PLUGIN) else None
        if managed is not None:
            await managed.recover()
        await context.volumes.open(keeps_strangers=context.keeps_strangers)
        volumes.catch_up(context)
        await networks.open()
        networking.claim(context)
        await recovery.recover(context)
        await networking.recover(context)
        if managed is not None:
            await managed.start_wanted()
        await context.volumes.mounts.settle()
        await recovery.start_wanted(context)
        engine.trash.keep_time()
        engine._keep_log_budget()
        return engine

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should look at, in one sentence each."""
        told = self._database.suspicion
        if not told:
            return ()
        place = f"{self._context.settings.data_root}/{DATABASE}.restored"
        return (f"{told}. What has no record any more stays on the disk until {place} is removed",)

    @property
    def reasons(self) -> "Reasons":
        """Who says why things are as they are; loaded when somebody asks."""
        if self._reasons is None:
            service = import_module("boxship.engine.why.service")
            self._reasons = service.Reasons(self._context, self.images, self._database)
        return cast("Reasons", self._reasons)

    @property
    def metrics(self) -> "Metrics":
        """What is measured; loaded when somebody asks."""
        service = import_module("boxship.engine.metrics.service")
        return cast("Metrics", service.Metrics(self._context, self.images, self.events))

    @property
    def builds(self) -> "Builder":
        """Who builds images; loaded when somebody builds."""
        if self._builds is None:
            service = import_module("boxship.engine.build.service")
            self._builds = service.Builds(self._context, self.images, self._storage, self._database)
        return cast("Builder", self._builds)

    @property
    def managed(self) -> "ManagedPlugins":
        """Who has the managed plugins; loaded when there are some, or somebody asks."""
        if self._managed is None:
            service = import_module("boxship.engine.managed.service")
            self._managed = service.ManagedPlugins(
                self._context, self._database, self.events, lambda: self.images.registries
            )
        return cast("ManagedPlugins", self._managed)

    @property
    def uploads(self) -> "Uploads":
        """Who takes in contexts of builds; loaded likewise."""
        return cast("Uploads", import_module("boxship.engine.build.uploads").Uploads(self._storage))

    @property
    def adoption(self) -> "Adoption":
        """Who takes objects of other engines over; loaded likewise."""
        service = import_module("boxship.engine.adoption.service")
        return cast("Adoption", service.Adoption(self._context, self._storage))

    @property
    def access(self) -> "Access":
        """Who knows scopes; loaded likewise."""
        if self._access is None:
            service = import_module("boxship.engine.access.service")
            audit = import_module("boxship.engine.access.audit")
            self._access = service.Access(
                self._scopes,
                self._database,
                self._context.clock,
                audit.AuditLog(f"{self._context.settings.data_root}/{ACCESS}"),
            )
        return cast("Access", self._access)

    @property
    def has_scopes(self) -> bool:
        """Tell whether there were any when the engine was opened; it loads nothing."""
        return bool(self._scopes)

    @property
    def storage_driver(self) -> str:
        """What makes the file systems of new containers."""
        return self._context.snapshots.name

    @property
    def launcher_pid(self) -> int:
        """The launcher's process; 0 while it is being started again."""
        return self._shims.pid

    @property
    def settings(self) -> EngineSettings:
        """What is configured now."""
        return self._context.settings

    def reconfigure(self, settings: EngineSettings) -> None:
        """Take over what can be changed while it runs; containers that run go on as they are."""
        context, before = self._context, self._context.settings
        context.configured.now = settings
        context.runtimes.set(settings.runtime, settings.runtimes)
        self.trash.set_retention(settings.trash_retention_ns)
        self.images.set_keep_blobs(settings.keep_blobs)
        self._keep_log_budget()
        if (settings.registries, settings.transfers) != (before.registries, before.transfers):
            self.images.set_registries(
                Registries(settings.registries, USER_AGENT), settings.transfers
            )

    def _keep_log_budget(self) -> None:
        if self._context.settings.log_budget and not self._keeps_log_budget:
            self._keeps_log_budget = True
            budget = import_module("boxship.engine.containers.logbudget")
            task = self._context.background.spawn(budget.keep(self._context))
            task.add_done_callback(self._log_budget_over)

    def _log_budget_over(self, _: object) -> None:
        self._keeps_log_budget = False

    async def stop_containers(self, *, at_most: int) -> None:
        """Ask every container to end, all at once, and kill those that take longer.

        Each has its own stop timeout, but no more than ``at_most`` seconds (negative: no bound).
        Those whose policy says so are started again when the engine is opened the next time.
        """
        self._containers_go_on = False
        context = self._context
        running = [c for c in context.shelf if c.record.state.alive]
        await asyncio.gather(*(stop.stop_for_now(context, c, at_most=at_most) for c in running))
        if self._managed is not None:
            await self.volumes.mounts.close()  # what they have mounted goes back to them before
            await self._managed.stop_all(at_most=at_most)

    async def close(self) -> None:
        """Let go of everything; containers go on."""
        if self._builds is not None:
            await self._builds.close()
        await self.trash.close()
        await self._context.background.close()
        await self.volumes.mounts.close()
        for container in self._context.shelf:
            probing.end(container)
            oomwatch.end(container)
            if container.shim is not None:
                link, container.shim = container.shim, None
                link.close()
        if self._managed is not None:
            self._managed.close()
        self._context.pending.close()
        await self._context.plugging.close()
        self._context.publications.close()
        await self._context.shims.close()
        await self.networks.close()
        self.images.registries.close()
        await self.plugins.close(leave=self._containers_go_on)
        self.events.close()
        if self._access is not None:
            self._access.audit.close()
        self._database.close()
        if self._context.mapped_owners >= 0:
            os.close(self._context.mapped_owners)
