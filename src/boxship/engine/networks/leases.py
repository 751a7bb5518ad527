"""Who is on a network, and with which addresses, while it is: in memory, per network."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, ip_address, ip_interface

import msgspec

from boxship.base.errors import ForbiddenError, InvalidArgumentError, UnavailableError
from boxship.base.ids import new_id
from boxship.engine.networks import pools
from boxship.engine.networks.addresses import Address, Allocator, mac_of
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.record import NetworkRecord
from boxship.engine.networks.requests import Lease, SubnetUse, Tenant

DEFAULT_GATEWAYS = {4: "DefaultGatewayIPv4", 6: "DefaultGatewayIPv6"}
"""Names of auxiliary addresses that are the way out instead of the bridge's own, as Docker's."""


class Leases:
    """The endpoints of one network that are in use. Not thread-safe."""

    def __init__(self, network: NetworkRecord) -> None:
        self._network = network
        self._allocators = pools.allocators(network.ipam)
        self._by_endpoint: dict[str, Lease] = {}

    def __len__(self) -> int:
        return len(self._by_endpoint)

    def __iter__(self) -> Iterator[Lease]:
        return iter(tuple(self._by_endpoint.values()))

    def grant(self, wish: EndpointRecord, tenant: Tenant) -> EndpointRecord:
        """Fill in a wish. ForbiddenError: an address is in use; UnavailableError: none is left."""
        taken: list[Address] = []
        try:
            for version, asked in ((4, wish.ipv4_asked), (6, wish.ipv6_asked)):
                if self._allocators[version]:
                    taken.append(self._take(version, asked))
        except (ForbiddenError, InvalidArgumentError, UnavailableError):
            self._give_back(taken)
            raise
        endpoint = self._filled(wish, taken)
        self._by_endpoint[endpoint.endpoint_id] = Lease(endpoint, tenant)
        return endpoint

    def adopt(self, endpoint: EndpointRecord, tenant: Tenant) -> None:
        """Enter an endpoint that has its addresses. ForbiddenError: another has one of them.

        Addresses outside of the subnets, which may be others by now, are nobody else's.
        """
        taken: list[Address] = []
        try:
            for address in _addresses(endpoint):
                if (allocator := self._of(address)) is not None:
                    allocator.take(address)
                    taken.append(address)
        except ForbiddenError:
            self._give_back(taken)
            raise
        self._by_endpoint[endpoint.endpoint_id] = Lease(endpoint, tenant)

    def end(self, endpoint_id: str) -> None:
        """Take an endpoint's addresses back; twice does no harm."""
        lease = self._by_endpoint.pop(endpoint_id, None)
        if lease is not None:
            self._give_back(_addresses(lease.endpoint))

    def rename(self, container_id: str, name: str) -> None:
        """Show a tenant by another name."""
        for endpoint_id, lease in self._by_endpoint.items():
            if lease.tenant.id == container_id:
                self._by_endpoint[endpoint_id] = Lease(lease.endpoint, Tenant(container_id, name))

    def usage(self) -> tuple[SubnetUse, ...]:
        """Return how full each subnet is."""
        return tuple(
            SubnetUse(str(allocator.subnet), allocator.in_use, allocator.available)
            for version in (4, 6)
            for allocator in self._allocators[version]
        )

    def _take(self, version: int, asked: str) -> Address:
        allocators = self._allocators[version]
        if asked:
            address = ip_address(asked)
            allocator = next((a for a in allocators if address in a), allocators[0])
            allocator.take(address)
            return address
        for allocator in allocators[:-1]:
            if allocator.available:
                return allocator.lowest()
        try:
            return allocators[-1].lowest()
        except UnavailableError:
            network = self._network
            raise UnavailableError(
                f"no available IPv{version} addresses on this network's address pools: "
                f"{network.name} ({network.id})"
            ) from None

    def _give_back(self, addresses: Iterable[Address]) -> None:
        for address in addresses:
            if (allocator := self._of(address)) is not None:
                allocator.release(address)

    def _of(self, address: Address) -> Allocator | None:
        return next((a for a in self._allocators[address.version] if address in a), None)

    def _filled(self, wish: EndpointRecord, addresses: list[Address]) -> EndpointRecord:
        identity = new_id()
        texts = {4: "", 6: ""}
        for address in addresses:
            allocator = self._of(address)
            assert allocator is not None
            texts[address.version] = f"{address}/{allocator.subnet.prefixlen}"
        return msgspec.structs.replace(
            wish,
            endpoint_id=identity,
            mac=self._mac(wish, addresses, identity),
            ipv4=texts[4],
            gateway=self._gateway(4, texts[4]),
            ipv6=texts[6],
            ipv6_gateway=self._gateway(6, texts[6]),
        )

    def _mac(self, wish: EndpointRecord, addresses: list[Address], identity: str) -> str:
        if self._network.remote:
            return wish.mac_asked  # its plugin may choose one
        if self._network.driver not in ("bridge", "macvlan"):
            return ""  # an ipvlan has its parent's, host and none have nothing
        if wish.mac_asked:
            return wish.mac_asked
        for address in addresses:
            if isinstance(address, IPv4Address):
                return mac_of(address)
        return "02:42:" + ":".join(identity[at : at + 2] for at in range(0, 8, 2))

    def _gateway(self, version: int, address: str) -> str:
        """Return the way out for an endpoint; empty if there is none."""
        network = self._network
        if not address or network.internal:
            return ""
        if network.driver in ("macvlan", "ipvlan") and not network.options.get("parent"):
            return ""
        mine = ip_interface(address).ip
        for pool in network.ipam:
            allocator = self._of(mine)
            if allocator is not None and pool.subnet == str(allocator.subnet):
                return pool.aux.get(DEFAULT_GATEWAYS[version], pool.gateway)
        return ""


def _addresses(endpoint: EndpointRecord) -> list[Address]:
    return [ip_interface(text).ip for text in (endpoint.ipv4, endpoint.ipv6) if text]
