"""Messages of the routing subsystem: links, addresses, routes, neighbours (rtnetlink(7)).

Functions return a `Message` to be sent, by itself or in a batch with others, or read an `Answer`.
Structures, all in the machine's order::

    link       family u8 | (pad) u8 | type u16 | ifindex i32 | flags u32 | mask u32
    address    family u8 | prefix u8 | flags u8 | scope u8 | ifindex u32
    route      family u8 | prefix u8 | source prefix u8 | tos u8 | table u8 | protocol u8 |
               scope u8 | type u8 | flags u32
    neighbour  family u8 | (pad) u8 | (pad) u16 | ifindex i32 | state u16 | flags u8 | type u8
"""

import socket
import struct
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
)  # fmt: skip

from boxship.net.netlink import codec
from boxship.net.netlink.codec import CREATE, EXCLUSIVE, REPLACE, Answer, Message, attribute, nested

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network

NEWLINK, DELLINK, GETLINK = 16, 17, 18
NEWADDR, DELADDR, GETADDR = 20, 21, 22
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
NEWNEIGH, DELNEIGH, GETNEIGH = 28, 29, 30

LINK = struct.Struct("=BxHiII")
ADDRESS = struct.Struct("=BBBBI")
ROUTE = struct.Struct("=BBBBBBBBI")
NEIGHBOUR = struct.Struct("=BxHiHBB")

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER = 1, 3, 4, 5, 10
IFLA_LINKINFO, IFLA_IFALIAS, IFLA_STATS64, IFLA_NET_NS_FD = 18, 20, 23, 28
IFLA_CARRIER, IFLA_LINK_NETNSID = 33, 37
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
IFLA_OPERSTATE = 16
IFF_UP = 1
OPERATING = frozenset((b"\x00", b"\x06"))
"""IF_OPER_UNKNOWN, which an interface has that was never without a carrier, and IF_OPER_UP."""
PORT_STATE, PORT_FORWARDING = 1, b"\x03"

IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST = 1, 2, 4
_IFA_F_NODAD = 0x02

RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_TABLE = 1, 4, 5, 6, 15
TABLE_MAIN = 254
_PROTOCOL_STATIC = 4
_SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_NOWHERE = 0, 253, 255
_UNICAST, _LOCAL = 1, 2

_NDA_DST, _NDA_LLADDR = 1, 2
_NUD_STALE, _NUD_STATIC, _NUD_PERMANENT = 0x04, 0x40, 0x80
_NTF_MASTER, _AF_BRIDGE = 0x04, 7

_BRIDGE_FORWARD_DELAY, _BRIDGE_STP = 1, 5
_PORT_HAIRPIN, _PORT_LEARNING, _PORT_ISOLATED = 4, 8, 33
_VETH_PEER = 1
_MACVLAN_MODE, _IPVLAN_MODE, _IPVLAN_FLAGS, _VLAN_ID = 1, 1, 2, 1

MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
IPVLAN_MODES = {"l2": 0, "l3": 1, "l3s": 2}
IPVLAN_FLAGS = {"bridge": 0, "private": 1, "vepa": 2}

_LONGEST_NAME = 15


def mac_bytes(mac: str) -> bytes:
    """Return ``02:42:ac:11:00:02`` as six bytes; ``ValueError`` names what isn't one."""
    parts = mac.split(":")
    if len(parts) != 6 or not all(0 < len(part) <= 2 for part in parts):
        raise ValueError(f"{mac!r} is not a MAC address (six hexadecimal bytes and colons)")
    try:
        return bytes(int(part, 16) for part in parts)
    except ValueError:
        raise ValueError(
            f"{mac!r} is not a MAC address (six hexadecimal bytes and colons)"
        ) from None


def mac_text(mac: bytes) -> str:
    """Return six bytes as ``02:42:ac:11:00:02``."""
    return mac.hex(":")


def named(name: str) -> bytes:
    """Return the attribute of an interface's name; ``ValueError`` if the kernel can't have it."""
    raw = name.encode()
    wrong = not 0 < len(raw) <= _LONGEST_NAME or name in {".", ".."}
    if wrong or any(character in b"/:" or character <= 32 for character in raw):
        raise ValueError(
            f"{name!r} can't name an interface: "
            f"1 to {_LONGEST_NAME} bytes without '/', ':' and spaces"
        )
    return attribute(IFLA_IFNAME, raw + b"\0")


def hardware(mac: str = "", mtu: int = 0, alias: str = "") -> bytes:
    """Return the attributes that are given; "" and 0 leave them to the kernel."""
    parts = b""
    if mac:
        parts += attribute(IFLA_ADDRESS, mac_bytes(mac))
    if mtu:
        parts += codec.u32(IFLA_MTU, mtu)
    if alias:
        parts += attribute(IFLA_IFALIAS, alias.encode())
    return parts


