"""What the firewall has to know of the containers that run; pure."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network

from boxship.engine.networks import egress
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.plug import (
    Plug,
    Records,
    addresses,
    bare,
    gateway_endpoint,
    has_interface,
    kind_of,
)
from boxship.model.ports import PublishedPort
from boxship.net.firewall.facts import (
    EgressPolicy,
    EgressRule,
    Fact,
    Linked,
    Published,
    Station,
)


def facts_of(plug: Plug, records: Records, others: Mapping[str, Plug]) -> tuple[Fact, ...]:
    """Return the facts of one container; ``others`` are those that run, by id."""
    return (
        *_stations(plug, records),
        *_egress(plug, records),
        *_published(plug, records),
        *_linked(plug, others),
    )


def _stations(plug: Plug, records: Records) -> Iterator[Station]:
    for endpoint in plug.endpoints:
        record = records[endpoint.network_id]
        if has_interface(record) and kind_of(record) == "veth":
            own = tuple(address.ip for address in addresses(endpoint))
            yield Station(record.interface, endpoint.host_interface, endpoint.mac, own)


def _egress(plug: Plug, records: Records) -> Iterator[EgressPolicy | EgressRule]:
    rules = egress.parse(plug.egress)
    if rules is None:
        return
    for endpoint in plug.endpoints:
        record = records[endpoint.network_id]
        if has_interface(record) and kind_of(record) == "veth":
            own = tuple(address.ip for address in addresses(endpoint))
            yield from egress.facts_of_station(rules, record.interface, endpoint.mac, own)


def _published(plug: Plug, records: Records) -> Iterator[Published]:
    for family in (4, 6):
        endpoint = gateway_endpoint(plug.endpoints, records, family)
        if endpoint is None or kind_of(records[endpoint.network_id]) != "veth":
            continue
        for port in plug.ports:
            if (fact := _published_to(port, endpoint, family)) is not None:
                yield fact


def _published_to(port: PublishedPort, endpoint: EndpointRecord, family: int) -> Published | None:
    """Return what a port is in one family; None: it has no part in that."""
    host = ip_address(port.host_address) if port.host_address else None
    if host is not None and host.version != family:
        return None
    allowed = (ip_network(source, strict=False) for source in port.sources)
    sources = tuple(network for network in allowed if network.version == family)
    if port.sources and not sources:
        return None  # not open to everybody, but to nobody of this family
    return Published(
        protocol=port.protocol,
        host_address=host,
        first=port.host_first,
        last=port.host_last,
        target=ip_address(bare(endpoint.ipv4 if family == 4 else endpoint.ipv6)),
        target_first=port.container_first,
        sources=sources,
    )


def _linked(plug: Plug, others: Mapping[str, Plug]) -> Iterator[Linked]:
    for link in plug.links:
        other = others.get(link.container_id)
        for endpoint in plug.endpoints:
            there = other.on(endpoint.network_id) if other is not None else None
            if there is None:
                continue
            for protocol, first, last in link.ports:
                client, server = ip_address(bare(endpoint.ipv4)), ip_address(bare(there.ipv4))
                yield Linked(client, server, protocol, first, last)
