"""A container as its networks see it, and what follows from that; pure.

A plug is all that decides about interfaces, routes, names and firewall of one running container.
Whatever changes while it runs is the difference between two plugs.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from typing import NamedTuple

import msgspec

from boxship.engine.networks.endpoint import EndpointRecord, host_name
from boxship.engine.networks.options import PREFIX_INSIDE, bridge_options, parent_options
from boxship.engine.networks.record import NetworkRecord
from boxship.engine.networks.requests import Tenant
from boxship.engine.networks.wishes import IFNAME, SYSCTLS
from boxship.engine.settings import UserMaps
from boxship.model.ports import PublishedPort
from boxship.net.links import Interface, Network
from boxship.net.owned import Owner, Users
from boxship.net.sandbox import Nic, Route

Records = Mapping[str, NetworkRecord]
"""Networks by id."""

_ANY: dict[int, Network] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}


class NamespacePaths(NamedTuple):
    """Namespaces that were made before a container that joins them; empty: it makes its own."""

    network: str = ""
    user: str = ""
    """That the one of the network belongs to."""


NOTHING_MADE = NamespacePaths()


@dataclass(frozen=True)
class Upstreams:
    """Where the container's resolver sends what it does not know."""

    servers: tuple[str, ...] = ()
    forwards_single_labels: bool = True


@dataclass(frozen=True)
class Link:
    """Another container under a name of one's own (``--link``)."""

    alias: str
    container_id: str
    ports: tuple[tuple[str, int, int], ...] = ()
    """What the other one exposes: protocol, first, last. With them its bridge lets us through even
    if it lets nobody else (``enable_icc=false``)."""


@dataclass(frozen=True)
class Plug:
    """A container that runs, or is about to. ``endpoints`` have their leases."""

    tenant: Tenant
    endpoints: tuple[EndpointRecord, ...] = ()
    ports: tuple[PublishedPort, ...] = ()
    egress: tuple[str, ...] = ()
    hostname: str = ""
    upstreams: Upstreams = Upstreams()
    links: tuple[Link, ...] = ()
    """On the default bridge; those of other networks are in their endpoints."""
    users: Users = None
    """Who is root over its network namespace, while that is made."""

    def on(self, network_id: str) -> EndpointRecord | None:
        """Return its endpoint on a network, if it has one."""
        return next((e for e in self.endpoints if e.network_id == network_id), None)


def owner(maps: UserMaps | None) -> Owner | None:
    """Return whom the namespace of a container belongs to that has its own user namespace."""
    if maps is None:
        return None
    return Owner(
        tuple((one.container_id, one.host_id, one.size) for one in maps.uids),
        tuple((one.container_id, one.host_id, one.size) for one in maps.gids),
    )


# ── interfaces ───────────────────────────────────────────────────────────────────────────────


def named(endpoints: Iterable[EndpointRecord], records: Records) -> tuple[EndpointRecord, ...]:
    """Give the leased endpoints that have no interface yet the names of theirs.

    Inside it is the lowest free number behind the network's prefix, unless the endpoint's driver
    options have a name; outside it follows from the endpoint's id.
    """
    endpoints = tuple(endpoints)
    wished = {(e.driver_opts or {}).get(IFNAME, "") for e in endpoints}
    taken = {e.interface for e in endpoints} | wished
    found = []
    for endpoint in endpoints:
        record = records[endpoint.network_id]
        if endpoint.interface or not (has_interface(record) or _is_moved(endpoint)):
            found.append(endpoint)
            continue
        prefix = endpoint.joined.prefix if endpoint.joined else record.options.get(PREFIX_INSIDE)
        name = (endpoint.driver_opts or {}).get(IFNAME) or _free_name(prefix or "eth", taken)
        taken.add(name)
        outside = host_name(endpoint.endpoint_id) if kind_of(record) == "veth" else ""
        found.append(msgspec.structs.replace(endpoint, interface=name, host_interface=outside))
    return tuple(found)


def _is_moved(endpoint: EndpointRecord) -> bool:
    return endpoint.joined is not None and bool(endpoint.joined.source)


def _free_name(prefix: str, taken: set[str]) -> str:
    return next(name for i in range(len(taken) + 1) if (name := f"{prefix}{i}") not in taken)


def has_interface(record: NetworkRecord) -> bool:
    """Tell whether we make an interface for containers on this network.

    Not for ``none`` and ``host``, and not where a plugin drives it, which makes them itself.
    """
    return record.driver in _KINDS


def needs_sandbox(endpoint: EndpointRecord, record: NetworkRecord) -> bool:
    """Tell whether an endpoint has an interface in the container's namespace, whoever made it."""
    return has_interface(record) or record.remote


