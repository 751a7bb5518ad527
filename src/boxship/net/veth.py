"""Interfaces on a bridge: a veth pair with one end in the sandbox.

A pair is put to use by two requests, one on each side, in an order that is not arbitrary::

    inside    name, MAC, MTU | IPv4 addresses | up | IPv6 addresses
    outside   into the bridge, up | flags of the port | neighbour entries

IPv6 addresses come after *up*, since an interface that is down takes no routes. The outer end
comes last: as the inner one is up it has a carrier at once, and the port forwards from the first
moment. The other way round the bridge would wait for the kernel's worker to notice the carrier, and
the container's first packets would be lost.
"""

import errno
import os

from boxship.base.frozen import dataclass
from boxship.net.host import Host
from boxship.net.netlink import codec, route
from boxship.net.netlink.codec import Message
from boxship.net.netlink.sockets import NetlinkError
from boxship.net.nic import Inside, Nic, Plugged, silence_ipv6, speaks_ipv6, write_sysctls

_ATTEMPTS = 8


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
        inside.links.socket.request(_inside(nic, pair.ifindex))
        mac = nic.mac or inside.links.get(pair.ifindex).mac
        done = Plugged(nic.name, mac, nic.host_name or pair.host_name, pair.host_index)
        host.links.socket.request(_outside(nic, done, bridge, host.mark))
    except BaseException:
        if pair is not None:
            host.links.remove(pair.host_index, missing_ok=True)
        raise
    host.announcer.announce(nic.attach_to, mac, [address.ip for address in nic.addresses])
    return done


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
            return Pair(nic.name, inside.links.index_of(nic.name), outer, index)
    raise AssertionError("the last attempt returns or raises")


def _inside(nic: Nic, index: int) -> list[Message]:
    parts = route.hardware(nic.mac, nic.mtu)
    messages = [route.set_link(index, parts, operation=f"set up {nic.name}:")]
    messages += [route.add_address(index, one) for one in nic.addresses if one.version == 4]
    messages.append(route.set_link(index, up=True, operation=f"set up {nic.name}:"))
    messages += [route.add_address(index, one) for one in nic.addresses if one.version == 6]
    return messages


def _outside(nic: Nic, done: Plugged, bridge: int, mark: str) -> list[Message]:
    parts = route.named(done.host_name) + route.hardware(mtu=nic.mtu, alias=mark)
    parts += codec.u32(route.IFLA_MASTER, bridge)
    index = done.host_index
    return [
        route.set_link(index, parts, up=True, operation=f"attach to {nic.attach_to}:"),
        route.set_port(index, hairpin=nic.hairpin, isolated=nic.isolated),
        *[
            route.add_neighbour(bridge, address.ip, done.mac, permanent=False)
            for address in nic.addresses
        ],
    ]