def _add(kind: str, name: str, parts: bytes, data: bytes = b"", up: bool = False) -> Message:
    information = attribute(IFLA_INFO_KIND, kind.encode())
    if data:
        information += nested(IFLA_INFO_DATA, data)
    flags = IFF_UP if up else 0
    body = LINK.pack(0, 0, 0, flags, flags) + named(name) + parts
    body += nested(IFLA_LINKINFO, information)
    return Message(NEWLINK, CREATE | EXCLUSIVE, body, f"add {kind}", name)


def add_bridge(
    name: str, *, mac: str = "", mtu: int = 0, alias: str = "", up: bool = True
) -> Message:
    """A bridge that forwards at once: no spanning tree, no delay."""
    data = codec.u32(_BRIDGE_STP, 0) + codec.u32(_BRIDGE_FORWARD_DELAY, 0)
    return _add("bridge", name, hardware(mac, mtu), data, up)


def add_dummy(name: str, *, mac: str = "", mtu: int = 0) -> Message:
    """An interface that leads nowhere."""
    return _add("dummy", name, hardware(mac, mtu))


def add_veth(
    name: str, peer: str, *, mac: str = "", mtu: int = 0, peer_namespace: int = -1
) -> Message:
    """A pair; ``peer`` is made in the namespace of that descriptor. The rest is of ``name``."""
    other = LINK.pack(0, 0, 0, 0, 0) + named(peer) + hardware(mtu=mtu)
    if peer_namespace >= 0:
        other += codec.u32(IFLA_NET_NS_FD, peer_namespace)
    return _add("veth", name, hardware(mac, mtu), nested(_VETH_PEER, other))


def _on_parent(parent: int, namespace: int) -> bytes:
    parts = codec.u32(IFLA_LINK, parent)
    return parts + codec.u32(IFLA_NET_NS_FD, namespace) if namespace >= 0 else parts


def add_macvlan(
    name: str, parent: int, *, mode: str, mac: str = "", mtu: int = 0, namespace: int = -1
) -> Message:
    """A macvlan on the interface ``parent``; the descriptor ``namespace`` is where it appears."""
    number = _choice(MACVLAN_MODES, mode, "macvlan mode")
    parts = hardware(mac, mtu) + _on_parent(parent, namespace)
    return _add("macvlan", name, parts, codec.u32(_MACVLAN_MODE, number))


def add_ipvlan(
    name: str, parent: int, *, mode: str, flag: str, mtu: int = 0, namespace: int = -1
) -> Message:
    """An ipvlan on the interface ``parent``; the descriptor ``namespace`` is where it appears."""
    data = codec.u16(_IPVLAN_MODE, _choice(IPVLAN_MODES, mode, "ipvlan mode"))
    data += codec.u16(_IPVLAN_FLAGS, _choice(IPVLAN_FLAGS, flag, "ipvlan flag"))
    return _add("ipvlan", name, hardware(mtu=mtu) + _on_parent(parent, namespace), data)


def add_vlan(name: str, parent: int, tag: int) -> Message:
    """An 802.1q sub-interface."""
    if not 1 <= tag <= 4094:
        raise ValueError(f"{tag} is not an 802.1q tag (1 to 4094)")
    return _add("vlan", name, codec.u32(IFLA_LINK, parent), codec.u16(_VLAN_ID, tag))


def _choice(table: dict[str, int], word: str, what: str) -> int:
    if (number := table.get(word)) is None:
        raise ValueError(f"{word!r} is not a {what} ({', '.join(table)})")
    return number


def _which(link: str | int) -> tuple[int, bytes, str]:
    """Return ifindex, the attribute that names it, and how to speak of it."""
    if isinstance(link, int):
        return link, b"", f"interface {link}"
    return 0, named(link), link


def set_link(
    link: str | int, parts: bytes = b"", *, up: bool | None = None, operation: str = "set link"
) -> Message:
    """Change an interface: attributes, then up or down."""
    index, name, subject = _which(link)
    mask = 0 if up is None else IFF_UP
    body = LINK.pack(0, 0, index, IFF_UP if up else 0, mask) + name + parts
    return Message(NEWLINK, 0, body, operation, subject)


def set_port(
    link: str | int,
    *,
    hairpin: bool | None = None,
    isolated: bool | None = None,
    learning: bool | None = None,
) -> Message:
    """Flags of a port, which must be in its bridge already: so a message of its own."""
    flags = ((_PORT_HAIRPIN, hairpin), (_PORT_LEARNING, learning), (_PORT_ISOLATED, isolated))
    data = b"".join([codec.u8(kind, value) for kind, value in flags if value is not None])
    information = attribute(IFLA_INFO_SLAVE_KIND, b"bridge") + nested(IFLA_INFO_SLAVE_DATA, data)
    return set_link(link, nested(IFLA_LINKINFO, information), operation="set bridge port")


def delete_link(link: str | int) -> Message:
    """Remove an interface."""
    index, name, subject = _which(link)
    return Message(DELLINK, 0, LINK.pack(0, 0, index, 0, 0) + name, "remove link", subject)


def get_link(link: str | int) -> Message:
    """Ask for one interface."""
    index, name, subject = _which(link)
    return Message(GETLINK, 0, LINK.pack(0, 0, index, 0, 0) + name, "look for link", subject)


