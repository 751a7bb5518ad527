"""The networks of a data root that a person made."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import TypeVar

import msgspec

from boxship.importing.documents import (
    BridgeDocument,
    NetworkDocument,
    PoolConfig,
    PoolData,
    PoolInfo,
    moment,
)
from boxship.importing.inventory import LeftOut
from boxship.importing.root import DockerRoot
from boxship.model.adoption import AdoptedNetwork, AdoptedPool

T = TypeVar("T")

_DATABASE, _BUCKET = "network/files/local-kv.db", b"libnetwork"
_NETWORK, _BRIDGE = b"docker/network/v1.0/network/", b"docker/network/v1.0/bridge/"
_INDEX = 8
"""Bytes before each value: how often the database had been written to."""
_OPTIONS = "com.docker.network.generic"
_ALWAYS_THERE = ("bridge", "host", "none")
_BY_SOMEBODY = 2


def found(root: DockerRoot, left: list[LeftOut]) -> Iterator[AdoptedNetwork]:
    """Yield them. UnavailableError: the database cannot be read."""
    entries = root.database(_DATABASE, _BUCKET)
    bridges = {_id(key, _BRIDGE): value for key, value in entries if key.startswith(_BRIDGE)}
    for key, value in entries:
        if not key.startswith(_NETWORK):
            continue
        try:
            network = _decoded(value[_INDEX:], NetworkDocument)
            if network.name in _ALWAYS_THERE:
                continue
            if network.scope != "local" or network.ingress or network.name == "docker_gwbridge":
                left.append(LeftOut("network", network.name, "it is a swarm's"))
                continue
            yield _network(network, bridges.get(network.id))
        except msgspec.MsgspecError as error:
            left.append(LeftOut("network", _id(key, _NETWORK)[:12], f"it cannot be read: {error}"))


def _id(key: bytes, prefix: bytes) -> str:
    return key.removeprefix(prefix).rstrip(b"/").decode(errors="replace")


def _decoded(data: bytes | str, shape: type[T]) -> T:
    return msgspec.json.decode(data, type=shape)


def _network(network: NetworkDocument, bridge: bytes | None) -> AdoptedNetwork:
    made = _decoded(bridge[_INDEX:], BridgeDocument) if bridge else BridgeDocument()
    options = (network.generic or {}).get(_OPTIONS) or {}
    return AdoptedNetwork(
        id=network.id,
        name=network.name,
        driver="" if network.config_only else network.driver,
        created_ns=moment(network.created),
        internal=network.internal,
        attachable=network.attachable,
        enable_ipv4=network.enable_ipv4,
        enable_ipv6=network.enable_ipv6,
        pools=(
            *_pools(network.ipv4_config, network.ipv4_info),
            *_pools(network.ipv6_config, network.ipv6_info),
        ),
        ipam_driver=network.ipam_type,
        ipam_options=network.ipam_options,
        options={key: str(value) for key, value in options.items()},
        labels=network.labels or {},
        config_only=network.config_only,
        config_from=network.config_from,
        owns_bridge=made.creator != _BY_SOMEBODY,
    )


def _pools(config: str, info: str) -> Iterator[AdoptedPool]:
    """Put together what was asked and what came of it; of a template there is the first alone."""
    asked = _decoded(config or "[]", tuple[PoolConfig, ...])
    made = _decoded(info or "[]", tuple[PoolInfo, ...])
    for wish, result in zip_longest(asked, made):
        wanted = wish or PoolConfig()
        data = _decoded(result.data, PoolData) if result else PoolData()
        subnet = data.pool or wanted.preferred_pool
        if subnet:
            yield AdoptedPool(
                subnet,
                wanted.sub_pool,
                data.gateway.partition("/")[0] or wanted.gateway,
                wanted.aux_addresses or {},
                chosen=not wanted.preferred_pool,
            )
