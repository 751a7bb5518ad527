"""A container's ports as they are at this moment: what is exposed, what is published where."""

from ipaddress import ip_address

from boxship.engine.containers.context import Context
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.networks.portwishes import exposed_of, without
from boxship.model.ports import PortSpan, PublishedPort
from boxship.net.firewall.facts import Published
from boxship.net.portreserve import ANY


def families_of(record: ContainerRecord) -> frozenset[int]:
    """Return the versions of IP that it has addresses of."""
    ipv4 = any(endpoint.ipv4 for endpoint in record.endpoints)
    ipv6 = any(endpoint.ipv6 for endpoint in record.endpoints)
    return frozenset(version for version, has in ((4, ipv4), (6, ipv6)) if has)


def host_ends(record: ContainerRecord) -> list[tuple[str, PublishedPort]]:
    """Return what is published, address by address: all addresses are one of each family."""
    every = [ANY[family] for family in sorted(families_of(record) or {4})]
    return [
        (address, port)
        for port in record.ports
        for address in ([port.host_address] if port.host_address else every)
    ]


def decided_by(context: Context, address: str) -> str:
    """Return which firewall of the host decides who reaches ports at an address; empty: none."""
    host = ip_address(address)
    target = ip_address(ANY[host.version])  # which container it is does not matter
    return context.plugging.firewall.decided_by(Published("tcp", host, 0, 0, target, 0))


def closed_ports(record: ContainerRecord) -> tuple[PortSpan, ...]:
    """Return what it exposes and the host does not publish; nothing unless it is on a network."""
    if not (record.state.running and families_of(record)):
        return ()
    published = (
        PortSpan(port.protocol, port.container_first, port.container_last) for port in record.ports
    )
    return tuple(without(exposed_of(record.config), published))
