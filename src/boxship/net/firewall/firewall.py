"""The firewall of one daemon: facts in, transactions out.

Whoever changes something waits until the kernel has it. Changes by many at once cost a transaction
each: to merge them is for the caller, who knows whose mistake is whose.
"""

import contextlib
import errno
import logging
import os
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterable

from boxship.net.firewall import foreign
from boxship.net.firewall.audit import Audit, Report
from boxship.net.firewall.connections import forget_changed
from boxship.net.firewall.elements import stranger_elements
from boxship.net.firewall.errors import unavailable
from boxship.net.firewall.facts import Bridge, EgressRule, Fact, Published, Station
from boxship.net.firewall.foreign import Obstacle
from boxship.net.firewall.named import Named
from boxship.net.firewall.ruleset import STRANGERS, Ruleset
from boxship.net.firewall.state import Difference, State, state_of
from boxship.net.firewall.watch import Watch
from boxship.net.netlink.codec import Message
from boxship.net.netlink.sockets import NetlinkError, NetlinkSocket
from boxship.net.nftables import listing, objects
from boxship.net.nftables.listing import Count
from boxship.net.nftables.numbers import Family
from boxship.net.nftables.transaction import commit, open_socket

log = logging.getLogger(__name__)

_ATTEMPTS = 3
_DRIFTED = (errno.ENOENT, errno.EEXIST)


