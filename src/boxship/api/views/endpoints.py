"""A container's places in networks, as inspect and the list show them."""

import hashlib

from boxship.api.views.ports import port_map
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.plug import dns_names
from boxship.engine.networks.record import PREDEFINED
from boxship.engine.networks.requests import Tenant
from boxship.wire.containers import NetworkSettings
from boxship.wire.networks import Endpoint, EndpointIpam


def network_settings(record: ContainerRecord) -> NetworkSettings:
    """Return what ``inspect`` says of a container's networks."""
    state = record.state
    made = f"{record.id} {state.started_ns}".encode()
    return NetworkSettings(
        sandbox_id=hashlib.sha256(made).hexdigest() if state.alive else "",
        sandbox_key=f"/proc/{state.pid}/ns/net" if state.alive and state.pid else "",
        ports=port_map(record),
        networks=endpoints_of(record),
    )


def endpoints_of(record: ContainerRecord) -> dict[str, Endpoint]:
    """Return its endpoints by the names of their networks."""
    return {endpoint.network: _endpoint(record, endpoint) for endpoint in record.endpoints}


def _endpoint(record: ContainerRecord, endpoint: EndpointRecord) -> Endpoint:
    ipv4, _, ipv4_prefix = endpoint.ipv4.partition("/")
    ipv6, _, ipv6_prefix = endpoint.ipv6.partition("/")
    return Endpoint(
        network_id=endpoint.network_id if record.state.started_ns else "",
        endpoint_id=endpoint.endpoint_id,
        gateway=endpoint.gateway,
        ip_address=ipv4,
        ip_prefix_len=int(ipv4_prefix or 0),
        ipv6_gateway=endpoint.ipv6_gateway,
        global_ipv6_address=ipv6,
        global_ipv6_prefix_len=int(ipv6_prefix or 0),
        mac_address=endpoint.mac or endpoint.mac_asked,
        ipam_config=_asked(endpoint),
        links=endpoint.links or None,
        aliases=endpoint.aliases or None,
        driver_opts=endpoint.driver_opts,
        gw_priority=endpoint.gw_priority,
        dns_names=_names(record, endpoint),
    )


def _asked(endpoint: EndpointRecord) -> EndpointIpam | None:
    if not (endpoint.ipv4_asked or endpoint.ipv6_asked or endpoint.link_local):
        return None
    local = endpoint.link_local or None
    return EndpointIpam(endpoint.ipv4_asked, endpoint.ipv6_asked, local)


def _names(record: ContainerRecord, endpoint: EndpointRecord) -> tuple[str, ...] | None:
    if endpoint.network in PREDEFINED:
        return None
    return dns_names(Tenant(record.id, record.name), endpoint, record.config.hostname)