GET_LINKS = Message(GETLINK, 0, LINK.pack(0, 0, 0, 0, 0), "list links")


def family_of(address: Address | Interface | Network) -> int:
    """Return AF_INET or AF_INET6."""
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _address(index: int, address: Interface, kind: int, flags: int, operation: str) -> Message:
    raw = address.packed
    bits = _IFA_F_NODAD if address.version == 6 else 0
    body = ADDRESS.pack(family_of(address), address.network.prefixlen, bits, 0, index)
    body += attribute(IFA_LOCAL, raw) + attribute(IFA_ADDRESS, raw)
    if address.version == 4 and address.network.prefixlen < 31:
        body += attribute(IFA_BROADCAST, address.network.broadcast_address.packed)
    return Message(kind, flags, body, operation, str(address))


def add_address(index: int, address: Interface) -> Message:
    """An address; usable at once, also an IPv6 one."""
    return _address(index, address, NEWADDR, CREATE | REPLACE, "add address")


def delete_address(index: int, address: Interface) -> Message:
    """Take an address away."""
    return _address(index, address, DELADDR, 0, "remove address")


GET_ADDRESSES = Message(GETADDR, 0, ADDRESS.pack(0, 0, 0, 0, 0), "list addresses")


def _route(
    destination: Network, gateway: Address | None, index: int, metric: int, adding: bool
) -> bytes:
    scope = _SCOPE_UNIVERSE if gateway is not None or destination.version == 6 else _SCOPE_LINK
    if not adding:
        scope = _SCOPE_NOWHERE
    family, prefix = family_of(destination), destination.prefixlen
    body = ROUTE.pack(
        family, prefix, 0, 0, TABLE_MAIN, _PROTOCOL_STATIC if adding else 0, scope, _UNICAST, 0
    )
    if prefix:
        body += attribute(RTA_DST, destination.network_address.packed)
    if gateway is not None:
        body += attribute(RTA_GATEWAY, gateway.packed)
    if index:
        body += codec.u32(RTA_OIF, index)
    if metric:
        body += codec.u32(RTA_PRIORITY, metric)
    return body


def add_route(
    destination: Network, gateway: Address | None = None, index: int = 0, metric: int = 0
) -> Message:
    """A route, in the place of one with the same destination and metric."""
    body = _route(destination, gateway, index, metric, adding=True)
    subject = f"to {destination}" + (f" by {gateway}" if gateway else "")
    return Message(NEWROUTE, CREATE | REPLACE, body, "add route", subject)


def delete_route(
    destination: Network, gateway: Address | None = None, index: int = 0, metric: int = 0
) -> Message:
    """Take a route away; what isn't given matches anything."""
    body = _route(destination, gateway, index, metric, adding=False)
    return Message(DELROUTE, 0, body, "remove route", f"to {destination}")


def get_route_to(address: Address) -> Message:
    """Ask which way a packet to ``address`` would go; see ``is_local``."""
    body = ROUTE.pack(family_of(address), address.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
    body += attribute(RTA_DST, address.packed)
    return Message(GETROUTE, 0, body, "look for route", f"to {address}")


def is_local(answer: Answer) -> bool:
    """Tell whether a route leads to ourselves."""
    return bool(ROUTE.unpack_from(answer.body)[7] == _LOCAL)


def get_routes(family: int) -> Message:
    """Ask for the routes of a family."""
    return Message(GETROUTE, 0, ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0), "list routes")


def add_neighbour(index: int, address: Address, mac: str, *, permanent: bool = True) -> Message:
    """Who ``address`` is; if not for good, to be confirmed when it is used next."""
    state = _NUD_PERMANENT if permanent else _NUD_STALE
    body = NEIGHBOUR.pack(family_of(address), 0, index, state, 0, 0)
    body += attribute(_NDA_DST, address.packed) + attribute(_NDA_LLADDR, mac_bytes(mac))
    return Message(NEWNEIGH, CREATE | REPLACE, body, "add neighbour", str(address))


def add_forwarding(index: int, mac: str) -> Message:
    """Tell a bridge behind which port a hardware address is, until the port goes."""
    body = NEIGHBOUR.pack(_AF_BRIDGE, 0, index, _NUD_STATIC, _NTF_MASTER, 0)
    body += attribute(_NDA_LLADDR, mac_bytes(mac))
    return Message(NEWNEIGH, CREATE | REPLACE, body, "add forwarding entry", mac)


def read_address(answer: Answer) -> tuple[int, Interface]:
    """Return (ifindex, address) of a NEWADDR."""
    _, prefix, _, _, index = ADDRESS.unpack_from(answer.body)
    found = codec.parse(answer.body, ADDRESS.size)
    # With IPv4 point-to-point links IFA_ADDRESS is the other end.
    address = ip_address(found.get(IFA_LOCAL) or found[IFA_ADDRESS])
    if isinstance(address, IPv4Address):
        return index, IPv4Interface((address, prefix))
    return index, IPv6Interface((address, prefix))
