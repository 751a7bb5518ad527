"""The ports of the host that a container has while it runs: claimed, kept, given back.

Ports lead to the endpoint that a family's default route goes through, as in Docker. A container
without such an endpoint on a bridge publishes nothing, whatever it asks for.
"""

import contextlib
import logging
from collections.abc import Iterable
from ipaddress import ip_address

import msgspec

from boxship.base.errors import NotFoundError
from boxship.engine.containers.context import Context
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.options import HOST_BINDING_IPV4
from boxship.engine.networks.plug import gateway_endpoint, kind_of
from boxship.engine.networks.portwishes import PortWish, wishes_of
from boxship.engine.networks.record import NetworkRecord
from boxship.engine.networks.requests import Tenant
from boxship.model.container import HostConfig
from boxship.model.ports import PortSpan, PublishedPort
from boxship.net.portreserve import ANY

_log = logging.getLogger(__name__)


def claimed(context: Context, record: ContainerRecord) -> ContainerRecord:
    """Return the record, which has its leases, with the ports it is given now. PortTakenError."""
    wishes = wishes_of(record.config, record.host, host_ip(context, record))
    return msgspec.structs.replace(record, ports=claim(context, record, wishes))


def claim(
    context: Context, record: ContainerRecord, wishes: tuple[PortWish, ...]
) -> tuple[PublishedPort, ...]:
    """Give a container ports on top of those it has: all, or none. PortTakenError."""
    serving = _serving(context, record)
    possible = tuple(wish for wish in wishes if _reachable(wish, serving, record))
    if not possible:
        return ()
    endpoint_id = next(iter(serving.values())).endpoint_id
    return context.publications.claim(
        Tenant(record.id, record.name), possible, endpoint_id=endpoint_id, families=set(serving)
    )


def follow(context: Context, before: ContainerRecord, after: ContainerRecord) -> ContainerRecord:
    """Return the record of one that runs, whose networks have changed, with its ports.

    Ports come with the first network that leads outside and go with the last one, in each family.
    PortTakenError; what has been claimed by then, :func:`revert` gives back.
    """
    had, has = set(_serving(context, before)), set(_serving(context, after))
    if not has:
        context.publications.release(after.id)
        return msgspec.structs.replace(after, ports=())
    if not after.ports:
        return claimed(context, after)
    ports = _without(context, after, had - has) + _spread(context, after, has - had)
    return msgspec.structs.replace(after, ports=ports)


def revert(context: Context, before: ContainerRecord) -> None:
    """Let a container whose networks could not be changed have the ports it had, and no others."""
    context.publications.release(before.id)
    if before.ports:
        adopt(context, before, before.ports)


def _spread(
    context: Context, record: ContainerRecord, families: set[int]
) -> tuple[PublishedPort, ...]:
    """Take what is published everywhere in more families; return the ports these alone have."""
    if not families:
        return ()
    everywhere = [
        PortWish(
            PortSpan(port.protocol, port.container_first, port.container_last),
            "", port.host_first, port.host_last, port.sources,
        )
        for port in record.ports
        if not port.host_address
    ]  # fmt: skip
    serving = _serving(context, record)
    endpoint_id = serving[min(families)].endpoint_id
    tenant = Tenant(record.id, record.name)
    context.publications.claim(tenant, everywhere, endpoint_id=endpoint_id, families=families)
    theirs = (w for w in wishes_of(record.config, record.host) if _is_of(w.host_address, families))
    return claim(context, record, tuple(theirs))


def _without(
    context: Context, record: ContainerRecord, families: set[int]
) -> tuple[PublishedPort, ...]:
    """Give back what is in some families; return the ports that others have."""
    gone = [port for port in record.ports if _is_of(port.host_address, families)]
    everywhere = [port for port in record.ports if not port.host_address]
    if families:
        context.publications.withdraw(record.id, (*gone, *everywhere), families)
    return tuple(port for port in record.ports if port not in gone)


def _is_of(address: str, families: set[int]) -> bool:
    return bool(address) and ip_address(address).version in families


def adopt(context: Context, record: ContainerRecord, ports: tuple[PublishedPort, ...]) -> None:
    """Let a container keep ports that it has had before."""
    families = set(_serving(context, record))
    context.publications.adopt(Tenant(record.id, record.name), ports, families)


def withdraw(context: Context, record: ContainerRecord, ports: tuple[PublishedPort, ...]) -> None:
    """Take ports back that a container has."""
    context.publications.withdraw(record.id, ports, set(_serving(context, record)))


def host_ip(context: Context, record: ContainerRecord) -> str:
    """Return where its ports are published that don't say it; empty: everywhere."""
    endpoint = _serving(context, record).get(4)
    if endpoint is None:
        return ""
    network = context.networks.find(endpoint.network_id)
    address = network.options.get(HOST_BINDING_IPV4, "")
    return "" if address == ANY[4] else address


def in_vain(networks: Iterable[NetworkRecord], host: HostConfig) -> list[str]:
    """Warn of ports at addresses of a family that no bridge has which the container is to be on.

    Docker's proxy passes them on to the other family; here nothing translates between the two.
    """
    bridges = [network for network in networks if network.driver == "bridge"]
    if not bridges:
        return []
    families = {4: any(each.enable_ipv4 for each in bridges)}
    families[6] = any(each.enable_ipv6 for each in bridges)
    ends = (end for each in (host.port_bindings or {}).values() for end in each or ())
    addresses = {ip_address(end.host_ip) for end in ends if end.host_ip}
    return [
        f"Ports published on {address} cannot be reached: "
        f"no network of the container has IPv{address.version}"
        for address in sorted(addresses, key=str)
        if not families[address.version] and not (address.version == 6 and address.is_loopback)
    ]


def _serving(context: Context, record: ContainerRecord) -> dict[int, EndpointRecord]:
    """Return the endpoints that published ports lead to, by version of IP."""
    networks = {}
    for endpoint in record.endpoints:
        with contextlib.suppress(NotFoundError):  # removed under one that does not run
            networks[endpoint.network_id] = context.networks.find(endpoint.network_id)
    existing = [e for e in record.endpoints if e.network_id in networks]
    found = {}
    for version in ANY:
        gateway = gateway_endpoint(existing, networks, version)
        if gateway is not None and kind_of(networks[gateway.network_id]) == "veth":
            found[version] = gateway
    return found


def _reachable(wish: PortWish, serving: dict[int, EndpointRecord], record: ContainerRecord) -> bool:
    """Tell whether anything can be behind a port: nothing translates between versions of IP."""
    version = ip_address(wish.host_address).version if wish.host_address else 0
    if not serving or (version and version not in serving):
        if version and serving:
            _log.warning(
                "container %s publishes %s in vain: it has no address of IPv%d",
                record.name, wish, version,
            )  # fmt: skip
        return False
    return True
