"""Interfaces and routes as the kernel describes them."""

import socket
import struct
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from boxship.base.frozen import dataclass
from boxship.net.netlink import codec, route
from boxship.net.netlink.codec import Answer
from boxship.net.netlink.route import Address, Network

_STATS64 = struct.Struct("=8Q")


class Counters(NamedTuple):
    """What went through an interface since it was made (``rtnl_link_stats64``)."""

    rx_bytes: int = 0
    rx_packets: int = 0
    rx_errors: int = 0
    rx_dropped: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0

    def reversed(self) -> "Counters":
        """Return them as the other end of a veth pair sees them."""
        return Counters(*self[4:], *self[:4])


@dataclass(frozen=True, slots=True)
class Link:
    """An interface as the kernel describes it."""

    ifindex: int
    name: str
    kind: str
    """``bridge``, ``veth``, ``macvlan`` …; "" for hardware and ``lo``."""
    mac: str
    """``02:42:ac:11:00:02``, or "" where there is none."""
    mtu: int
    up: bool
    """Administratively; a link that is up may have no carrier."""
    carrier: bool
    master: int
    """Index of the bridge it is a port of, or 0."""
    parent: int
    """Index of the other end (veth) or of what it stands on (macvlan, vlan), or 0."""
    parent_namespace: int
    """The kernel's number of the namespace ``parent`` is in; -1: the same one."""
    alias: str
    counters: Counters


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """A row of the main routing table."""

    destination: Network
    gateway: Address | None
    ifindex: int
    """Of the interface it leads through; 0 for blackholes and multipath routes."""
    metric: int


def read_link(answer: Answer) -> Link:
    """Return the interface that a NEWLINK describes."""
    _, _, index, flags, _ = route.LINK.unpack_from(answer.body)
    found = codec.parse(answer.body, route.LINK.size)
    information = codec.parse(found.get(route.IFLA_LINKINFO, b""))
    return Link(
        ifindex=index,
        name=codec.string(found[route.IFLA_IFNAME]),
        kind=codec.string(information.get(route.IFLA_INFO_KIND, b"")),
        mac=route.mac_text(found.get(route.IFLA_ADDRESS, b"")),
        mtu=_u32(found.get(route.IFLA_MTU)),
        up=bool(flags & route.IFF_UP),
        carrier=found.get(route.IFLA_CARRIER) == b"\x01",
        master=_u32(found.get(route.IFLA_MASTER)),
        parent=_u32(found.get(route.IFLA_LINK)),
        parent_namespace=_i32(found.get(route.IFLA_LINK_NETNSID)),
        alias=codec.string(found.get(route.IFLA_IFALIAS, b"")),
        counters=_counters(found.get(route.IFLA_STATS64)),
    )


def _u32(value: bytes | None) -> int:
    return int(codec.U32.unpack(value)[0]) if value else 0


def _i32(value: bytes | None) -> int:
    return int(codec.I32.unpack(value)[0]) if value else -1


def _counters(value: bytes | None) -> Counters:
    if value is None:
        return Counters()
    packets_in, packets_out, octets_in, octets_out, *rest = _STATS64.unpack_from(value)
    errors_in, errors_out, dropped_in, dropped_out = rest
    return Counters(
        octets_in, packets_in, errors_in, dropped_in,
        octets_out, packets_out, errors_out, dropped_out,
    )  # fmt: skip


def read_route(answer: Answer) -> RouteEntry | None:
    """Return the route of a NEWROUTE, or None if it isn't in the main table."""
    family, prefix, _, _, table, *_ = route.ROUTE.unpack_from(answer.body)
    found = codec.parse(answer.body, route.ROUTE.size)
    if _u32(found.get(route.RTA_TABLE)) not in {0, route.TABLE_MAIN} or table != route.TABLE_MAIN:
        return None
    nowhere = bytes(4 if family == socket.AF_INET else 16)
    gateway = found.get(route.RTA_GATEWAY)
    return RouteEntry(
        destination=ip_network((found.get(route.RTA_DST, nowhere), prefix)),
        gateway=ip_address(gateway) if gateway else None,
        ifindex=_u32(found.get(route.RTA_OIF)),
        metric=_u32(found.get(route.RTA_PRIORITY)),
    )