def kind_of(record: NetworkRecord) -> str:
    """Return the kind of interface that a network's driver gives; ``moved``: a plugin makes it."""
    return _KINDS.get(record.driver, "moved")


_KINDS = {"bridge": "veth", "macvlan": "macvlan", "ipvlan": "ipvlan"}


def nic_of(endpoint: EndpointRecord, record: NetworkRecord) -> Nic:
    """Return the interface that an endpoint is."""
    sysctls = _sysctls((endpoint.driver_opts or {}).get(SYSCTLS, ""))
    if record.driver == "bridge":
        options = bridge_options(record.options)
        return Nic(
            attach_to=record.interface,
            name=endpoint.interface,
            host_name=endpoint.host_interface,
            mac=endpoint.mac,
            addresses=addresses(endpoint),
            mtu=options.mtu,
            sysctls=sysctls,
        )
    if endpoint.joined is not None:
        return Nic(
            attach_to=endpoint.joined.source,
            name=endpoint.interface,
            kind="moved",
            mac=endpoint.mac,
            addresses=addresses(endpoint),
            sysctls=sysctls,
        )
    parent = parent_options(record.driver, record.options)
    return Nic(
        attach_to=record.interface,
        name=endpoint.interface,
        kind=kind_of(record),
        mac=endpoint.mac if record.driver == "macvlan" else "",
        addresses=addresses(endpoint),
        mtu=parent.mtu,
        mode="/".join(filter(None, (parent.mode, parent.flag))),
        sysctls=sysctls,
    )


def addresses(endpoint: EndpointRecord) -> tuple[Interface, ...]:
    """Return the addresses of an endpoint with their prefixes, link-local ones last."""
    leased = (ip_interface(text) for text in (endpoint.ipv4, endpoint.ipv6) if text)
    return (*leased, *map(_link_local, endpoint.link_local))


def _link_local(text: str) -> Interface:
    address = ip_address(text)
    return ip_interface(f"{address}/{16 if address.version == 4 else 64}")


def bare(address: str) -> str:
    """Return an address without its prefix."""
    return address.partition("/")[0]


def _sysctls(text: str) -> tuple[tuple[str, str], ...]:
    """Read ``net.ipv4.conf.IFNAME.log_martians=1,…``."""
    pairs = (word.partition("=") for word in text.split(",") if word)
    return tuple((key.strip(), value.strip()) for key, _, value in pairs)


# ── routes ───────────────────────────────────────────────────────────────────────────────────


def gateway_endpoint(
    endpoints: Iterable[EndpointRecord], records: Records, family: int
) -> EndpointRecord | None:
    """Return the endpoint that the default route of a family leads through, as Docker chooses.

    The highest priority, then the first by its network's name; no internal network is one.
    """
    able = [
        endpoint
        for endpoint in endpoints
        if (endpoint.gateway if family == 4 else endpoint.ipv6_gateway)
        and not records[endpoint.network_id].internal
    ]
    return min(able, key=lambda e: (-e.gw_priority, e.network), default=None)


def routes(endpoints: Iterable[EndpointRecord], records: Records) -> tuple[Route, ...]:
    """Return the routes of a container with these endpoints: default ones, and plugins' own."""
    endpoints = tuple(endpoints)
    found = []
    for family, network in _ANY.items():
        endpoint = gateway_endpoint(endpoints, records, family)
        if endpoint is None:
            continue
        text = endpoint.gateway if family == 4 else endpoint.ipv6_gateway
        direct = records[endpoint.network_id].options.get("ipvlan_mode", "").startswith("l3")
        gateway = None if direct else ip_address(text)
        found.append(Route(network, gateway, endpoint.interface))
    return (*found, *(route for endpoint in endpoints for route in _static(endpoint)))


def _static(endpoint: EndpointRecord) -> Iterator[Route]:
    """Yield the routes that a network's plugin wants."""
    for route in endpoint.joined.routes if endpoint.joined else ():
        via = ip_address(route.via) if route.via else None
        yield Route(ip_network(route.destination, strict=False), via, endpoint.interface)


# ── names ────────────────────────────────────────────────────────────────────────────────────


def dns_names(tenant: Tenant, endpoint: EndpointRecord, hostname: str = "") -> tuple[str, ...]:
    """Return the names a container has on a network of its own choice, the most telling first."""
    names = (tenant.name, *endpoint.aliases, tenant.id[:12], hostname)
    return tuple(dict.fromkeys(name for name in names if name))


def without(plug: Plug, network_id: str) -> Plug:
    """Return the plug without its endpoint on a network."""
    kept = tuple(e for e in plug.endpoints if e.network_id != network_id)
    return replace(plug, endpoints=kept)