class Firewall:
    """Tables ``inet`` and ``bridge`` of one name, in the namespace of the thread that opens it.

    All methods block until the kernel has answered, and are thread-safe. ``mode`` is what new
    connections to published ports do where a firewall of the host forbids them: ``respect`` it or
    ``bypass`` it. ``accepted``: a firewall mark and its mask, see :class:`Ruleset`.
    """

    def __init__(
        self,
        table: str = "boxship",
        *,
        mode: str = "respect",
        accepted: tuple[int, int] | None = None,
    ) -> None:
        self.table, self.mode = table, mode
        self.log_group = zlib.crc32(table.encode()) % 60_000 + 1_000
        """Of NFLOG, where rules of egress report; several daemons have one each."""
        self._ruleset = Ruleset.named(table, self.log_group, accepted)
        self._state = State(self._ruleset)
        self._lock = threading.Lock()
        self._socket: NetlinkSocket | None = None
        self._watch: Watch | None = None
        self._obstacles: tuple[Obstacle, ...] = ()
        self._strangers: frozenset[str] = frozenset()
        self._named = Named(self._ruleset)
        self._audit: Audit | None = None

    def open(self) -> None:
        """Connect to the kernel and find out whether it has what the rules need; change nothing.

        Raises ``FirewallUnavailableError``, which says what to load, install or grant.
        """
        probe = Ruleset.named(f"{self.table}_probe", self.log_group, self._ruleset.accepted)
        try:
            self._socket = open_socket()
            commit(self._socket, probe.create() + probe.remove())
        except OSError as error:
            self.close(remove=False)
            raise unavailable(error) from error
        if legacy := foreign.legacy_tables():
            log.warning(
                "the old iptables has tables here (%s): if its FORWARD chain drops, containers are "
                "cut off; allow their bridges there, or move it to iptables-nft",
                ", ".join(legacy),
            )

    def replace(self, facts: Iterable[Fact]) -> None:
        """Have exactly these facts hold, whatever the kernel has: one transaction.

        Connections that are established go on, and what names have opened stays open as long as it
        would have.
        """
        with self._lock:
            if not self._state.units:
                self._recall_named()
            self._rebuild(state_of(facts, self._ruleset))
            self._pass_others()

    def change(self, *, add: Collection[Fact] = (), remove: Collection[Fact] = ()) -> None:
        """Have ``add`` hold and ``remove`` not, all or nothing.

        What holds already, or doesn't, is passed over. ``NetlinkError``: nothing has changed.
        """
        with self._lock:
            self._change(dict.fromkeys(add), dict.fromkeys(remove))

    def watch(self) -> None:
        """Begin to put back what others take away, in a thread, within half a second."""
        self._watch = Watch(self.table, self._connected().port, self._mend)

    def unwatch(self) -> None:
        """End what ``watch`` began; safe to repeat."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()

    def obstacles(self) -> tuple[Obstacle, ...]:
        """Return whose chains forward nothing by default, and what that means for us."""
        with self._lock:
            return self._obstacles

    def decided_by(self, port: Published) -> str:
        """Return who decides whether others reach a published port: ``ufw`` …; "" is nobody."""
        if port.host_address is not None and port.host_address.is_loopback:
            return ""
        families = (Family.INET, Family.IPV4 if port.target.version == 4 else Family.IPV6)
        for one in self._obstacles:
            if not one.inbound and one.family in families:
                return one.owner or one.place
        return ""

    def allow_named(self, rule: EgressRule, seconds: float) -> None:
        """Let a station with an egress policy go somewhere for a while, at least ``seconds``.

        Blocks until the kernel has it, so that an answer of the name server may be sent afterwards.
        """
        now = time.monotonic()
        with self._lock:
            change = self._named.allow(rule, now, seconds)
            if change is None:
                return
            removed, added = change
            messages = [*objects.delete_elements(removed), *objects.add_elements(added)]
            try:
                commit(self._connected(), messages)
            except NetlinkError:
                # Something has ended a moment before it was to be removed.
                self._refill_named()

    def audit(self, callback: Callable[[Report], None]) -> None:
        """Have ``callback`` called, in a thread, for each connection that a policy looks at.

        ``OSError``: the kernel has no NFLOG, or somebody else listens to ``log_group``.
        """
        self._audit = Audit(self.log_group, callback)

    def unaudit(self) -> None:
        """End what ``audit`` began; safe to repeat."""
        audit, self._audit = self._audit, None
        if audit is not None:
            audit.close()

    def facts(self) -> list[Fact]:
        """Return what holds."""
        with self._lock:
            return self._state.facts()

    def counters(self) -> dict[str, Count]:
        """Return what was dropped, by reason: ``isolation``, ``spoofed``, ``icc``, ``egress`` …"""
        counts: dict[str, Count] = {}
        with self._lock:
            for table in (self._ruleset.inet, self._ruleset.bridge):
                for rule in listing.rules(self._connected(), table.family, table.name):
                    if rule.comment and (count := listing.count_of(rule)) is not None:
                        counts[rule.comment] = counts.get(rule.comment, Count()) + count
        return counts

    def close(self, *, remove: bool) -> None:
        """Let go of the kernel; with ``remove`` take all rules away, else they go on working."""
        self.unwatch()
        self.unaudit()
        with self._lock:
            if self._socket is None:
                return
            if remove:
                self._state = State(self._ruleset)
                self._pass_others()
                with contextlib.suppress(OSError):
                    commit(self._socket, self._ruleset.remove())
            self._socket.close()
            self._socket = None

    def _change(self, add: Collection[Fact], remove: Collection[Fact]) -> None:
        difference = self._state.difference(tuple(add), tuple(remove))
        self._route_loopback(add)
        try:
            commit(self._connected(), _messages(difference))
        except NetlinkError as error:
            if error.errno not in _DRIFTED:
                raise
            self._set_right(difference, error)
        else:
            self._state.apply(difference)
        if any(isinstance(fact, Bridge) for fact in (*add, *remove)):
            self._pass_others()
        self._forget_connections(add, remove)
        gone = [a for fact in remove if isinstance(fact, Station) for a in fact.addresses]
        if gone and self._named.close(gone):
            self._refill_named()

    def _forget_connections(self, add: Iterable[Fact], remove: Iterable[Fact]) -> None:
        added, removed = (
            [fact for fact in facts if isinstance(fact, Published) and fact.protocol == "udp"]
            for facts in (add, remove)
        )
        if added or removed:
            try:
                forget_changed(self._connected(), added, removed)
            except OSError as error:
                log.warning("clients of changed UDP ports may have to wait: %s", error)

    def _set_right(self, difference: Difference, error: NetlinkError) -> None:
        """Somebody has changed our sets, or the facts contradict each other: see which."""
        wanted = State(
            self._ruleset, dict(self._state.units), dict(self._state.counts), self._state.bridges
        )
        wanted.apply(difference)
        self._rebuild(wanted)
        log.warning(
            "table %s was changed by someone (%s) and has been put right", self.table, error
        )

    def _rebuild(self, state: State) -> None:
        self._route_loopback(state.bridges.values())
        elements = state.elements() + self._named.elements(time.monotonic())
        elements += stranger_elements(self._strangers, self._ruleset)
        messages = self._ruleset.create() + list(objects.add_elements(elements))
        commit(self._connected(), messages)
        self._state = state

    def _recall_named(self) -> None:
        for name in ("named4", "named6"):
            open_ones = listing.elements(self._connected(), self._ruleset.inet, name)
            self._named.recall(open_ones, time.monotonic())

    def _refill_named(self) -> None:
        flushed = [objects.flush_set(self._ruleset.inet, name) for name in ("named4", "named6")]
        elements = self._named.elements(time.monotonic())
        commit(self._connected(), [*flushed, *objects.add_elements(elements)])

    def _mend(self, ours: bool, others: bool) -> None:
        with self._lock:
            if self._socket is None:
                return
            try:
                if ours and self._state.units:
                    self._rebuild(self._state)
                    log.warning("table %s was changed by somebody; all is put back", self.table)
            except OSError as error:
                log.warning("table %s was changed and can't be put back: %s", self.table, error)
            if others:
                self._pass_others()

    def _pass_others(self) -> None:
        """Have our bridges pass the firewalls of others; a table may go while we look."""
        socket, chain = self._connected(), self.table.upper()
        for attempt in range(_ATTEMPTS):
            try:
                others = foreign.read(socket, self.table)
                found = foreign.obstacles(others, self.mode, chain)
                changes = foreign.changes(others, found, self._state.bridges, chain)
                strangers = foreign.strangers(others, self._state.bridges)
                commit(socket, changes + self._about(strangers))
            except OSError as error:
                if attempt == _ATTEMPTS - 1:
                    log.warning("can't get past the host's firewall: %s", error)
                continue
            for obstacle in found if changes else ():
                log.info("firewall of the host: %s", obstacle)
            self._obstacles, self._strangers = tuple(found), strangers
            return

    def _about(self, strangers: frozenset[str]) -> list[Message]:
        """Note which bridges are another engine's, if we have a table to note it in."""
        if strangers == self._strangers or not self._state.units:
            return []
        table = self._ruleset.inet
        elements = stranger_elements(strangers, self._ruleset)
        return [objects.flush_set(table, STRANGERS), *objects.add_elements(elements)]

    def _connected(self) -> NetlinkSocket:
        if self._socket is None:
            raise RuntimeError("the firewall is not open")
        return self._socket

    def _route_loopback(self, facts: Iterable[Fact]) -> None:
        """Let clients on the host reach published ports at 127.0.0.1 through the bridge."""
        for fact in facts:
            if isinstance(fact, Bridge) and 4 not in fact.routed and not fact.internal:
                with contextlib.suppress(OSError):
                    _set_route_localnet(fact.interface)


def _messages(difference: Difference) -> list[Message]:
    removed = objects.delete_elements(difference.removed)
    return [*removed, *objects.add_elements(difference.added)]


def _set_route_localnet(interface: str) -> None:
    path = f"/proc/sys/net/ipv4/conf/{interface}/route_localnet"
    with open(path, "wb", buffering=0) as switch:
        os.write(switch.fileno(), b"1")
