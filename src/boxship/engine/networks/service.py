"""All networks there are: looking, creating, removing, and leases of addresses.

The record is the commit point. A network's interface is made before its record is committed and
goes after the record did; an interface of ours without a record is removed at start-up. Everything
here is called from the event loop; what blocks is done in the network thread. ::

    create   name, subnets (memory) → interface → firewall → record → found
    remove   nobody on it → record gone, not found any more → firewall → interface → name free
"""

import asyncio
import builtins
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from boxship.base.clock import Clock
from boxship.base.errors import BoxshipError, NotFoundError, UnavailableError
from boxship.base.ids import new_id
from boxship.engine.events.bus import EventBus
from boxship.engine.networks import interfaces, listing, making, startup, wishes
from boxship.engine.networks.endpoint import EndpointRecord, host_name
from boxship.engine.networks.fabric import Fabric, HostView
from boxship.engine.networks.leases import Leases
from boxship.engine.networks.pools import refuse_taken
from boxship.engine.networks.pruning import Pruning
from boxship.engine.networks.record import (
    BRIDGE,
    NetworkRecord,
    decode_record,
    encode_record,
    predefined_id,
)
from boxship.engine.networks.remote import RemoteNetworks
from boxship.engine.networks.removing import check_unused
from boxship.engine.networks.requests import (
    CreatedNetwork,
    CreateNetwork,
    NetworkDetail,
    NetworkPrune,
    NetworkQuery,
    Tenant,
)
from boxship.engine.networks.shelf import NetworkShelf
from boxship.engine.networks.walls import NoWalls, Walls
from boxship.engine.networks.worker import NetworkWorker
from boxship.engine.plugins.entry import PluginEntry
from boxship.engine.records.database import Database
from boxship.engine.records.trash import TrashBin, TrashItem, Wrap
from boxship.engine.settings import NetworkSettings, PluginSettings
from boxship.model.event import EventType
from boxship.model.statistics import InterfaceStatistics

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Networks:
    """The networks of one engine. Not thread-safe: call it from the event loop."""

    def __init__(
        self,
        database: Database,
        events: EventBus,
        clock: Clock,
        settings: NetworkSettings,
        fabric: Fabric,
        *,
        exec_root: str = interfaces.DEFAULT_EXEC_ROOT,
        identity: bytes = b"",
        trash: TrashBin | None = None,
        plugins: PluginEntry | None = None,
    ) -> None:
        """``identity`` is this engine's, for private IPv6 ranges that others don't have."""
        self._trash = TrashBin(database, clock) if trash is None else trash
        self.settings = settings
        self.worker = NetworkWorker()
        self.walls: Walls = NoWalls()
        """Where the firewall hears of networks; set before :meth:`create` is called."""
        self.fenced: tuple[int, ...] = ()
        """Versions of IP that the host forwards because we have it so. It is to be a router for our
        networks alone, which the firewall sees to; empty with ``ip_forward_no_drop``."""
        self._shelf = NetworkShelf(database, clock)
        plugins = PluginEntry(PluginSettings()) if plugins is None else plugins
        self.remote = RemoteNetworks(plugins)
        plugins.add_users(lambda name: self.remote.of_driver(name, self._shelf))
        self._events = events
        self._clock = clock
        self._fabric = fabric
        self._site = startup.Site(settings, exec_root, identity)
        self._leases: dict[str, Leases] = {}
        self._broken: dict[str, str] = {}
        """Why a network's interface is not there, by its id."""
        self._pruning = Pruning(self._shelf, self._in_use, self.remove)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Load the records, make the default bridge and every interface that is missing.

        Endpoints of containers that still run are claimed afterwards, by :meth:`adopt`. A network
        whose interface cannot be made stays, and says why when somebody wants to be on it.
        InvalidArgumentError: the daemon's options for the default bridge cannot be.
        """
        earlier = self._shelf.load()
        view = await self._look()
        for record in startup.predefined(self._site, earlier, view, self._clock.now_ns()):
            if earlier.get(record.name) != record:
                await self._shelf.add(record, "configure")
        if self.settings.bridge == "none" and BRIDGE in earlier:
            await self._shelf.take_away(earlier[BRIDGE])
            self._shelf.forget(earlier[BRIDGE].id, BRIDGE)
        for record in self._shelf:
            self._leases[record.id] = Leases(record)
            await self._restore(record)
        await self._sweep()

    async def _look(self) -> HostView:
        beside = [record.interface for record in self._shelf if record.interface]
        beside.append(self._site.bridge_name)
        try:
            return await self.worker.run(self._fabric.look, beside=beside)
        except UnavailableError as error:
            _log.error("networks: %s", error)
            return HostView()

    async def _restore(self, record: NetworkRecord) -> None:
        try:
            await self._make_interface(record)
        except BoxshipError as error:
            self._broken[record.id] = str(error)
            _log.error("network %s cannot be used: %s", record.name, error)
        else:
            self._broken.pop(record.id, None)

    async def _sweep(self) -> None:
        keep = [record.interface for record in self._shelf]
        try:
            names = await self.worker.run(self._fabric.sweep, keep)
        except UnavailableError as error:
            _log.error("networks: %s", error)
        else:
            if names:
                _log.info("removed interfaces without a network: %s", ", ".join(names))

    async def close(self) -> None:
        """Let go; interfaces stay, for the containers that go on."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.remote.close()
        await asyncio.to_thread(self.worker.close)
        self._fabric.close()

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    @property
    def bridge(self) -> NetworkRecord | None:
        """The default network; None with ``bridge=none``."""
        wanted = predefined_id(BRIDGE)
        return next((record for record in self._shelf if record.id == wanted), None)

    def find(self, reference: str) -> NetworkRecord:
        """Return a network by its whole id, name, or beginning of its id, tried in this order.

        NotFoundError; InvalidArgumentError: several ids begin so.
        """
        return self._shelf.find(reference)

    def list(self, query: NetworkQuery | None = None) -> builtins.list[NetworkRecord]:
        """Return the networks, newest first. InvalidArgumentError: an unknown filter."""
        wanted = listing.chooser((query or NetworkQuery()).filters, self._in_use)
        found = [record for record in self._shelf if wanted(record)]
        return sorted(found, key=lambda record: (-record.created_ns, record.name))

    def inspect(self, reference: str) -> NetworkDetail:
        """Return a network with those on it. Errors as of :meth:`find`."""
        record = self.find(reference)
        leases = self._leases[record.id]
        return NetworkDetail(record, tuple(leases), leases.usage())

    async def traffic(self, reference: str) -> dict[str, InterfaceStatistics]:
        """Return what the containers on a network have received and sent there, by their ids.

        Those whose interface the host does not see (macvlan) are left out. NotFoundError;
        UnavailableError: the kernel refuses.
        """
        leases = tuple(self._leases[self.find(reference).id])
        counters = await self.worker.run(self._fabric.counters)
        names = {lease.tenant.id: host_name(lease.endpoint.endpoint_id) for lease in leases}
        return {tenant: counters[name] for tenant, name in names.items() if name in counters}

    def _in_use(self, record: NetworkRecord) -> bool:
        leases = self._leases.get(record.id)
        return leases is not None and len(leases) > 0  # None: removed since it was looked at

    # ── making and removing ──────────────────────────────────────────────────────────────────

    async def create(self, request: CreateNetwork) -> CreatedNetwork:
        """Make a network. A caller that is cancelled cancels nothing.

        InvalidArgumentError: what is asked makes no sense; ConflictError: the name is taken;
        ForbiddenError: the subnet overlaps, or the name is a predefined network's;
        NotFoundError: no such driver; UnavailableError: the kernel refuses, or no subnet is free.
        """
        return await self._to_its_end(self._create(request))

    async def _create(self, request: CreateNetwork) -> CreatedNetwork:
        making.check_name(request.name)
        origin = request.origin
        identity = origin.id if origin else new_id()
        now_ns = origin.created_ns if origin else self._clock.now_ns()
        self._shelf.reserve(request.name, identity)
        try:
            async with self.remote.prepared(request) as prepared:
                beside = [*self._interfaces(), *interfaces.left_by(origin)]
                view = await self.worker.run(self._fabric.look, beside=beside)
                around = prepared.within(self._site.surroundings(self._shelf.everything(), view))
                made = making.make(prepared.request, around, identity=identity, now_ns=now_ns)
                record = prepared.record(made.record)
            self._shelf.prepare(record)
            await self._bring_up(record)
        except BaseException:
            self._shelf.forget(identity, request.name)
            raise
        self._leases[identity] = Leases(record)
        self._say(record, "create")
        return CreatedNetwork(identity, "; ".join(made.warnings))

    async def restore(self, item: TrashItem, name: str = "") -> NetworkRecord:
        """Make one again that was removed, under another ``name`` if one is given.

        ConflictError: the name is taken; ForbiddenError: so is a subnet of it.
        """
        return await self._to_its_end(self._restore_removed(item, name))

    async def _restore_removed(self, item: TrashItem, name: str) -> NetworkRecord:
        record = decode_record(item.body)
        record = msgspec.structs.replace(record, name=name or record.name)
        making.check_name(record.name)
        self._shelf.reserve(record.name, record.id)
        try:
            refuse_taken(record.ipam, making.networks_taken(self._shelf.everything()))
            self._shelf.prepare(record)
            await self._bring_up(record, self._trash.taking(item))
        except BaseException:
            self._shelf.forget(record.id, record.name)
            raise
        self._trash.taken(item)
        self._leases[record.id] = Leases(record)
        self._say(record, "restore")
        return record

    async def _bring_up(self, record: NetworkRecord, also: Wrap = lambda change: change) -> None:
        """Interface, firewall, record; what was done is undone if the rest fails."""
        try:
            await self._make_interface(record)
            await self.remote.create(record)
            await self.walls.add(record)
            await self._shelf.add(record, also=also)
        except BaseException:
            await self._take_down(record)
            raise

    async def _make_interface(self, record: NetworkRecord) -> None:
        plan = interfaces.plan(record)
        if plan is None:
            return
        await self.worker.run(self._fabric.make, plan)
        if record.driver == "bridge" and not record.internal and self.settings.ip_forward:
            await self._forward(record)

    async def _forward(self, record: NetworkRecord) -> None:
        families = {"ipv4": record.enable_ipv4, "ipv6": record.enable_ipv6}
        try:
            ours = await self.worker.run(self._fabric.forward, **families)
        except UnavailableError as error:  # containers still reach one another
            _log.warning("network %s: %s", record.name, error)
        else:
            self.fenced = () if self.settings.ip_forward_no_drop else ours

    async def _take_down(self, record: NetworkRecord) -> None:
        """Remove a network's rules and interface; what fails is done at the next start-up."""
        await self.remote.delete(record)
        try:
            await self.walls.remove(record)
            shared = any(
                other.interface == record.interface
                for other in self._shelf.everything()
                if other.id != record.id
            )
            if record.interface and record.owns_interface and not shared:
                await self.worker.run(self._fabric.remove, record.interface)
        except BoxshipError as error:
            _log.error("network %s: %s", record.name, error)

    async def remove(self, reference: str) -> None:
        """Remove a network. NotFoundError; ForbiddenError: predefined, or somebody is on it."""
        await self._to_its_end(self._remove(self.find(reference)))

    async def _remove(self, record: NetworkRecord) -> None:
        record = self._shelf.get(record.id)  # two may want to remove it
        check_unused(record, tuple(self._leases[record.id]), self._shelf)
        body = encode_record(record)
        kept = None
        if not (record.remote or record.remote_pools):  # a plugin forgets what was its
            kept = self._trash.item(EventType.NETWORK, record.id, record.name, body)
        await self._shelf.take_away(record, self._trash.putting(kept))
        self._trash.put(kept)
        try:
            await self._take_down(record)
        finally:
            self._shelf.forget(record.id, record.name)
            self._leases.pop(record.id, None)
            self._broken.pop(record.id, None)
        self._say(record, "destroy")

    async def prune(self, wanted: NetworkPrune) -> tuple[str, ...]:
        """Remove the networks nobody is on, and return their names. ConflictError: one runs."""
        names = await self._pruning.prune(wanted)
        self._events.publish(EventType.NETWORK, "prune", "", {"reclaimed": "0"})
        return names

    def plan_prune(self, wanted: NetworkPrune) -> tuple[str, ...]:
        """Return the names of those that :meth:`prune` would remove now."""
        return self._pruning.plan(wanted)

    async def _to_its_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Go on with it even if the caller is cancelled: nothing half-made stays behind."""
        task = asyncio.ensure_future(work)
        self._keep(task)
        return await asyncio.shield(task)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _interfaces(self) -> builtins.list[str]:
        return [record.interface for record in self._shelf.everything() if record.interface]

    # ── endpoints ────────────────────────────────────────────────────────────────────────────

    def check_wish(self, wish: EndpointRecord) -> EndpointRecord:
        """Look at what a container asks of a network before anything is made.

        ``wish.network`` may be a name or (the beginning of) an id; the answer has the network's
        full id and its name, and addresses in canonical form. NotFoundError: no such network;
        InvalidArgumentError names what does not fit: an address outside of the network's subnets,
        one on a network whose subnet nobody chose, a bad MAC address, alias or driver option.
        """
        return wishes.checked(self.find(wish.network), wish)

    def lease(self, wish: EndpointRecord, tenant: Tenant) -> EndpointRecord:
        """Give an endpoint its id, addresses, gateways and MAC address, in memory, at once.

        Of the answer, ``interface`` and ``host_interface`` are the caller's to fill in. On ``host``
        and ``none`` there are no addresses. NotFoundError: the network is gone (or is being
        removed); ForbiddenError: the address asked for is in use; UnavailableError: no address is
        free, or the network's interface could not be made.
        """
        record = self._shelf.get(wish.network_id)
        if (reason := self._broken.get(record.id)) is not None:
            self._keep(asyncio.ensure_future(self._restore(record)))  # for who tries again
            raise UnavailableError(f"network {record.name} cannot be used: {reason}")
        return self._leases[record.id].grant(wish, tenant)

    def adopt(self, endpoint: EndpointRecord, tenant: Tenant) -> None:
        """Claim what a running container of an earlier daemon has. Errors as of :meth:`lease`."""
        record = self._shelf.get(endpoint.network_id)
        self._leases[record.id].adopt(endpoint, tenant)

    def release(self, endpoint: EndpointRecord) -> None:
        """Take back what :meth:`lease` or :meth:`adopt` gave; twice does no harm."""
        leases = self._leases.get(endpoint.network_id)
        if leases is not None:
            leases.end(endpoint.endpoint_id)

    def end(self, endpoint: EndpointRecord) -> None:
        """Take an endpoint back, and tell plugins that have a part in it."""
        self.release(endpoint)
        with suppress(NotFoundError):  # its network has gone, and all that is on it
            self.remote.left(self._shelf.get(endpoint.network_id), endpoint)

    def rename(self, container_id: str, name: str) -> None:
        """Show a tenant by another name from now on."""
        for leases in self._leases.values():
            leases.rename(container_id, name)

    def announce(self, action: str, endpoint: EndpointRecord, tenant: Tenant) -> None:
        """Publish ``connect`` or ``disconnect`` of a container, with Docker's attributes."""
        try:
            record = self._shelf.get(endpoint.network_id)
        except BoxshipError:
            return
        self._say(record, action, container=tenant.id)

    def _say(self, record: NetworkRecord, action: str, **more: str) -> None:
        attributes = {**more, "name": record.name, "type": record.driver}
        self._events.publish(EventType.NETWORK, action, record.id, attributes)
