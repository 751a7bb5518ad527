"""Which interface of the host a network needs, as a plan that follows from its record; pure."""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network

from boxship.engine.networks.addresses import mac_of
from boxship.engine.networks.options import (
    BridgeOptions,
    GatewayMode,
    bridge_options,
    parent_options,
)
from boxship.engine.networks.record import NetworkRecord, PoolRecord
from boxship.engine.networks.requests import Origin

DEFAULT_EXEC_ROOT = "/run/boxship"
_DIGITS = 12


class Kind(StrEnum):
    BRIDGE = "bridge"
    DUMMY = "dummy"
    """In the place of a parent, for a macvlan network that leads nowhere."""
    VLAN = "vlan"


@dataclass(frozen=True)
class InterfacePlan:
    """An interface of the host as it has to be. ``parent`` and ``tag`` are a VLAN's.

    ``ours``: made when it is missing, and its addresses are these alone. Otherwise it is somebody
    else's, must be there, and gets these addresses beside its own.
    """

    kind: Kind
    name: str
    ours: bool = True
    mac: str = ""
    mtu: int = 0
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()
    ipv6: bool = False
    parent: str = ""
    tag: int = 0


def default_bridge_name(exec_root: str) -> str:
    """Return the default bridge's name; daemons beside the usual one have another each."""
    if exec_root == DEFAULT_EXEC_ROOT:
        return "boxship0"
    return f"bxs{sha256(exec_root.encode()).hexdigest()[:8]}"


def bridge_name(network_id: str) -> str:
    """Return the usual name of a user-defined network's bridge, Docker's."""
    return f"br-{network_id[:_DIGITS]}"


def left_by(origin: Origin | None) -> tuple[str, ...]:
    """Return the bridge that another engine may have left of a network that comes from there."""
    return (bridge_name(origin.id),) if origin is not None else ()


def dummy_name(network_id: str) -> str:
    """Return the name of what stands for a parent."""
    return f"dm-{network_id[:_DIGITS]}"


def plan(record: NetworkRecord) -> InterfacePlan | None:
    """Return what a network needs on the host; None for what needs nothing of ours."""
    if record.config_only:
        return None
    if record.driver == "bridge":
        return _bridge(record)
    if record.driver in ("macvlan", "ipvlan") and record.owns_interface:
        return _parent(record)
    return None


def _bridge(record: NetworkRecord) -> InterfacePlan:
    options = bridge_options(record.options)
    addresses = tuple(
        ip_interface(f"{pool.gateway}/{ip_network(pool.subnet).prefixlen}")
        for pool in record.ipam
        if pool.gateway and _has_address(pool, options)
    )
    return InterfacePlan(
        Kind.BRIDGE,
        record.interface,
        ours=record.owns_interface,
        mac=_mac(record),
        mtu=options.mtu,
        addresses=addresses,
        ipv6=record.enable_ipv6,
    )


def _has_address(pool: PoolRecord, options: BridgeOptions) -> bool:
    if options.mode(6 if pool.is_ipv6 else 4) is GatewayMode.ISOLATED:
        return False
    return pool.is_ipv6 or not options.inhibit_ipv4


def _mac(record: NetworkRecord) -> str:
    """A bridge of no address of its own takes the lowest of its ports': it would keep changing."""
    for pool in record.ipam:
        gateway = ip_address(pool.gateway) if pool.gateway else None
        if gateway is not None and gateway.version == 4:
            return mac_of(gateway)
    return "02:42:" + ":".join(record.id[at : at + 2] for at in range(0, 8, 2))


def _parent(record: NetworkRecord) -> InterfacePlan:
    options = parent_options(record.driver, record.options)
    if not options.parent:
        return InterfacePlan(Kind.DUMMY, record.interface, mtu=options.mtu)
    parent, tag = vlan_of(options.parent) or ("", 0)
    return InterfacePlan(Kind.VLAN, record.interface, parent=parent, tag=tag)


def vlan_of(name: str) -> tuple[str, int] | None:
    """Take ``eth0.10`` apart into the interface and the VLAN; None if it doesn't read so."""
    parent, dot, tag = name.rpartition(".")
    if not (dot and parent and tag.isascii() and tag.isdigit() and 1 <= int(tag) <= 4094):
        return None
    return parent, int(tag)
