"""The network ``bridge``: what the daemon's options make of it; pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Interface,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)

from boxship.base.errors import InvalidArgumentError
from boxship.engine.networks import options, pools
from boxship.engine.networks.addresses import (
    BRIDGE_POOLS,
    AddressPool,
    Subnet,
    Taken,
    choose_subnet,
    overlapping,
)
from boxship.engine.networks.leases import DEFAULT_GATEWAYS
from boxship.engine.networks.record import BRIDGE, NetworkRecord, PoolRecord, predefined_id
from boxship.engine.networks.requests import PoolRequest
from boxship.engine.settings import NetworkSettings

DEFAULT_MTU = 1500


@dataclass(frozen=True)
class BridgeSite:
    """Where the default bridge is to stand."""

    interface: str
    owned: bool
    """False: an existing bridge was named with ``--bridge``."""
    addresses: Sequence[IPv4Interface | IPv6Interface] = ()
    """What it has, if it is there."""
    taken: Collection[Taken] = ()
    pools: Sequence[AddressPool] = ()
    private_range: IPv6Network | None = None


def design(
    settings: NetworkSettings, site: BridgeSite, earlier: NetworkRecord | None, now_ns: int
) -> NetworkRecord:
    """Return the default bridge's record.

    InvalidArgumentError names the option that makes no sense.
    """
    families = [(4, settings.bip, settings.fixed_cidr, settings.default_gateway)]
    if settings.ipv6:
        families.append((6, settings.bip6, settings.fixed_cidr_v6, settings.default_gateway_v6))
    made = tuple(
        _pool(version, (address, given_out), gateway, site, earlier)
        for version, address, given_out, gateway in families
    )
    return NetworkRecord(
        id=predefined_id(BRIDGE),
        name=BRIDGE,
        driver="bridge",
        created_ns=earlier.created_ns if earlier else now_ns,
        enable_ipv6=settings.ipv6,
        ipam=made,
        options=_options(settings, site.interface),
        interface=site.interface,
        owns_interface=site.owned,
    )


def _options(settings: NetworkSettings, interface: str) -> dict[str, str]:
    return {
        options.DEFAULT_BRIDGE: "true",
        options.ICC: str(settings.icc).lower(),
        options.MASQUERADE: str(settings.ip_masq).lower(),
        options.HOST_BINDING_IPV4: settings.host_ip or "0.0.0.0",
        options.NAME: interface,
        options.MTU: str(settings.mtu or DEFAULT_MTU),
    }


def _pool(
    version: int,
    asked: tuple[str, str],
    way_out: str,
    site: BridgeSite,
    earlier: NetworkRecord | None,
) -> PoolRecord:
    address, given_out = asked
    own = _own_address(version, address, site)
    if own is not None:
        subnet, gateway, chosen = own.network, str(own.ip), False
    elif given_out:
        subnet, gateway, chosen = ip_network(given_out, strict=False), "", False
    else:
        subnet, gateway, chosen = _free_subnet(version, site, earlier), "", True
    aux = {DEFAULT_GATEWAYS[version]: way_out} if way_out else {}
    try:
        (pool,) = pools.read_pools([PoolRequest(str(subnet), given_out, gateway, aux)])
        pool = pools.complete(pool, gateway=True)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"the default bridge: {error}") from None
    return PoolRecord(pool.subnet, pool.ip_range, pool.gateway, pool.aux, chosen=chosen)


def _own_address(
    version: int, asked: str, site: BridgeSite
) -> IPv4Interface | IPv6Interface | None:
    """Return the address that was asked for, or that somebody else's bridge has already."""
    if asked:
        return ip_interface(asked)
    if site.owned:
        return None
    usable = [a for a in site.addresses if a.version == version and not a.ip.is_link_local]
    if usable:
        return usable[0]
    if version == 4:
        raise InvalidArgumentError(
            f"bridge {site.interface} has no IPv4 address: give it one, or the daemon --bip"
        )
    return None


def _free_subnet(version: int, site: BridgeSite, earlier: NetworkRecord | None) -> Subnet:
    """Return the subnet it had, if nothing came in its way meanwhile, or a free one."""
    for pool in earlier.ipam if earlier else ():
        subnet = ip_network(pool.subnet)
        if pool.chosen and subnet.version == version:
            has_it = any(address.network == subnet for address in site.addresses)
            if has_it or overlapping(subnet, site.taken) is None:
                return subnet
    configured = [pool for pool in site.pools if pool.base.version == version]
    if version == 6:
        assert site.private_range is not None
        configured = configured or [AddressPool(site.private_range, 64)]
    return choose_subnet(configured or BRIDGE_POOLS, site.taken)


def check_settings(settings: NetworkSettings) -> None:
    """Raise InvalidArgumentError for options that cannot be; the daemon does so at its start."""
    if settings.bridge not in ("", "none") and (settings.bip or settings.bip6):
        raise InvalidArgumentError(
            "--bridge and --bip are mutually exclusive: an existing bridge has its own address"
        )
    if not settings.icc and not settings.iptables:
        raise InvalidArgumentError(
            "--icc=false needs firewall rules, and --iptables=false forbids them: set one to true"
        )
    for name, text, version in (
        ("bip", settings.bip, 4),
        ("bip6", settings.bip6, 6),
        ("fixed-cidr", settings.fixed_cidr, 4),
        ("fixed-cidr-v6", settings.fixed_cidr_v6, 6),
    ):
        if text and not _is_cidr(text, version):
            raise InvalidArgumentError(f"invalid {name}: {text} (an IPv{version} CIDR is needed)")
    for name, text, versions in (
        ("default-gateway", settings.default_gateway, (4,)),
        ("default-gateway-v6", settings.default_gateway_v6, (6,)),
        ("ip", settings.host_ip, (4, 6)),
        *(("host-gateway-ip", text, (4, 6)) for text in settings.host_gateway_ips),
    ):
        if text and not _is_address(text, versions):
            raise InvalidArgumentError(f"invalid {name}: {text} is no such address")
    for pool in settings.address_pools:
        _check_pool(pool.base, pool.size)
    for driver, chosen in settings.default_options.items():
        options.check_options(driver, chosen)
    if settings.mtu and not 68 <= settings.mtu <= 65535:
        raise InvalidArgumentError(f"invalid mtu: {settings.mtu} (68 to 65535)")
    if settings.firewall not in ("respect", "bypass"):
        raise InvalidArgumentError(f"invalid firewall: {settings.firewall} (respect or bypass)")


def _is_cidr(text: str, version: int) -> bool:
    try:
        return "/" in text and ip_interface(text).version == version
    except ValueError:
        return False


def _is_address(text: str, versions: Collection[int]) -> bool:
    try:
        return ip_address(text).version in versions
    except ValueError:
        return False


def _check_pool(base: str, size: int) -> None:
    try:
        network = ip_network(base)
    except ValueError as error:
        raise InvalidArgumentError(f"invalid default-address-pools base {base}: {error}") from None
    if not network.prefixlen <= size <= network.max_prefixlen - 2:
        raise InvalidArgumentError(
            f"invalid default-address-pools size {size}: subnets of {base} have "
            f"{network.prefixlen} to {network.max_prefixlen - 2} bits"
        )
