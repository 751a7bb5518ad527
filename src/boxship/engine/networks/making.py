"""What a network that is asked for will be: from the wish and what there is to a record; pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Network, ip_network

import msgspec

from boxship.base.errors import (
    ConflictError,
    ForbiddenError,
    InvalidArgumentError,
    NoSwarmManagerError,
    NotFoundError,
)
from boxship.engine.networks import interfaces, options, pools
from boxship.engine.networks.addresses import (
    IPV4_POOLS,
    AddressPool,
    Subnet,
    Taken,
    choose_subnet,
    overlapping,
)
from boxship.engine.networks.options import GatewayMode
from boxship.engine.networks.record import BUILT_IN, PREDEFINED, NetworkRecord, PoolRecord
from boxship.engine.networks.requests import CreateNetwork, Origin, PoolRequest

_SINGLE = ("host", "null")
_IPAM_DRIVERS = ("", "default", "null")


@dataclass(frozen=True)
class Surroundings:
    """What there is already. ``kinds`` are the host's interfaces: their kind by their name."""

    networks: Collection[NetworkRecord] = ()
    """Those that are being made or removed right now among them."""
    host: Collection[Taken] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    ours: frozenset[str] = frozenset()
    """Interfaces that this engine made."""
    pools: Sequence[AddressPool] = ()
    """Configured ones; of a family without any, the built-in ones count."""
    private_range: IPv6Network = field(default_factory=lambda: IPv6Network("fd00::/48"))
    default_options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    remote_driver: bool = False
    """The driver that is asked for is a plugin, and there."""
    remote_ipam: bool = False
    """So is the IPAM driver: the pools of the request are what it gave."""
    without_gateway: tuple[bool, bool] = (False, False)
    """For IPv4 and IPv6 whether the driver that is a plugin needs no gateway."""
    firewall: bool = True
    """Whether there are firewall rules at all."""


@dataclass(frozen=True)
class Made:
    record: NetworkRecord
    warnings: tuple[str, ...] = ()


def check_name(name: str) -> None:
    """Raise InvalidArgumentError or, for a predefined network's name, ForbiddenError."""
    if not name.strip():
        raise InvalidArgumentError("invalid name: name is empty")
    if name in (*PREDEFINED, "default"):
        raise ForbiddenError(f"operation is not permitted on predefined {name} network")
    if name.startswith("container:"):
        raise InvalidArgumentError(f"invalid name: {name}: container:… names a container's network")


def make(request: CreateNetwork, around: Surroundings, *, identity: str, now_ns: int) -> Made:
    """Decide everything about a new network whose name is free."""
    check_operator_fields(request)
    if request.config_only:
        return Made(_config_network(request, identity, now_ns))
    if request.config_from:
        request = _configured(request, around.networks)
    driver = request.driver or "bridge"
    check_driver(driver, request, around)
    request = _with_defaults(request, driver, around)
    warnings = [] if around.remote_driver else options.check_options(driver, request.options)
    warnings += (
        ()
        if around.remote_ipam
        else (
            f"IPAM option {name} has no effect with the default IPAM driver"
            for name in sorted(request.ipam_options or ())
        )
    )
    warnings += _unenforced(driver, request, around)
    ipv4, ipv6 = _families(request)
    records, found = _pools(request, around, driver, (ipv4, ipv6))
    record = NetworkRecord(
        id=identity,
        name=request.name,
        driver=driver,
        created_ns=now_ns,
        internal=request.internal,
        attachable=request.attachable,
        enable_ipv4=ipv4,
        enable_ipv6=ipv6,
        ipam=records,
        ipam_driver=request.ipam_driver or "default",
        ipam_options=dict(request.ipam_options) if request.ipam_options is not None else None,
        options=dict(request.options),
        labels=dict(request.labels),
        config_from=request.config_from,
    )
    return Made(_with_interface(record, request.origin, around), (*warnings, *found))


