"""What stands behind plugs: firewall, resolver and sandboxes, put together once per engine.

Nothing of it costs anything before a container is on a network with interfaces: an engine whose
containers use ``none`` or ``host`` asks the kernel for nothing, and works where it would refuse.
"""

import hashlib
import os
from collections.abc import Collection, Iterable

from boxship.base.clock import Clock
from boxship.base.errors import UnavailableError
from boxship.engine.networks.auditlog import AuditLog
from boxship.engine.networks.bridgefacts import FirewallWalls
from boxship.engine.networks.egresswatch import Allowance, EgressWatch
from boxship.engine.networks.firewallqueue import FirewallQueue
from boxship.engine.networks.names import Names
from boxship.engine.networks.plug import owner
from boxship.engine.networks.plugging import Plugging
from boxship.engine.networks.service import Networks
from boxship.engine.settings import EngineSettings
from boxship.net.dns.resolver import Resolver
from boxship.net.firewall.facts import Fact
from boxship.net.firewall.firewall import Firewall
from boxship.net.pool import SandboxPool

_TABLE = "boxship"
_READY = 8
"""Sandboxes kept ready: as many starts at once as wait for none."""


def open_plugging(settings: EngineSettings, networks: Networks, clock: Clock) -> Plugging:
    """Return what plugs the containers of one engine."""
    keeper = OpenedLater(table_of(settings.exec_root), mode=settings.networks.firewall)
    firewall = FirewallQueue(keeper if settings.networks.iptables else None)
    egress = EgressWatch(AuditLog(f"{settings.data_root}/network"), clock, firewall.allow)
    resolver = Resolver(egress.answered)
    resolver.start()
    networks.walls = FirewallWalls(firewall)
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
    """The firewall, opened with the first fact; tried again with the next if that fails."""

    def __init__(self, table: str, *, mode: str) -> None:
        self._table, self._mode = table, mode
        self._firewall: Firewall | None = None

    def replace(self, facts: Iterable[Fact]) -> None:
        """Make ``facts`` all there are. FirewallUnavailableError, NetlinkError."""
        facts = tuple(facts)
        if facts or self._firewall is not None:
            self._opened().replace(facts)

    def change(self, *, add: Collection[Fact] = (), remove: Collection[Fact] = ()) -> None:
        """Make these be and those not be. FirewallUnavailableError, NetlinkError."""
        if add or self._firewall is not None:
            self._opened().change(add=add, remove=remove)

    def allow(self, allowances: Iterable[Allowance]) -> None:
        """Let stations reach addresses for some time."""
        count = sum(1 for _ in allowances)
        raise UnavailableError(f"the firewall cannot open {count} ways by name yet")

    def close(self) -> None:
        """Let go; the rules stay."""
        if self._firewall is not None:
            self._firewall.close(remove=False)

    def _opened(self) -> Firewall:
        if self._firewall is None:
            firewall = Firewall(self._table, mode=self._mode)
            firewall.open()
            firewall.watch()
            self._firewall = firewall
        return self._firewall
