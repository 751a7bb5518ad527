"""What stands behind plugs: firewall, resolver and sandboxes, put together once per engine.

Nothing of it costs anything before a container is on a network with interfaces: an engine whose
containers use ``none`` or ``host`` asks the kernel for nothing, and works where it would refuse.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Collection, Iterable
from ipaddress import ip_network

from boxship.base.clock import Clock
from boxship.engine.networks.auditlog import AuditLog
from boxship.engine.networks.bridgefacts import FirewallWalls, as_configured
from boxship.engine.networks.egress import ALLOW
from boxship.engine.networks.egresswatch import Allowance, EgressWatch
from boxship.engine.networks.firewallqueue import FirewallQueue
from boxship.engine.networks.names import Names
from boxship.engine.networks.plug import owner
from boxship.engine.networks.plugging import Plugging
from boxship.engine.networks.service import Networks
from boxship.engine.settings import EngineSettings, NetworkSettings
from boxship.net.dns.resolver import Resolver
from boxship.net.firewall.audit import Report
from boxship.net.firewall.facts import EgressPolicy, EgressRule, Fact, Published
from boxship.net.firewall.firewall import Firewall
from boxship.net.pool import SandboxPool

_log = logging.getLogger(__name__)
_TABLE = "boxship"
_READY = 8
"""Sandboxes kept ready: as many starts at once as wait for none."""


def open_plugging(settings: EngineSettings, networks: Networks, clock: Clock) -> Plugging:
    """Return what plugs the containers of one engine."""
    keeper = OpenedLater(table_of(settings.exec_root), settings.networks)
    firewall = FirewallQueue(keeper if settings.networks.iptables else None)
    egress = EgressWatch(AuditLog(f"{settings.data_root}/network"), clock, firewall.allow)
    keeper.report = egress.reported
    resolver = Resolver(egress.answered)
    resolver.start()
    networks.walls = FirewallWalls(firewall, lambda: networks.fenced)
    return Plugging(
        networks,
        SandboxPool(_READY, users=owner(settings.user_maps)),
        firewall,
        Names(resolver),
        egress,
    )


def table_of(exec_root: str) -> str:
    """Return the name of a daemon's table: several daemons live side by side."""
    if os.path.realpath(exec_root) == os.path.realpath(EngineSettings.exec_root):
        return _TABLE
    return f"{_TABLE}_{hashlib.sha256(os.path.realpath(exec_root).encode()).hexdigest()[:8]}"


class OpenedLater:
    """The firewall, opened with the first fact; tried again with the next if that fails.

    It knows all facts from the first moment on, so that whenever it can be opened it is whole.
    """

    def __init__(self, table: str, settings: NetworkSettings) -> None:
        self._table, self._settings = table, settings
        self._firewall: Firewall | None = None
        self._waiting: set[Fact] = set()
        """What is to hold as soon as there is a firewall."""
        self._audited = False
        self.report: Callable[[Report], None] | None = None
        """What is told of the connections that egress rules look at, in a thread of its own."""

    def replace(self, facts: Iterable[Fact]) -> None:
        """Make ``facts`` all there are. FirewallUnavailableError, NetlinkError."""
        self._waiting = set(self._configured(facts))
        if self._firewall is not None:
            self._firewall.replace(self._waiting)
        elif self._waiting:
            self._open(self._waiting)
        self._audit(self._waiting)

    def change(self, *, add: Collection[Fact] = (), remove: Collection[Fact] = ()) -> None:
        """Make these be and those not be. FirewallUnavailableError, NetlinkError."""
        add, remove = self._configured(add), self._configured(remove)
        if self._firewall is not None:
            self._firewall.change(add=add, remove=remove)
        else:
            self._waiting -= set(remove)
            if not add:
                return
            self._open(self._waiting | set(add))
        self._audit(add)

    def allow(self, allowances: Iterable[Allowance]) -> None:
        """Let stations reach addresses for some time. NetlinkError."""
        for one in allowances:
            if self._firewall is not None:
                destination = ip_network(one.destination)
                rule = EgressRule(
                    one.station, ALLOW, destination, one.protocol, one.first, one.last
                )
                self._firewall.allow_named(rule, one.seconds)

    def decided_by(self, port: Published) -> str:
        """Return which firewall of the host decides who reaches a port; empty: none does."""
        return "" if self._firewall is None else self._firewall.decided_by(port)

    def close(self) -> None:
        """Let go; the rules stay."""
        if self._firewall is not None:
            self._firewall.close(remove=False)

    def _configured(self, facts: Iterable[Fact]) -> list[Fact]:
        settled = (as_configured(fact, self._settings) for fact in facts)
        return [fact for fact in settled if fact is not None]

    def _open(self, facts: set[Fact]) -> None:
        settings = self._settings
        firewall = Firewall(self._table, mode=settings.firewall, accepted=settings.accepted_mark)
        firewall.open()
        try:
            firewall.replace(facts)
            firewall.watch()
        except BaseException:
            firewall.close(remove=False)
            raise
        self._firewall = firewall

    def _audit(self, facts: Iterable[Fact]) -> None:
        """Begin to listen with the first container that has rules; most engines have none."""
        if self._audited or self._firewall is None or self.report is None:
            return
        if not any(isinstance(fact, EgressPolicy) for fact in facts):
            return
        self._audited = True
        try:
            self._firewall.audit(self.report)
        except OSError as error:
            _log.error("connections of containers with egress rules are not logged: %s", error)