def check_operator_fields(request: CreateNetwork) -> None:
    """Refuse what is for swarms, and mixtures with configuration networks."""
    if request.config_only and request.config_from:
        raise ForbiddenError(
            "a configuration network cannot depend on another configuration network"
        )
    if request.config_only and (request.ingress or request.internal or request.attachable):
        raise ForbiddenError(
            "configuration network can only contain network specific fields. Network operator "
            "fields like [ ingress | internal | attachable | scope ] are not supported."
        )
    if request.ingress:
        raise ForbiddenError("Ingress network can only be global scope network")
    if request.scope == "swarm":
        raise ForbiddenError("cannot create a swarm scoped network when swarm is not active")
    if request.scope == "global":
        raise NoSwarmManagerError()
    if request.scope not in ("", "local"):
        raise InvalidArgumentError(f"invalid scope {request.scope}: it is local, swarm or global")


def check_driver(driver: str, request: CreateNetwork, around: Surroundings) -> None:
    """Raise what Docker does for a driver that makes no networks here."""
    if driver not in BUILT_IN and not around.remote_driver:
        raise NotFoundError(f'plugin "{driver}" not found')
    if driver in _SINGLE:
        raise ForbiddenError(f'only one instance of "{driver}" network is allowed')
    if driver == "overlay":
        raise NoSwarmManagerError()
    if request.ipam_driver not in _IPAM_DRIVERS and not around.remote_ipam:
        raise NotFoundError(f'plugin "{request.ipam_driver}" not found')


def _unenforced(driver: str, request: CreateNetwork, around: Surroundings) -> list[str]:
    """Refuse what rules alone can bring about where there are none; warn of what is left of it."""
    if around.firewall or driver != "bridge":
        return []
    if not options.bridge_options(request.options).icc:
        raise InvalidArgumentError(
            f"{options.ICC}=false needs firewall rules, which this daemon does not make "
            "(--iptables=false)"
        )
    if request.internal:
        return [
            "this daemon makes no firewall rules (--iptables=false): containers of an internal "
            "network have no default route, but nothing keeps them from setting one"
        ]
    return []


def _config_network(request: CreateNetwork, identity: str, now_ns: int) -> NetworkRecord:
    """A template: it is looked at when it is used."""
    return NetworkRecord(
        id=identity,
        name=request.name,
        driver="null",
        created_ns=now_ns,
        enable_ipv4=request.enable_ipv4 is not False,
        enable_ipv6=request.enable_ipv6 is True,
        ipam=pools.read_pools(request.pools),
        ipam_driver=request.ipam_driver or "default",
        ipam_options=dict(request.ipam_options) if request.ipam_options is not None else None,
        options=dict(request.options),
        labels=dict(request.labels),
        config_only=True,
    )


def _configured(request: CreateNetwork, networks: Collection[NetworkRecord]) -> CreateNetwork:
    """Return the wish completed from the configuration network that it names."""
    template = next((n for n in networks if n.config_only and n.name == request.config_from), None)
    if template is None:
        raise NotFoundError(f'configuration network "{request.config_from}" does not exist')
    if request.pools or request.options or request.labels or request.ipam_options:
        raise ForbiddenError(
            "user specified configurations are not supported if the network depends on a "
            f'configuration network ("{request.config_from}")'
        )
    changes = {
        "enable_ipv4": template.enable_ipv4,
        "enable_ipv6": template.enable_ipv6,
        "pools": tuple(
            PoolRequest(pool.subnet, pool.ip_range, pool.gateway, pool.aux)
            for pool in template.ipam
        ),
        "ipam_driver": template.ipam_driver,
        "options": template.options,
        "labels": template.labels,
    }
    return _replaced(request, changes)


def _with_defaults(request: CreateNetwork, driver: str, around: Surroundings) -> CreateNetwork:
    """Add the daemon's ``default-network-opts`` of the driver, where the wish says nothing."""
    default = around.default_options.get(driver, {})
    return _replaced(request, {"options": {**default, **request.options}})


def _replaced(request: CreateNetwork, changes: dict[str, object]) -> CreateNetwork:
    fields = {name: getattr(request, name) for name in request.__dataclass_fields__}
    return CreateNetwork(**{**fields, **changes})


