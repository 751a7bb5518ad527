"""All networks there are: looking, creating, removing, and leases of addresses.

The record is the commit point. A network's bridge is made before its record is committed and goes
after the record did; a bridge of ours without a record is removed at start-up. Everything here is
called from the event loop; what blocks is done in the network thread.
"""

import builtins

from boxship.base.clock import Clock
from boxship.engine.events.bus import EventBus
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.record import NetworkRecord
from boxship.engine.networks.requests import (
    CreatedNetwork,
    CreateNetwork,
    NetworkDetail,
    NetworkPrune,
    NetworkQuery,
    Tenant,
)
from boxship.engine.networks.worker import NetworkWorker
from boxship.engine.records.database import Database
from boxship.engine.settings import NetworkSettings


class Networks:
    """The networks of one engine. Not thread-safe: call it from the event loop."""

    def __init__(
        self,
        database: Database,
        events: EventBus,
        clock: Clock,
        settings: NetworkSettings,
        worker: NetworkWorker,
    ) -> None:
        self._database = database
        self._events = events
        self._clock = clock
        self.settings = settings
        self.worker = worker

    async def open(self) -> None:
        """Load the records, make the default bridge and every bridge that is missing.

        Endpoints of containers that still run are claimed afterwards, by :meth:`adopt`.
        """

    async def close(self) -> None:
        """Let go; bridges stay, for the containers that go on."""

    @property
    def bridge(self) -> NetworkRecord | None:
        """The default network; None with ``bridge=none``."""
        raise NotImplementedError

    def find(self, reference: str) -> NetworkRecord:
        """Return a network by its name, id, or beginning of its id, in Docker's order.

        NotFoundError; InvalidArgumentError: several ids begin so.
        """
        raise NotImplementedError

    def list(self, query: NetworkQuery | None = None) -> builtins.list[NetworkRecord]:
        """Return the networks, oldest first. InvalidArgumentError: an unknown filter."""
        raise NotImplementedError

    def inspect(self, reference: str) -> NetworkDetail:
        """Return a network with those on it. Errors as of :meth:`find`."""
        raise NotImplementedError

    async def create(self, request: CreateNetwork) -> CreatedNetwork:
        """Make a network.

        InvalidArgumentError: what is asked makes no sense; ConflictError: the name is taken;
        ForbiddenError: the subnet overlaps, or the name is a predefined network's;
        NotFoundError: no such driver; UnavailableError: the kernel refuses.
        """
        raise NotImplementedError

    async def remove(self, reference: str) -> None:
        """Remove a network. NotFoundError; ForbiddenError: predefined, or somebody is on it."""
        raise NotImplementedError

    async def prune(self, wanted: NetworkPrune) -> tuple[str, ...]:
        """Remove the networks nobody is on, and return their names. ConflictError: one runs."""
        raise NotImplementedError

    def check_wish(self, wish: EndpointRecord) -> EndpointRecord:
        """Look at what a container asks of a network before anything is made.

        ``wish.network`` may be a name or (the beginning of) an id; the answer has the network's
        full id and its name, and addresses in canonical form. NotFoundError: no such network;
        InvalidArgumentError names what does not fit: an address outside of the network's subnets,
        one on a network whose subnet nobody chose, a bad MAC address, alias or driver option.
        """
        raise NotImplementedError

    def lease(self, wish: EndpointRecord, tenant: Tenant) -> EndpointRecord:
        """Give an endpoint its id, addresses, gateways and MAC address, in memory, at once.

        Of the answer, ``interface`` and ``host_interface`` are the caller's to fill in. On ``host``
        and ``none`` there are no addresses. NotFoundError: the network is gone (or is being
        removed); ConflictError: no address is free, or the one asked for is in use.
        """
        raise NotImplementedError

    def adopt(self, endpoint: EndpointRecord, tenant: Tenant) -> None:
        """Claim what a running container of an earlier daemon has. Errors as of :meth:`lease`."""
        raise NotImplementedError

    def release(self, endpoint: EndpointRecord) -> None:
        """Take back what :meth:`lease` or :meth:`adopt` gave; twice does no harm."""
        raise NotImplementedError

    def rename(self, container_id: str, name: str) -> None:
        """Show a tenant by another name from now on."""
        raise NotImplementedError

    def announce(self, action: str, endpoint: EndpointRecord, tenant: Tenant) -> None:
        """Publish ``connect`` or ``disconnect`` of a container, with Docker's attributes."""
        raise NotImplementedError
