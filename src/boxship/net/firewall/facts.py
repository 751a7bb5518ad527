"""What the firewall is told: facts about networks, each frozen, each independent of order.

A change adds and removes facts; equal facts are one fact.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge of ours. Between different bridges nothing is forwarded."""

    interface: str
    subnets: tuple[Network, ...]
    internal: bool = False
    """Nothing is forwarded into it or out of it."""
    icc: bool = True
    """Stations of it may speak with one another; else only those that are ``Linked``."""
    masquerade: bool = True
    """Outgoing packets get an address of the host, unless the family is ``routed``."""
    snat_to: tuple[Address, ...] = ()
    """That address, at most one per family, instead of the outgoing interface's."""
    routed: tuple[int, ...] = ()
    """Versions of IP (4, 6) whose addresses are known outside: not translated, neither way.
    ``Published`` ports are then open at the station's own address."""
    unprotected: tuple[int, ...] = ()
    """Versions of IP in which every port of its stations is open to those who have a route."""
    direct: bool = False
    """Published ports are open at the station's own address, too, for whoever has a route."""
    trusted_interfaces: tuple[str, ...] = ()
    """Interfaces of the host from which published ports are open at the station's own address."""


@dataclass(frozen=True, slots=True)
class Station:
    """Who may speak from a port of a bridge; everything else that comes from it is dropped."""

    bridge: str
    interface: str
    """The host's end of the veth pair."""
    mac: str
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """A port of the host, or an interval of them, that leads to a station."""

    protocol: str
    """``tcp``, ``udp`` or ``sctp``."""
    host_address: Address | None
    """None: every address of the host in the family of ``target``."""
    first: int
    last: int
    target: Address
    target_first: int
    """Where ``first`` leads; the others follow."""
    sources: tuple[Network, ...] = ()
    """Who may use it; empty is everybody."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A client that may reach ports of a server where stations may not speak otherwise."""

    client: Address
    server: Address
    protocol: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """A station whose outgoing connections are looked at and reported."""

    bridge: str
    mac: str
    default: str = "deny"
    """``deny`` or ``allow``: what happens where no ``EgressRule`` applies."""


@dataclass(frozen=True, slots=True)
class EgressRule:
    """Where a station may go (default deny) or may not go (default allow)."""

    station: Address
    verdict: str
    """``allow`` or ``deny``; it counts where the policy's default is the opposite."""
    destination: Network
    protocol: str = ""
    """``tcp``, ``udp``, ``sctp``, ``icmp``, ``icmpv6``; empty is all."""
    first: int = 0
    last: int = 65535
    """Ports; of protocols without ports all."""


@dataclass(frozen=True, slots=True)
class Fence:
    """The host forwards because we switched it on: for our bridges, not as a router.

    What other engines and tunnels forward (bridges, tun, WireGuard) passes all the same.
    """

    versions: tuple[int, ...] = (4, 6)


Fact = Fence | Bridge | Station | Published | Linked | EgressPolicy | EgressRule