def _families(request: CreateNetwork) -> tuple[bool, bool]:
    chosen = request.options

    def on(asked: bool | None, option: str, otherwise: bool) -> bool:
        if asked is not None:
            return asked
        return options.truth(option, chosen[option]) if option in chosen else otherwise

    ipv4 = on(request.enable_ipv4, options.ENABLE_IPV4, True)
    ipv6 = on(request.enable_ipv6, options.ENABLE_IPV6, False)
    if request.ipam_driver == "null":
        return ipv4, ipv6
    if not (ipv4 or ipv6):
        raise InvalidArgumentError("IPv4 or IPv6 must be enabled")
    return ipv4, ipv6


def _pools(
    request: CreateNetwork, around: Surroundings, driver: str, families: tuple[bool, bool]
) -> tuple[tuple[PoolRecord, ...], list[str]]:
    """Return the network's subnets, and warnings about those that were asked for."""
    if request.ipam_driver == "null":
        if any(pool.subnet for pool in request.pools):
            raise InvalidArgumentError("the null IPAM driver gives no addresses: ask for no subnet")
        return (), []
    asked = pools.read_pools([_sized(pool, around, families) for pool in request.pools])
    if driver == "bridge":
        pools.at_most_one_each(asked, driver)
    asked, warnings = _of_families(asked, families)
    others = networks_taken(around.networks)
    if not around.remote_ipam:  # which knows best what it gives out
        pools.refuse_taken(asked, others)
    warnings += [_told(pool, around.host) for pool in asked]
    made = list(asked)
    for version, wanted in zip((4, 6), families, strict=True):
        if (
            wanted
            and not around.remote_ipam
            and not any(pool.is_ipv6 is (version == 6) for pool in asked)
        ):
            subnet = choose_subnet(pools_of(around, version), [*others, *around.host])
            made.append(PoolRecord(str(subnet), chosen=True))
    made.sort(key=lambda pool: pool.is_ipv6)
    has_gateway = _gateways(driver, request, around)
    complete = [pools.complete(p, gateway=has_gateway[p.is_ipv6]) for p in made]
    return tuple(complete), [warning for warning in warnings if warning]


def _sized(pool: PoolRequest, around: Surroundings, families: tuple[bool, bool]) -> PoolRequest:
    """Turn ``0.0.0.0/26``, a size without an address, into a free subnet of that size."""
    address, _, bits = pool.subnet.partition("/")
    if address not in ("0.0.0.0", "::") or not bits.isdigit() or int(bits) == 0:
        return pool
    version = 4 if address == "0.0.0.0" else 6
    if not families[version == 6]:
        return pool
    sized = [
        AddressPool(p.base, int(bits))
        for p in pools_of(around, version)
        if p.base.prefixlen <= int(bits) <= p.base.max_prefixlen
    ]
    subnet = choose_subnet(sized, [*networks_taken(around.networks), *around.host])
    return PoolRequest(str(subnet), pool.ip_range, pool.gateway, pool.aux)


def pools_of(around: Surroundings, version: int) -> Sequence[AddressPool]:
    """Return the address pools of one family: the configured ones, or the built-in ones."""
    configured = [pool for pool in around.pools if pool.base.version == version]
    if configured:
        return configured
    return IPV4_POOLS if version == 4 else (AddressPool(around.private_range, 64),)


def networks_taken(networks: Collection[NetworkRecord]) -> list[Taken]:
    """Return the subnets that are networks' already."""
    return [
        Taken(ip_network(pool.subnet), f"network {network.name}")
        for network in networks
        if not network.config_only
        for pool in network.ipam
    ]


def _of_families(
    asked: Sequence[PoolRecord], families: tuple[bool, bool]
) -> tuple[tuple[PoolRecord, ...], list[str]]:
    """Leave out subnets of a family that is off, as Docker does; but say so."""
    kept = tuple(pool for pool in asked if families[pool.is_ipv6])
    return kept, [
        f"subnet {pool.subnet} is not used: IPv{6 if pool.is_ipv6 else 4} is not enabled for this "
        f"network (--ipv{6 if pool.is_ipv6 else 4} enables it)"
        for pool in asked
        if pool not in kept
    ]


