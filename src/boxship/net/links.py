"""Interfaces, addresses, routes and neighbours of one network namespace.

One method per thing that ``ip`` can do, each one request. What is done at a container's start is
put together from the messages of `netlink/route.py` instead, many to a request; see `sandbox.py`.
"""

import errno
import socket
from collections.abc import Iterable

from boxship.base.closing import Closing
from boxship.net.interfaces import Counters, Link, RouteEntry, read_link, read_route
from boxship.net.namespaces import NetworkNamespace, run_inside
from boxship.net.netlink import codec, route
from boxship.net.netlink.codec import Answer, Message
from boxship.net.netlink.route import Address, Interface, Network
from boxship.net.netlink.sockets import ROUTE, NetlinkError, NetlinkSocket

_GONE = frozenset((errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL, errno.ENXIO))


class KindMissingError(NetlinkError):
    """This kernel has no interfaces of that kind; the text names the module to load."""

    def __str__(self) -> str:
        kind = self.operation.removeprefix("add ")
        module = {"vlan": "8021q"}.get(kind, kind)
        return (
            f"{super().__str__()}: this kernel has no {kind} interfaces; "
            f"one built with the module {module} has"
        )


class Links(Closing):
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
        if namespace is None:
            return cls(NetlinkSocket(ROUTE))
        return cls(run_inside(namespace, lambda: NetlinkSocket(ROUTE)))

    def close(self) -> None:
        """Close the socket; safe to repeat."""
        self.socket.close()

    # Looking

    def all(self) -> list[Link]:
        """Return every interface, with its counters, in one dump."""
        return [read_link(answer) for answer in self.socket.dump(route.GET_LINKS)]

    def find(self, name: str) -> Link | None:
        """Return the interface ``name`` if there is one."""
        try:
            return self.get(name)
        except NetlinkError as error:
            if error.errno in _GONE:
                return None
            raise

    def get(self, link: str | int) -> Link:
        """Return an interface; ``NetlinkError`` ENODEV if there is none."""
        return read_link(self._ask(route.get_link(link)))

    def addresses(self, link: str | int | None = None) -> list[tuple[int, Interface]]:
        """Return (index, address) of one interface or of all, in the kernel's order."""
        wanted = self.index_of(link) if link is not None else None
        found = [route.read_address(answer) for answer in self.socket.dump(route.GET_ADDRESSES)]
        return [one for one in found if wanted is None or one[0] == wanted]

    def routes(self) -> list[RouteEntry]:
        """Return the main tables of both families, for overlap checks and default routes."""
        found = []
        for family in (socket.AF_INET, socket.AF_INET6):
            for answer in self.socket.dump(route.get_routes(family)):
                if (entry := read_route(answer)) is not None:
                    found.append(entry)
        return found

    def counters(self) -> dict[str, Counters]:
        """Return every interface's counters by name, in one dump."""
        return {link.name: link.counters for link in self.all()}

    # Making and removing

    def add_bridge(
        self, name: str, *, mac: str = "", mtu: int = 0, alias: str = "", up: bool = True
    ) -> int:
        """Make a bridge without spanning tree, and return its index."""
        return self._made(route.add_bridge(name, mac=mac, mtu=mtu, up=up), name, alias)

    def add_dummy(self, name: str, *, mac: str = "", mtu: int = 0, alias: str = "") -> int:
        """Make an interface that leads nowhere; down. Returns its index.

        Where the kernel has no such kind it is a bridge without ports, which leads nowhere either.
        """
        try:
            return self._made(route.add_dummy(name, mac=mac, mtu=mtu), name, alias)
        except KindMissingError:
            return self.add_bridge(name, mac=mac, mtu=mtu, alias=alias, up=False)

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
        fd = peer_namespace.fd if peer_namespace else -1
        message = route.add_veth(name, peer, mac=mac, mtu=mtu, peer_namespace=fd)
        return self._made(message, name)

    def add_macvlan(
        self,
        name: str,
        parent: str | int,
        *,
        mode: str = "bridge",
        mac: str = "",
        mtu: int = 0,
        namespace: NetworkNamespace | None = None,
    ) -> None:
        """Make a macvlan on ``parent``, maybe in another namespace; down.

        ``mode``: bridge, private, vepa, passthru.
        """
        self._make(
            route.add_macvlan(
                name,
                self.index_of(parent),
                mode=mode,
                mac=mac,
                mtu=mtu,
                namespace=namespace.fd if namespace else -1,
            )
        )

    def add_ipvlan(
        self,
        name: str,
        parent: str | int,
        *,
        mode: str = "l2",
        flag: str = "bridge",
        mtu: int = 0,
        namespace: NetworkNamespace | None = None,
    ) -> None:
        """Make an ipvlan (mode l2, l3, l3s; flag bridge, private, vepa); down.

        ``KindMissingError`` where the kernel has none.
        """
        self._make(
            route.add_ipvlan(
                name,
                self.index_of(parent),
                mode=mode,
                flag=flag,
                mtu=mtu,
                namespace=namespace.fd if namespace else -1,
            )
        )

    def add_vlan(self, name: str, parent: str | int, tag: int, *, alias: str = "") -> int:
        """Make an 802.1q sub-interface with ``tag`` (1 to 4094); down. Returns its index."""
        return self._made(route.add_vlan(name, self.index_of(parent), tag), name, alias)

    def remove(self, link: str | int, *, missing_ok: bool = False) -> None:
        """Remove an interface; of a veth pair, both ends go."""
        try:
            self._one(route.delete_link(link))
        except NetlinkError as error:
            if not (missing_ok and error.errno in _GONE):
                raise

    def remove_all(self, links: Iterable[str | int]) -> None:
        """Remove many in one request; those that are gone already don't matter."""
        for link in links:
            self.remove(link, missing_ok=True)

    # Changing

    def set_up(self, link: str | int) -> None:
        """``ip link set … up``."""
        self._one(route.set_link(link, up=True, operation="set up"))

    def rename(self, link: str | int, name: str) -> None:
        """Rename; kernels before 6.2 want the interface down."""
        index = self.index_of(link)
        self._one(route.set_link(index, route.named(name), operation=f"rename {link} to {name}:"))

    def set_mtu(self, link: str | int, mtu: int) -> None:
        """Set the largest packet, in bytes."""
        self._one(route.set_link(link, route.hardware(mtu=mtu), operation="set mtu of"))

    def set_master(self, link: str | int, bridge: str | int) -> None:
        """Make it a port of ``bridge``; 0 takes it out."""
        index = self.index_of(bridge) if bridge else 0
        parts = codec.u32(route.IFLA_MASTER, index)
        self._one(route.set_link(link, parts, operation="set bridge of"))

    def set_port(
        self,
        link: str | int,
        *,
        hairpin: bool | None = None,
        isolated: bool | None = None,
        learning: bool | None = None,
    ) -> None:
        """Set flags of a bridge port; None leaves one as it is."""
        self._one(route.set_port(link, hairpin=hairpin, isolated=isolated, learning=learning))

    def move(self, link: str | int, namespace: NetworkNamespace, name: str = "") -> None:
        """Move it into ``namespace``, maybe under another name."""
        parts = codec.u32(route.IFLA_NET_NS_FD, namespace.fd)
        if name:
            parts += route.named(name)
        message = route.set_link(self.index_of(link), parts, operation=f"move {link}:")
        self._one(message)

    def add_address(self, link: str | int, address: Interface) -> None:
        """Give it an address with the prefix as its subnet; there already is no error.

        IPv6 addresses are usable at once: duplicate detection is skipped.
        """
        self._one(route.add_address(self.index_of(link), address))

    def remove_address(self, link: str | int, address: Interface) -> None:
        """Take an address away; not there is no error."""
        self._gone_or(route.delete_address(self.index_of(link), address))

    def add_route(
        self,
        destination: Network,
        *,
        gateway: Address | None = None,
        link: str | int = 0,
        metric: int = 0,
    ) -> None:
        """Add a route, or replace the one with this destination and metric."""
        self._one(route.add_route(destination, gateway, self._index_or_none(link), metric))

    def remove_route(
        self,
        destination: Network,
        *,
        gateway: Address | None = None,
        link: str | int = 0,
        metric: int = 0,
    ) -> None:
        """Remove a route; not there is no error."""
        index = self._index_or_none(link)
        self._gone_or(route.delete_route(destination, gateway, index, metric))

    def add_neighbour(self, link: str | int, address: Address, mac: str) -> None:
        """Say for good which hardware address ``address`` has."""
        self._one(route.add_neighbour(self.index_of(link), address, mac))

    def index_of(self, link: str | int) -> int:
        """Return the number of an interface; ``NetlinkError`` ENODEV if there is none."""
        if isinstance(link, int):
            return link
        return int(route.LINK.unpack_from(self._ask(route.get_link(link)).body)[2])

    def _index_or_none(self, link: str | int) -> int:
        return self.index_of(link) if link else 0

    def _ask(self, message: Message) -> Answer:
        answers = self.socket.request([message])
        if not answers:
            raise NetlinkError(errno.ENODEV, message)
        return answers[0]

    def _one(self, message: Message) -> None:
        self.socket.request([message])

    def _make(self, *messages: Message) -> None:
        try:
            self.socket.request(messages)
        except NetlinkError as error:
            if error.errno == errno.EOPNOTSUPP and error.position == 0:
                raise KindMissingError(error.errno, messages[0], error.reason) from None
            raise

    def _made(self, message: Message, name: str, alias: str = "") -> int:
        if alias:
            # The kernel takes no alias with the making.
            self._make(message, route.set_link(name, route.hardware(alias=alias)))
        else:
            self._make(message)
        return self.index_of(name)

    def _gone_or(self, message: Message) -> None:
        try:
            self.socket.request([message])
        except NetlinkError as error:
            if error.errno not in _GONE:
                raise


__all__ = [
    "Address",
    "Counters",
    "Interface",
    "KindMissingError",
    "Link",
    "Links",
    "Network",
    "RouteEntry",
]
