"""The host's side of networks: its interfaces made, removed, brought back into order. Blocking.

Interfaces of ours carry an alias (``ip link`` shows it) with the data root they belong to. The
kernel takes name and alias in one request, so that a killed daemon's successor knows whose they
are, and removes what has no record.
"""

import errno
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import Protocol

from boxship.base.errors import InvalidArgumentError, UnavailableError
from boxship.base.files import write_atomic
from boxship.base.ids import boot_id
from boxship.engine.networks import sysctls
from boxship.engine.networks.addresses import Taken
from boxship.engine.networks.interfaces import InterfacePlan, Kind
from boxship.model.statistics import InterfaceStatistics
from boxship.net.links import Interface, Link, Links

_RESOLV_CONF = "/etc/resolv.conf"
_SYSTEMD_RESOLV_CONF = "/run/systemd/resolve/resolv.conf"


@dataclass(frozen=True)
class HostView:
    """The host's interfaces (kind by name), those of ours, and the addresses that it reaches."""

    kinds: dict[str, str] = field(default_factory=dict)
    ours: frozenset[str] = frozenset()
    addresses: Mapping[str, tuple[Interface, ...]] = field(default_factory=dict)
    taken: tuple[Taken, ...] = ()


class Fabric(Protocol):
    """What networks need of the host; called in the network thread."""

    def look(self, *, beside: Collection[str] = ()) -> HostView:
        """Say what there is; routes through interfaces of ``beside`` don't count as taken."""
        ...

    def make(self, plan: InterfacePlan) -> None:
        """Make an interface, or bring the one that is there into order.

        UnavailableError: the kernel refuses. InvalidArgumentError: it is to be somebody else's, and
        is missing or of another kind.
        """
        ...

    def remove(self, name: str) -> None:
        """Remove an interface; one that is gone does not matter. UnavailableError."""
        ...

    def sweep(self, keep: Collection[str]) -> list[str]:
        """Remove interfaces of ours that nobody needs, and return their names."""
        ...

    def counters(self) -> Mapping[str, InterfaceStatistics]:
        """Return what went through each interface, as its other end sees it."""
        ...

    def forward(self, *, ipv4: bool, ipv6: bool) -> tuple[int, ...]:
        """Have the host forward packets; return the versions of IP that we switched on for it.

        Those of this call and, since the machine was started, of earlier ones.
        """
        ...

    def close(self) -> None: ...


