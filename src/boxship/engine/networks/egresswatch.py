"""What names lead to, and who is told of connections: the moving part of egress rules.

::

    container ─ name ─► resolver ─ answer ─► watch ─► firewall: may connect there, for as long
        ▲                                      │                as the answer is good
        └───────────── the answer ─────────────┘ only then
    firewall ─ connection, allowed or denied ─► watch ─► audit log

The answer waits for the firewall, so that a container never knows an address before it may use it.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Protocol

from boxship.base.clock import Clock, format_ns
from boxship.engine.networks.auditlog import AuditLog
from boxship.engine.networks.egress import Egress, NamedTarget
from boxship.engine.networks.requests import Tenant
from boxship.model.connection import Connection
from boxship.net.dns.resolver import Answered
from boxship.net.firewall.audit import Report
from boxship.net.firewall.facts import Address

SHORTEST = 60
"""Seconds that an answer counts for at least: programs look up a name and connect later."""
LONGEST = 86_400
"""Seconds that an answer counts for at most, whatever it says: the owner of a name may change, and
what is open stays open in the kernel."""
_MOST_NAMES = 4096
"""Addresses per container whose names are remembered for the log."""


@dataclass(frozen=True)
class Allowance:
    """What a station may reach for some seconds; an empty protocol is all of them."""

    station: Address
    destination: Address
    protocol: str
    first: int
    last: int
    seconds: int


class Opener(Protocol):
    """Hands allowances to the firewall, without waiting; calls back from any thread when done."""

    def __call__(self, allowances: tuple[Allowance, ...], done: Callable[[], None]) -> None: ...


@dataclass
class _Watched:
    tenant: Tenant
    egress: Egress
    addresses: tuple[Address, ...]
    names: OrderedDict[Address, str] = field(default_factory=OrderedDict)


class EgressWatch:
    """The containers that have rules. Thread-safe: resolver and firewall call in from theirs."""

    def __init__(self, audit: AuditLog, clock: Clock, open_for: Opener) -> None:
        self.audit = audit
        self._clock, self._open_for = clock, open_for
        self._lock = threading.Lock()
        self._watched: dict[str, _Watched] = {}
        self._by_address: dict[Address, str] = {}

    def watch(self, tenant: Tenant, egress: Egress | None, addresses: Iterable[Address]) -> None:
        """Let these be a container's rules and addresses from now on; None: it has no rules."""
        with self._lock:
            before = self._watched.pop(tenant.id, None)
            self._forget_addresses(before)
            if egress is None:
                return
            watched = _Watched(tenant, egress, tuple(addresses))
            if before is not None:
                watched.names = before.names
            self._watched[tenant.id] = watched
            self._by_address |= dict.fromkeys(watched.addresses, tenant.id)

    def forget(self, container_id: str) -> None:
        """Forget a container; one without rules does not matter."""
        with self._lock:
            self._forget_addresses(self._watched.pop(container_id, None))

    def answered(self, answer: Answered, give: Callable[[], None]) -> None:
        """Take what a name leads to, and have the answer given when that may be used."""
        found = tuple(map(ip_address, answer.addresses))
        with self._lock:
            watched = self._watched.get(answer.station)
            if watched is not None:
                _remember(watched.names, answer.name, found)
        if watched is None:
            give()
            return
        targets = [target for target in watched.egress.names if target.covers(answer.name)]
        seconds = min(max(answer.ttl, SHORTEST), LONGEST)
        allowances = tuple(_allowances(watched.addresses, targets, found, seconds))
        if allowances:
            self._open_for(allowances, give)
        else:
            give()

    def reported(self, report: Report) -> None:
        """Write a connection into the log."""
        with self._lock:
            watched = self._watched.get(self._by_address.get(report.station, ""))
            if watched is None:
                return
            name = watched.names.get(report.destination)
        now = self._clock.now_ns()
        connection = Connection(
            format_ns(now), report.verdict, watched.tenant.id, watched.tenant.name,
            str(report.station), str(report.destination), report.protocol, report.port,
            (name,) if name else (),
        )  # fmt: skip
        self.audit.write(connection, now)

    def _forget_addresses(self, watched: _Watched | None) -> None:
        if watched is None:
            return
        for address in watched.addresses:
            if self._by_address.get(address) == watched.tenant.id:  # nobody else's by now
                del self._by_address[address]


def _remember(names: OrderedDict[Address, str], name: str, found: Iterable[Address]) -> None:
    for address in found:
        names[address] = name.lower().removesuffix(".")
        names.move_to_end(address)
    while len(names) > _MOST_NAMES:
        names.popitem(last=False)


def _is_far(address: Address) -> bool:
    """Tell whether a name may stand for it.

    Who answers for a name could point it at what is near the container, such as the instance
    metadata of clouds at 169.254.169.254. Private addresses are what names inside a company have.
    """
    near = address.is_loopback or address.is_link_local
    return not (near or address.is_multicast or address.is_unspecified)


def _allowances(
    own: Iterable[Address], targets: Iterable[NamedTarget], found: Iterable[Address], seconds: int
) -> Iterator[Allowance]:
    found, targets = tuple(filter(_is_far, found)), tuple(targets)
    for station in own:
        for address in found:
            if address.version != station.version:
                continue
            for reach in {target.reach for target in targets}:
                for protocol in reach.protocols:
                    yield Allowance(station, address, protocol, reach.first, reach.last, seconds)
