"""Interfaces on a bridge: a veth pair with one end in the sandbox.

A pair is put to use by four requests, in an order that is not arbitrary::

    outside   name, MTU, into the bridge, up | flags of the port
    inside    name, MAC, MTU | IPv4 addresses | up | IPv6 addresses
    outside   look at link and bridge
    outside   the mark that says it is whole, forwarding and neighbour entries

IPv6 addresses come after *up*, since an interface that is down takes no routes. The inner end comes
up last: it has a carrier at once and can send. The outer end gets its carrier in that moment, and
a bridge with its first port as well, of which a worker of the kernel tells the rest; but when
somebody looks at a link, the kernel (since 6.9) first does what that worker would, so the port
forwards when the third request returns. With older kernels we look until it does.
Without that, a container's first packets are lost now and then, and ARP asks again after a second.

The forwarding entry is for one that follows another with the same address, hence the same MAC, so
closely that the kernel still takes the namespace of that one apart: packets would go to its port.
"""

import errno
import os
import time
from collections.abc import Iterable
from functools import partial

from boxship.base.frozen import dataclass
from boxship.net.host import MARK, Host
from boxship.net.netlink import codec, route
from boxship.net.netlink.codec import Answer, Message
from boxship.net.netlink.sockets import NetlinkError
from boxship.net.nic import (
    Inside,
    Nic,
    Plugged,
    forget_ipv6,
    silence_ipv6,
    speaks_ipv6,
    wait_for_ipv6,
    write_sysctls,
)

_ATTEMPTS = 8
_PATIENCE, _MOMENT = 0.1, 0.001
"""Seconds in all, and between two looks."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A veth pair with one end inside, not in a bridge yet."""

    name: str
    ifindex: int
    host_name: str
    host_index: int


def make_silent_pair(host: Host, inside: Inside) -> Pair:
    """Make ``eth0`` ahead, with IPv6 off; for ``add``, whatever it is to be then."""
    pair = _make(host, inside, Nic("", name="eth0"))
    inside.run(lambda: silence_ipv6(pair.name))
    return pair


def add(nic: Nic, host: Host, inside: Inside, ready: Pair | None) -> Plugged:
    """Put an interface into the sandbox and onto its bridge; if that fails, nothing is left."""
    pair = ready
    try:
        bridge = host.links.index_of(nic.attach_to)
        pair = pair or _make(host, inside, nic)
        if nic.name != pair.name:
            inside.links.rename(pair.ifindex, nic.name)
        if ready is None or nic.sysctls or speaks_ipv6(nic):
            inside.run(lambda: write_sysctls(nic))
        host.links.socket.request(_outside(nic, pair, bridge))
        inside.links.socket.request(_inside(nic, pair.ifindex))
        mac = nic.mac or inside.links.get(pair.ifindex).mac
        looked = host.links.socket.request(_looks(pair.host_index, bridge))
        _wait_until_it_forwards(host, pair.host_index, bridge, looked)
        host.links.socket.request(_known(nic, pair.host_index, bridge, mac))
        wait_for_ipv6(nic, inside)
    except BaseException:
        if pair is not None:
            host.links.remove(pair.host_index, missing_ok=True)
        raise
    host.announcer.announce(nic.attach_to, mac, [address.ip for address in nic.addresses])
    return Plugged(nic.name, mac, nic.host_name or pair.host_name, pair.host_index)


def _make(host: Host, inside: Inside, nic: Nic) -> Pair:
    for attempt in range(_ATTEMPTS):
        outer = nic.host_name or f"veth{os.urandom(4).hex()[:7]}"
        try:
            index = host.links.add_veth(
                outer, nic.name, mtu=nic.mtu, peer_namespace=inside.namespace
            )
        except NetlinkError as error:
            by_chance = error.errno == errno.EEXIST and host.links.find(outer) is not None
            if nic.host_name or not by_chance or attempt == _ATTEMPTS - 1:
                raise
        else:
            try:
                host.run(partial(forget_ipv6, outer))
                return Pair(nic.name, inside.links.index_of(nic.name), outer, index)
            except BaseException:
                host.links.remove(index, missing_ok=True)
                raise
    raise AssertionError("the last attempt returns or raises")


def _inside(nic: Nic, index: int) -> list[Message]:
    parts = route.hardware(nic.mac, nic.mtu)
    messages = [route.set_link(index, parts, operation=f"set up {nic.name}:")]
    messages += [route.add_address(index, one) for one in nic.addresses if one.version == 4]
    messages.append(route.set_link(index, up=True, operation=f"set up {nic.name}:"))
    messages += [route.add_address(index, one) for one in nic.addresses if one.version == 6]
    return messages


def _outside(nic: Nic, pair: Pair, bridge: int) -> list[Message]:
    name = nic.host_name or pair.host_name
    parts = route.named(name) + route.hardware(mtu=nic.mtu)
    parts += codec.u32(route.IFLA_MASTER, bridge)
    index = pair.host_index
    return [
        route.set_link(index, parts, up=True, operation=f"attach {name} to {nic.attach_to}:"),
        route.set_port(index, hairpin=nic.hairpin, isolated=nic.isolated),
    ]


def _looks(host_index: int, bridge: int) -> list[Message]:
    return [route.get_link(host_index), route.get_link(bridge)]


def _wait_until_it_forwards(
    host: Host, host_index: int, bridge: int, looked: Iterable[Answer]
) -> None:
    """Wait for kernels before 6.9; not for long, as a bridge may be down or span a tree."""
    deadline = time.monotonic() + _PATIENCE
    while not _forwards(looked) and time.monotonic() < deadline:
        time.sleep(_MOMENT)
        looked = host.links.socket.request(_looks(host_index, bridge))


def _forwards(looked: Iterable[Answer]) -> bool:
    port, bridge = (codec.parse(answer.body, route.LINK.size) for answer in looked)
    information = codec.parse(port.get(route.IFLA_LINKINFO, b""))
    data = codec.parse(information.get(route.IFLA_INFO_SLAVE_DATA, b""))
    is_ready = bridge.get(route.IFLA_OPERSTATE) in route.OPERATING
    return is_ready and data.get(route.PORT_STATE) == route.PORT_FORWARDING


def _known(nic: Nic, host_index: int, bridge: int, mac: str) -> list[Message]:
    neighbours = [
        route.add_neighbour(bridge, address.ip, mac, permanent=False) for address in nic.addresses
    ]
    whole = route.set_link(host_index, route.hardware(alias=MARK), operation="mark a port:")
    return [whole, route.add_forwarding(host_index, mac), *neighbours]