class KernelFabric:
    """The real one, in the network namespace of the thread that makes it."""

    def __init__(self, data_root: str, marker: str) -> None:
        """``marker`` is a file that says, until the next boot, which forwarding is our doing."""
        owner = sha256(os.path.realpath(data_root).encode()).hexdigest()[:16]
        self._alias = f"boxship:{owner}"
        self._marker = marker
        self._boot_id = boot_id()
        self._open: Links | None = None

    @property
    def _links(self) -> Links:
        """Opened when it is first needed: without networks nothing is asked of the kernel."""
        if self._open is None:
            self._open = Links.open()
        return self._open

    def look(self, *, beside: Collection[str] = ()) -> HostView:
        with _refusals("look at the host's networks"):
            links = self._links.all()
            names = {link.ifindex: link.name for link in links}
            taken = [
                Taken(route.destination, f"the host's route through {names[route.ifindex]}")
                for route in self._links.routes()
                if route.destination.prefixlen
                and not route.destination.is_link_local
                and not route.destination.is_multicast
                and names.get(route.ifindex, "") not in ("", *beside)
            ]
            addresses: dict[str, tuple[Interface, ...]] = {}
            for index, address in self._links.addresses():
                name = names.get(index, "")
                addresses[name] = (*addresses.get(name, ()), address)
        return HostView(
            {link.name: link.kind for link in links},
            frozenset(link.name for link in links if link.alias == self._alias),
            addresses,
            (*taken, *_nameservers()),
        )

    def make(self, plan: InterfacePlan) -> None:
        with _refusals(f"make {plan.kind} {plan.name}"):
            link = self._links.find(plan.name)
            if link is None:
                self._add(plan)
                link = self._links.get(plan.name)
            elif plan.kind is Kind.BRIDGE and link.kind != "bridge":
                raise InvalidArgumentError(f"existing interface {plan.name} is not a bridge")
            self._bring_into_order(plan, link)

    def _add(self, plan: InterfacePlan) -> None:
        if not plan.ours:
            raise InvalidArgumentError(
                f"there is no {plan.kind} {plan.name} on this host (any more), and it is not "
                "this engine's to make"
            )
        if plan.kind is Kind.BRIDGE:
            self._links.add_bridge(
                plan.name, mac=plan.mac, mtu=plan.mtu, alias=self._alias, up=False
            )
        elif plan.kind is Kind.DUMMY:
            self._links.add_dummy(plan.name, mtu=plan.mtu, alias=self._alias)
        else:
            self._links.add_vlan(plan.name, plan.parent, plan.tag, alias=self._alias)

    def _bring_into_order(self, plan: InterfacePlan, link: Link) -> None:
        if plan.kind is Kind.BRIDGE:
            self._set_addresses(plan, link)
        if plan.mtu and plan.mtu != link.mtu:
            self._links.set_mtu(link.ifindex, plan.mtu)
        if not link.up:
            self._links.set_up(link.ifindex)

    def _set_addresses(self, plan: InterfacePlan, link: Link) -> None:
        if plan.ours or plan.ipv6:
            sysctls.set_ipv6(plan.name, on=plan.ipv6)
        there = [address for _, address in self._links.addresses(link.ifindex)]
        if plan.ours:
            for address in there:
                if address not in plan.addresses and not address.ip.is_link_local:
                    self._links.remove_address(link.ifindex, address)
        for address in plan.addresses:
            if address not in there:
                self._links.add_address(link.ifindex, address)

    def remove(self, name: str) -> None:
        with _refusals(f"remove {name}"):
            self._links.remove(name, missing_ok=True)

    def sweep(self, keep: Collection[str]) -> list[str]:
        with _refusals("remove what is left over"):
            names = [
                link.name
                for link in self._links.all()
                if link.alias == self._alias and link.name not in keep
            ]
            for name in names:
                self._links.remove(name, missing_ok=True)
        return names

    def counters(self) -> Mapping[str, InterfaceStatistics]:
        with _refusals("read counters"):
            found = self._links.counters()
        return {name: InterfaceStatistics(*found[name].reversed()) for name in found}

    def forward(self, *, ipv4: bool, ipv6: bool) -> tuple[int, ...]:
        wanted = [version for version, on in ((4, ipv4), (6, ipv6)) if on]
        with _refusals("have the host forward packets"):
            ours = self._switched_on()
            missing = [version for version in wanted if not sysctls.forwards(version)]
            if missing:
                # First the note: a daemon that is killed in between must not leave a router behind.
                ours = tuple(sorted({*ours, *missing}))
                note = f"{self._boot_id} {' '.join(map(str, ours))}\n"
                write_atomic(self._marker, note.encode(), mode=0o600)
            for version in missing:
                sysctls.forward(version)
        return ours

    def _switched_on(self) -> tuple[int, ...]:
        """Read the note; one of before the last boot does not count."""
        try:
            with open(self._marker, encoding="ascii") as file:
                boot, *versions = file.read().split()
        except (FileNotFoundError, ValueError):
            return ()
        return tuple(map(int, versions)) if boot == self._boot_id else ()

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


@contextmanager
def _refusals(wanted: str) -> Iterator[None]:
    """Turn what the kernel refuses into an error that says what was wanted."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"cannot {wanted}: {error}{_advice(error)}") from error
    except ValueError as error:
        raise InvalidArgumentError(f"cannot {wanted}: {error}") from error


def _advice(error: OSError) -> str:
    if error.errno == errno.EPERM:
        return " (networks need the capability CAP_NET_ADMIN)"
    return ""


def _nameservers(paths: Sequence[str] = (_RESOLV_CONF, _SYSTEMD_RESOLV_CONF)) -> Iterator[Taken]:
    """Yield the host's nameservers: a network over one of them would cut its containers off."""
    for path in paths:
        with suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                words = line.split()
                if len(words) > 1 and words[0] == "nameserver":
                    with suppress(ValueError):
                        address = ip_address(words[1].partition("%")[0])
                        yield Taken(ip_network(address), f"the host's nameserver in {path}")
