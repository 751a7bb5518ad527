"""Interfaces, addresses, routes and neighbours of one network namespace.

One method per thing that ``ip`` can do, each one request. What is done at a container's start is
put together from the messages of `netlink/route.py` instead, many to a request; see `sandbox.py`.
"""

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from types import TracebackType
from typing import NamedTuple, Self

from boxship.net.namespaces import NetworkNamespace
from boxship.net.netlink.sockets import NetlinkSocket

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network


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
        raise NotImplementedError


class Link(NamedTuple):
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


class RouteEntry(NamedTuple):
    """A row of the main routing table."""

    destination: Network
    gateway: Address | None
    ifindex: int
    """Of the interface it leads through; 0 for blackholes and multipath routes."""
    metric: int


class Links:
    """The interfaces of the namespace that ``socket`` (of protocol ROUTE) is in. Thread-safe.

    All methods raise ``NetlinkError``, which names the interface. Interfaces are named by name,
    or by index where a caller has it: that spares a look-up.
    """

    def __init__(self, socket: NetlinkSocket) -> None:
        """Take over ``socket``."""
        self.socket = socket

    @classmethod
    def open(cls, namespace: NetworkNamespace | None = None) -> "Links":
        """Return those of ``namespace``, or of the calling thread's."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the socket; safe to repeat."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Looking

    def all(self) -> list[Link]:
        """Return every interface, with its counters, in one dump."""
        raise NotImplementedError

    def find(self, name: str) -> Link | None:
        """Return the interface ``name`` if there is one."""
        raise NotImplementedError

    def get(self, link: str | int) -> Link:
        """Return an interface; ``NetlinkError`` ENODEV if there is none."""
        raise NotImplementedError

    def addresses(self, link: str | int | None = None) -> list[tuple[int, Interface]]:
        """Return (index, address) of one interface or of all, in the kernel's order."""
        raise NotImplementedError

    def routes(self) -> list[RouteEntry]:
        """Return the main tables of both families, for overlap checks and default routes."""
        raise NotImplementedError

    def counters(self) -> dict[str, Counters]:
        """Return every interface's counters by name, in one dump."""
        raise NotImplementedError

    # Making and removing

    def add_bridge(self, name: str, *, mac: str = "", mtu: int = 0, up: bool = True) -> int:
        """Make a bridge without spanning tree, and return its index."""
        raise NotImplementedError

    def add_dummy(self, name: str, *, mac: str = "", mtu: int = 0) -> int:
        """Make an interface that leads nowhere; down. Returns its index."""
        raise NotImplementedError

    def add_veth(
        self,
        name: str,
        peer: str,
        *,
        mac: str = "",
        mtu: int = 0,
        peer_namespace: NetworkNamespace | None = None,
    ) -> int:
        """Make a pair, one end maybe in another namespace; both down. Returns ``name``'s index."""
        raise NotImplementedError

    def add_macvlan(
        self,
        name: str,
        parent: str | int,
        *,
        mode: str = "bridge",
        mac: str = "",
        mtu: int = 0,
        namespace: NetworkNamespace | None = None,
    ) -> int:
        """Make a macvlan on ``parent``, maybe in another namespace; down. Returns its index.

        ``mode``: bridge, private, vepa, passthru.
        """
        raise NotImplementedError

    def add_ipvlan(
        self,
        name: str,
        parent: str | int,
        *,
        mode: str = "l2",
        flag: str = "bridge",
        mtu: int = 0,
        namespace: NetworkNamespace | None = None,
    ) -> int:
        """Make an ipvlan (mode l2, l3, l3s; flag bridge, private, vepa). Returns its index.

        ``NetlinkError`` EOPNOTSUPP where the kernel has none; its text says so.
        """
        raise NotImplementedError

    def add_vlan(self, name: str, parent: str | int, tag: int) -> int:
        """Make an 802.1q sub-interface with ``tag`` (1 to 4094); down. Returns its index."""
        raise NotImplementedError

    def remove(self, link: str | int, *, missing_ok: bool = False) -> None:
        """Remove an interface; of a veth pair, both ends go."""
        raise NotImplementedError

    def remove_all(self, links: Iterable[str | int]) -> None:
        """Remove many in one request; those that are gone already don't matter."""
        raise NotImplementedError

    # Changing

    def set_up(self, link: str | int) -> None:
        """``ip link set … up``."""
        raise NotImplementedError

    def set_down(self, link: str | int) -> None:
        """``ip link set … down``."""
        raise NotImplementedError

    def rename(self, link: str | int, name: str) -> None:
        """Rename; kernels before 6.? want the interface down."""
        raise NotImplementedError

    def set_mtu(self, link: str | int, mtu: int) -> None:
        """Set the largest packet, in bytes."""
        raise NotImplementedError

    def set_mac(self, link: str | int, mac: str) -> None:
        """Set the hardware address."""
        raise NotImplementedError

    def set_alias(self, link: str | int, alias: str) -> None:
        """Set the text that ``ip link`` shows, at most 255 bytes: who made it and what for."""
        raise NotImplementedError

    def set_master(self, link: str | int, bridge: str | int) -> None:
        """Make it a port of ``bridge``; 0 takes it out."""
        raise NotImplementedError

    def set_port(
        self,
        link: str | int,
        *,
        hairpin: bool | None = None,
        isolated: bool | None = None,
        learning: bool | None = None,
    ) -> None:
        """Set flags of a bridge port; None leaves one as it is."""
        raise NotImplementedError

    def move(self, link: str | int, namespace: NetworkNamespace, name: str = "") -> None:
        """Move it into ``namespace``, maybe under another name."""
        raise NotImplementedError

    def add_address(self, link: str | int, address: Interface) -> None:
        """Give it an address with the prefix as its subnet; there already is no error.

        IPv6 addresses are usable at once: duplicate detection is skipped.
        """
        raise NotImplementedError

    def remove_address(self, link: str | int, address: Interface) -> None:
        """Take an address away; not there is no error."""
        raise NotImplementedError

    def add_route(
        self,
        destination: Network,
        *,
        gateway: Address | None = None,
        link: str | int = 0,
        metric: int = 0,
    ) -> None:
        """Add a route, or replace the one with this destination and metric."""
        raise NotImplementedError

    def remove_route(
        self,
        destination: Network,
        *,
        gateway: Address | None = None,
        link: str | int = 0,
        metric: int = 0,
    ) -> None:
        """Remove a route; not there is no error."""
        raise NotImplementedError

    def add_neighbour(self, link: str | int, address: Address, mac: str) -> None:
        """Say for good which hardware address ``address`` has."""
        raise NotImplementedError

    def remove_neighbour(self, link: str | int, address: Address) -> None:
        """Forget what is known about ``address``; not there is no error."""
        raise NotImplementedError
