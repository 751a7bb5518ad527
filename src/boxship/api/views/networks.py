"""Networks as the list and ``inspect`` show them, and a container's place in them."""

import hashlib
from collections.abc import Mapping
from typing import Any

from msgspec.structs import astuple

from boxship.base.clock import format_ns
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.networks.record import NetworkRecord, PoolRecord, predefined_id
from boxship.engine.networks.requests import CreateNetwork, Lease, NetworkDetail, PoolRequest
from boxship.model.statistics import InterfaceStatistics
from boxship.wire.networks import (
    ConfigFrom,
    Endpoint,
    Ipam,
    IpamConfig,
    IpamStatus,
    Network,
    NetworkBody,
    NetworkContainer,
    NetworkInspect,
    NetworkStatus,
    NetworkTraffic,
    SubnetStatus,
)


def endpoint_of(record: ContainerRecord, network: str) -> Endpoint:
    """Return the container's endpoint; one that runs has an id."""
    made = f"{record.id} {network} {record.state.started_ns}"
    endpoint_id = hashlib.sha256(made.encode()).hexdigest() if record.state.running else ""
    return Endpoint(network_id=predefined_id(network), endpoint_id=endpoint_id)


def endpoints_of(record: ContainerRecord) -> dict[str, Endpoint]:
    return {name: endpoint_of(record, name) for name in record.networks}


def network_row(record: NetworkRecord) -> Network:
    """Return a row of the list."""
    return Network(**_common(record))


def network_inspect(detail: NetworkDetail) -> NetworkInspect:
    """Return a network in full."""
    subnets = {use.subnet: SubnetStatus(use.in_use, use.available) for use in detail.usage}
    return NetworkInspect(
        **_common(detail.record),
        containers={lease.tenant.id: _container(lease) for lease in detail.leases},
        status=NetworkStatus(IpamStatus(subnets)),
    )


def network_traffic(counters: Mapping[str, InterfaceStatistics]) -> NetworkTraffic:
    """Return what went over a network, in all and by container."""
    columns = zip(*map(astuple, counters.values()), strict=True)
    return NetworkTraffic(InterfaceStatistics(*map(sum, columns)), dict(counters))


def _common(record: NetworkRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "id": record.id,
        "created": format_ns(record.created_ns),
        "driver": record.driver,
        "scope": record.scope,
        "enable_ipv4": record.enable_ipv4,
        "enable_ipv6": record.enable_ipv6,
        "ipam": Ipam(
            record.ipam_driver, record.ipam_options, tuple(map(_ipam_config, record.ipam)) or None
        ),
        "internal": record.internal,
        "attachable": record.attachable,
        "ingress": record.ingress,
        "config_from": ConfigFrom(record.config_from),
        "config_only": record.config_only,
        "options": record.options,
        "labels": record.labels,
    }


def _ipam_config(pool: PoolRecord) -> IpamConfig:
    return IpamConfig(pool.subnet, pool.ip_range, pool.gateway, pool.aux or None)


def _container(lease: Lease) -> NetworkContainer:
    endpoint = lease.endpoint
    return NetworkContainer(
        name=lease.tenant.name,
        endpoint_id=endpoint.endpoint_id,
        mac_address=endpoint.mac,
        ipv4_address=endpoint.ipv4,
        ipv6_address=endpoint.ipv6,
    )


def create_request(body: NetworkBody) -> CreateNetwork:
    """Return what the body asks for."""
    ipam = body.ipam or Ipam()
    return CreateNetwork(
        name=body.name,
        driver=body.driver,
        scope=body.scope,
        internal=body.internal,
        attachable=body.attachable,
        ingress=body.ingress,
        enable_ipv4=body.enable_ipv4,
        enable_ipv6=body.enable_ipv6,
        pools=tuple(
            PoolRequest(
                config.subnet, config.ip_range, config.gateway, config.auxiliary_addresses or {}
            )
            for config in ipam.config or ()
        ),
        ipam_driver=ipam.driver,
        ipam_options=ipam.options,
        options=body.options or {},
        labels=body.labels or {},
        config_only=body.config_only,
        config_from=body.config_from.network if body.config_from else "",
    )
