"""The network side of one container: a namespace, its interfaces, its routes."""

from collections.abc import Iterable
from types import TracebackType
from typing import NamedTuple, Self

from boxship.base.frozen import dataclass
from boxship.net.links import Address, Counters, Interface, Network
from boxship.net.namespaces import NetworkNamespace


@dataclass(frozen=True, slots=True)
class Nic:
    """An interface that a sandbox is to have."""

    attach_to: str
    """The bridge (veth) or parent (macvlan, ipvlan) in the daemon's namespace."""
    name: str = "eth0"
    kind: str = "veth"
    """``veth``, ``macvlan`` or ``ipvlan``."""
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


class Sandbox:
    """A network namespace and what is in it. For one thread at a time.

    It holds descriptors in the namespace, which therefore lives at least until ``close``; after
    that as long as processes are in it.
    """

    namespace: NetworkNamespace

    def __init__(self, namespace: NetworkNamespace) -> None:
        """Take over ``namespace``, whatever is in it already."""
        self.namespace = namespace

    @classmethod
    def make(cls) -> "Sandbox":
        """Return one with ``lo`` up and nothing else, in a new namespace."""
        raise NotImplementedError

    @classmethod
    def of_process(cls, pid: int) -> "Sandbox":
        """Return the one that process ``pid`` is in, to change it while it runs."""
        raise NotImplementedError

    def add(self, nic: Nic) -> Plugged:
        """Add an interface, up, with its addresses; neighbours on the bridge are told of them.

        ``NetlinkError`` or ``OSError``; then nothing of it is left.
        """
        raise NotImplementedError

    def remove(self, nic_name: str) -> None:
        """Remove an interface and with it its routes; not there is no error."""
        raise NotImplementedError

    def set_routes(self, routes: Iterable[Route]) -> None:
        """Have these routes. Default routes are replaced, others added.

        Without a default route of a family in ``routes``, there is none afterwards.
        """
        raise NotImplementedError

    def counters(self) -> dict[str, Counters]:
        """Return each interface's counters by its name inside, without ``lo``."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the namespace; safe to repeat. With no process in it, it ends with all."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