def _told(pool: PoolRecord, host: Collection[Taken]) -> str:
    """A person may know better than we what the host's routes are for; they are told."""
    subnet: Subnet = ip_network(pool.subnet)
    conflict = overlapping(subnet, host)
    return f"subnet {subnet} overlaps with {conflict}" if conflict else ""


def _gateways(driver: str, request: CreateNetwork, around: Surroundings) -> tuple[bool, bool]:
    """Tell for IPv4 and IPv6 whether an address is kept for a gateway."""
    if around.remote_ipam:
        return False, False  # it has given one already
    if around.remote_driver:
        skipped = around.without_gateway
        return not skipped[0], not skipped[1]
    if driver == "bridge":
        chosen = options.bridge_options(request.options)
        modes = (chosen.mode_ipv4, chosen.mode_ipv6)
        if GatewayMode.ISOLATED in modes and not request.internal:
            raise InvalidArgumentError(
                "gateway mode 'isolated' can only be used for an internal network"
            )
        return modes[0] is not GatewayMode.ISOLATED, modes[1] is not GatewayMode.ISOLATED
    if driver == "ipvlan" and options.parent_options(driver, request.options).mode != "l2":
        return False, False  # it routes; there is nobody to hand packets to
    return True, True


def _with_interface(
    record: NetworkRecord, origin: Origin | None, around: Surroundings
) -> NetworkRecord:
    if record.remote:
        return record
    if record.driver == "bridge":
        name, ours = _bridge_interface(record, around)
        ours = ours or (origin is not None and origin.owns_bridge)
    else:
        name, ours = _parent_interface(record, around)
    return msgspec.structs.replace(record, interface=name, owns_interface=ours)


def _bridge_interface(record: NetworkRecord, around: Surroundings) -> tuple[str, bool]:
    name = options.bridge_options(record.options).name or interfaces.bridge_name(record.id)
    user = next((n for n in around.networks if n.interface == name), None)
    if user is not None:
        raise ConflictError(f"bridge name {name} is already used by network {user.name}")
    kind = around.kinds.get(name)
    if kind is not None and kind != "bridge":
        raise InvalidArgumentError(f"existing interface {name} is not a bridge")
    return name, kind is None or name in around.ours


def _parent_interface(record: NetworkRecord, around: Surroundings) -> tuple[str, bool]:
    chosen = options.parent_options(record.driver, record.options)
    if not chosen.parent:
        return interfaces.dummy_name(record.id), True
    name = chosen.parent
    _refuse_shared(record, chosen.mode, around)
    if name in around.kinds:
        if name == "lo":
            raise InvalidArgumentError(
                f"loopback interface is not a valid {record.driver} parent link"
            )
        return name, name in around.ours
    vlan = interfaces.vlan_of(name)
    if vlan is None:
        raise InvalidArgumentError(
            f"invalid subinterface vlan name {name}, example formatting is eth0.10 "
            f"(there is no interface {name} on this host)"
        )
    if vlan[0] not in around.kinds:
        raise InvalidArgumentError(
            f"failed to find master interface {vlan[0]} on this host, for VLAN {vlan[1]}"
        )
    return name, True


def _refuse_shared(record: NetworkRecord, mode: str, around: Surroundings) -> None:
    """One parent carries macvlans or ipvlans, not both, and a passthru macvlan alone."""
    for other in around.networks:
        if other.driver not in ("macvlan", "ipvlan") or other.config_only:
            continue
        theirs = options.parent_options(other.driver, other.options)
        if theirs.parent != record.options.get("parent"):
            continue
        if other.driver != record.driver or "passthru" in (mode, theirs.mode):
            raise ForbiddenError(
                f"network {other.name} is already using parent interface {theirs.parent}"
            )
