"""The names of networks, kept in step with who is on them, and what each container sees of them.

The resolver answers from zones, one per network, and a view per container. A zone changes when a
container comes or goes; a view when its container's networks change, or a container that it links
to does.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Protocol

from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.plug import Plug, Records, addresses, dns_names, needs_sandbox
from boxship.net.dns.listeners import Listener
from boxship.net.dns.zones import Member, Upstream, View, Zone
from boxship.net.namespaces import NetworkNamespace


class NameKeeper(Protocol):
    """What answers: :class:`boxship.net.dns.resolver.Resolver`. Thread-safe, does not wait."""

    def listen(self, namespace: NetworkNamespace) -> Listener:
        """Serve a namespace from now on."""
        ...

    def adopt(self, namespace: NetworkNamespace) -> Listener:
        """Serve a namespace that another resolver, which is gone, has served before."""
        ...

    def close(self, listener: Listener) -> None:
        """Serve it no more."""
        ...

    def stop(self) -> None:
        """Serve nobody any more."""
        ...

    def set_zone(self, network_id: str, zone: Zone | None) -> None:
        """Let a network have these names."""
        ...

    def set_view(self, listener: Listener, view: View) -> None:
        """Let a container see these networks."""
        ...


class Names:
    """Who is called what. Not thread-safe: the event loop's."""

    def __init__(self, keeper: NameKeeper) -> None:
        self.keeper = keeper
        self._zones: dict[str, Zone] = {}

    def join(self, plug: Plug, records: Records, networks: Iterable[str] | None = None) -> None:
        """Let a container's names be known on its networks, or on those of them that are given."""
        for endpoint in named_endpoints(plug, records):
            if networks is None or endpoint.network_id in networks:
                self._set(endpoint, records, plug)

    def leave(self, container_id: str, networks: Iterable[str]) -> None:
        """Forget a container on these networks."""
        for network in networks:
            zone = self._zones.get(network)
            if zone is None:
                continue
            left = zone.without(container_id)
            if left.members:
                self._zones[network] = left
                self.keeper.set_zone(network, left)
            else:
                del self._zones[network]
                self.keeper.set_zone(network, None)

    def _set(self, endpoint: EndpointRecord, records: Records, plug: Plug) -> None:
        network = endpoint.network_id
        zone = self._zones.get(network) or Zone(records[network].name)
        self._zones[network] = zone.with_member(plug.tenant.id, member_of(plug, endpoint))
        self.keeper.set_zone(network, self._zones[network])


def needs_names(plug: Plug, records: Records) -> bool:
    """Tell whether a container has a resolver: on the default bridge alone it has none."""
    if plug.egress:  # rules are fed by names
        return any(needs_sandbox(e, records[e.network_id]) for e in plug.endpoints)
    return any(records[e.network_id].user_defined for e in plug.endpoints)


def named_endpoints(plug: Plug, records: Records) -> list[EndpointRecord]:
    """Return those of a container's endpoints whose networks know names."""
    return [e for e in plug.endpoints if records[e.network_id].user_defined]


def member_of(plug: Plug, endpoint: EndpointRecord) -> Member:
    """Return how a container is known on a network."""
    own = tuple(str(address.ip) for address in addresses(endpoint))
    return Member(dns_names(plug.tenant, endpoint, plug.hostname), own)


def view_of(plug: Plug, records: Records, others: Mapping[str, Plug]) -> View:
    """Return what a container sees. ``others`` are those that run, by name."""
    endpoints = named_endpoints(plug, records)
    return View(
        networks=tuple(endpoint.network_id for endpoint in endpoints),
        upstream=_upstream(plug, records),
        forward=not all(records[e.network_id].internal for e in plug.endpoints),
        forward_single_labels=plug.upstreams.forwards_single_labels,
        extra=_linked(endpoints, others),
        station=plug.tenant.id,
        watched=bool(plug.egress),
    )


def _upstream(plug: Plug, records: Records) -> tuple[Upstream, ...]:
    """Return the servers outside, and from where each is asked.

    With a bridge the host has all ways that the container has. It has none to its own interface's
    children, so a container on those alone asks by itself, but for what is the host's loopback.
    """
    by_itself = all(records[e.network_id].driver in ("ipvlan", "macvlan") for e in plug.endpoints)
    return tuple(
        Upstream(server, inside=by_itself and not _is_loopback(server))
        for server in plug.upstreams.servers
    )


def _is_loopback(server: str) -> bool:
    try:
        return ip_address(server).is_loopback
    except ValueError:
        return False


def _linked(
    endpoints: Iterable[EndpointRecord], others: Mapping[str, Plug]
) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for endpoint in endpoints:
        for name, alias in map(link_names, endpoint.links):
            other = others.get(name)
            there = other.on(endpoint.network_id) if other is not None else None
            if there is not None:
                own = (str(address.ip) for address in addresses(there))
                found[alias] = (*found.get(alias, ()), *own)
    return found


def link_names(link: str) -> tuple[str, str]:
    """Read ``container:alias``; without an alias it is the container's name."""
    name, _, alias = link.partition(":")
    name = name.removeprefix("/")
    return name, alias or name
