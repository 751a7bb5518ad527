"""What a sandbox is to have, and what it got."""

import contextlib
import time
from collections.abc import Callable
from typing import NamedTuple

from boxship.base.frozen import dataclass
from boxship.net import sysctl
from boxship.net.links import Links
from boxship.net.namespaces import NetworkNamespace, run_inside
from boxship.net.netlink import route
from boxship.net.netlink.route import Address, Interface, Network
from boxship.net.netlink.sockets import NetlinkError


@dataclass(frozen=True, slots=True)
class Nic:
    """An interface that a sandbox is to have."""

    attach_to: str
    """The bridge (veth) or parent (macvlan, ipvlan) in the daemon's namespace; what is moved."""
    name: str = "eth0"
    kind: str = "veth"
    """``veth``, ``macvlan``, ``ipvlan``; or ``moved``, which somebody else made."""
    host_name: str = ""
    """What a veth's end on the bridge is called; "" leaves it to us: ``veth<7 hex>``."""
    mac: str = ""
    """``02:42:ac:11:00:02``; "" leaves it to the kernel. Not for ipvlan."""
    addresses: tuple[Interface, ...] = ()
    """With an IPv6 one the interface speaks IPv6 (no duplicate detection, no router
    advertisements); without, IPv6 is off on it."""
    mtu: int = 0
    """Bytes; 0 is the kernel's choice."""
    isolated: bool = False
    """Can't reach other isolated ports of the bridge."""
    hairpin: bool = True
    """Can reach itself through the bridge, as a container does by its own published port."""
    mode: str = ""
    """macvlan: bridge, private, vepa, passthru; ipvlan: l2, l3, l3s; "" is the first."""
    sysctls: tuple[tuple[str, str], ...] = ()
    """Of this interface, with IFNAME for its name: ``("net.ipv4.conf.IFNAME.rp_filter", "2")``."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route inside a sandbox."""

    destination: Network
    """``0.0.0.0/0`` and ``::/0`` are default routes."""
    gateway: Address | None = None
    """None: what is there is reached directly."""
    nic: str = "eth0"


class Plugged(NamedTuple):
    """An interface as it came to be."""

    name: str
    mac: str
    host_name: str
    """The veth's end on the bridge; "" for other kinds."""
    host_index: int
    """Its index; 0 for other kinds."""


class Inside(NamedTuple):
    """The inner side of a sandbox."""

    namespace: NetworkNamespace
    links: Links

    def run(self, function: Callable[[], None]) -> None:
        """Run ``function`` in the namespace."""
        run_inside(self.namespace, function)


_SILENT = (
    ("net.ipv6.conf.IFNAME.disable_ipv6", "1"),
    ("net.ipv6.conf.IFNAME.accept_ra", "0"),
    ("net.ipv6.conf.IFNAME.accept_dad", "0"),
)
_PATIENCE, _MOMENT = 0.1, 0.0002
"""Seconds in all, and between two looks."""
_SPEAKING = (("net.ipv6.conf.IFNAME.disable_ipv6", "0"), *_SILENT[1:])


def speaks_ipv6(nic: Nic) -> bool:
    """Tell whether the interface has an IPv6 address."""
    return any(address.version == 6 for address in nic.addresses)


def silence_ipv6(interface: str) -> None:
    """In the calling thread's namespace, turn IPv6 off on an interface that isn't up yet.

    Should it be turned on, then without waiting for duplicates and without listening to routers:
    who has which address is known here.
    """
    if sysctl.has_ipv6():
        sysctl.write_all(_SILENT, interface)


def forget_ipv6(interface: str) -> None:
    """In the calling thread's namespace, keep a bridge's port out of IPv6, which passes through it.

    Else the host would have a link-local address at each port, and greet the container with it.
    """
    if sysctl.has_ipv6():
        sysctl.write_all(_SILENT[:1], interface)


def write_sysctls(nic: Nic, extra: tuple[tuple[str, str], ...] = ()) -> None:
    """In the calling thread's namespace, set the interface's parameters; the asked ones last."""
    if speaks_ipv6(nic) or sysctl.has_ipv6():
        sysctl.write_all(_SPEAKING if speaks_ipv6(nic) else _SILENT, nic.name)
    sysctl.write_all((*extra, *nic.sysctls), nic.name)


def wait_for_ipv6(nic: Nic, inside: Inside) -> None:
    """Wait until packets to the IPv6 addresses are taken for ours.

    Also without duplicate detection the kernel leaves that to a worker. It is done before anybody
    asks, unless the machine is very busy; a packet that comes too early is asked for again after a
    second.
    """
    for address in nic.addresses:
        question = route.get_route_to(address.ip)
        deadline = time.monotonic() + _PATIENCE
        while address.version == 6 and time.monotonic() < deadline:
            with contextlib.suppress(NetlinkError):  # unreachable, so far
                if any(route.is_local(one) for one in inside.links.socket.request([question])):
                    break
            time.sleep(_MOMENT)
