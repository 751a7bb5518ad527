"""The kernel's side of a plug: a sandbox for a start, and changes of one in use. Blocking."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from boxship.engine.networks.names import NameKeeper, needs_names
from boxship.engine.networks.plug import (
    NamespacePaths,
    Plug,
    Records,
    nic_of,
    routes,
)
from boxship.net.dns.listeners import Listener
from boxship.net.firewall.facts import Fact
from boxship.net.host import Host
from boxship.net.owned import Users
from boxship.net.sandbox import Nic, Sandbox


class Step(NamedTuple):
    """How long a step of plugging took."""

    name: str
    duration_ns: int


class SandboxSource(Protocol):
    """Where sandboxes come from: :class:`boxship.net.pool.SandboxPool`."""

    @property
    def host(self) -> Host:
        """The sockets out here, which all sandboxes share."""
        ...

    def start(self) -> None:
        """Begin to make some ahead; again does no harm."""
        ...

    def take(self, users: Users = None) -> Sandbox:
        """Return one that nobody uses and that belongs to ``users``; blocking."""
        ...

    def close(self) -> None:
        """Throw away those that are left."""
        ...


@dataclass
class Socket:
    """A sandbox made for a container that is about to start; the caller closes it."""

    sandbox: Sandbox
    steps: list[Step] = field(default_factory=list)

    @property
    def paths(self) -> NamespacePaths:
        """Where another process finds the namespaces while this is open."""
        users = self.sandbox.user_namespace
        return NamespacePaths(self.sandbox.namespace.path, users.path if users else "")

    def close(self) -> None:
        """Let go of it: it lives on with its processes, or ends."""
        self.sandbox.close()


@dataclass
class Live:
    """A plug that is in use, and what it stands for elsewhere."""

    plug: Plug
    facts: tuple[Fact, ...] = ()
    listener: Listener | None = None
    ended: bool = False
    """All has been taken back, perhaps while a change was waited for: nothing may be added."""


def wire(live: Live, records: Records, pool: SandboxSource, names: NameKeeper) -> Socket:
    """Make the sandbox of a container that is about to start. OSError: nothing is left of it."""
    steps: list[Step] = []
    with timed("network: namespace", steps):
        sandbox = pool.take(live.plug.users)
    try:
        with timed("network: interfaces", steps):
            for endpoint in live.plug.endpoints:
                if endpoint.interface:
                    sandbox.add(nic_of(endpoint, records[endpoint.network_id]))
            sandbox.set_routes(routes(live.plug.endpoints, records))
        if needs_names(live.plug, records):
            with timed("network: names", steps):
                live.listener = names.listen(sandbox.namespace)
    except BaseException:
        sandbox.close()
        raise
    return Socket(sandbox, steps)


def rewire(live: Live, plug: Plug, records: Records, sandbox: Sandbox, names: NameKeeper) -> None:
    """Go from ``live.plug`` to ``plug`` in a container's namespace.

    On an error what was to come is gone again.
    """
    before = {e.interface: e for e in live.plug.endpoints if e.interface}
    after = {e.interface: e for e in plug.endpoints if e.interface}
    for name in before.keys() - after.keys():
        sandbox.remove(name)
    added: list[Nic] = []
    try:
        for name in [name for name in after if name not in before]:
            added.append(nic_of(after[name], records[after[name].network_id]))
            sandbox.add(added[-1])
        sandbox.set_routes(routes(plug.endpoints, records))
        if live.listener is None and needs_names(plug, records):
            live.listener = names.listen(sandbox.namespace)
    except BaseException:
        for nic in added:
            sandbox.remove(nic.name)
        sandbox.set_routes(routes(live.plug.endpoints, records))
        raise


@contextmanager
def timed(name: str, steps: list[Step]) -> Iterator[None]:
    """Add to ``steps`` how long the block took."""
    begin = time.monotonic_ns()
    try:
        yield
    finally:
        steps.append(Step(name, time.monotonic_ns() - begin))
