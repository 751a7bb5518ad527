"""Give containers their part of the networks, and take it away: interfaces, firewall, names.

::

    start     leases, in memory ─► record committed ─► plug: sandbox, interfaces, routes ┐
                                                             firewall, in a transaction  ├─► path
                                                             names                       ┘
    end       unplug: names, firewall, leases; the interfaces go with the namespace
    live      the record first, then the kernel: a daemon that is killed in between finds the
              record, and its successor does in the kernel what is missing there

Everything that decides is a pure function of a :class:`Plug`; a change while the container runs is
the difference between two. What a plug stands on in the kernel dies with the container's last
process, or with the daemon as long as there is none.
"""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Coroutine, Iterable
from dataclasses import replace
from typing import NamedTuple

from boxship.base.errors import BoxshipError, ConflictError, UnavailableError
from boxship.engine.networks.bridgefacts import standing_facts
from boxship.engine.networks.egress import parse as parse_egress
from boxship.engine.networks.egresswatch import EgressWatch
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.facts import facts_of
from boxship.engine.networks.firewallqueue import FirewallQueue
from boxship.engine.networks.ghosts import Ghosts
from boxship.engine.networks.names import Names, view_of
from boxship.engine.networks.plug import Plug, Records, addresses, named, needs_sandbox
from boxship.engine.networks.record import NetworkRecord
from boxship.engine.networks.repair import Repair, repair
from boxship.engine.networks.requests import Tenant
from boxship.engine.networks.service import Networks
from boxship.engine.networks.wiring import Live, SandboxSource, Socket, Step, rewire, timed, wire
from boxship.net.dns.listeners import Listener
from boxship.net.sandbox import Sandbox

_log = logging.getLogger(__name__)


class Running(NamedTuple):
    """A container that runs, as it was found: its plug and its first process (0: unknown)."""

    plug: Plug
    pid: int


class Plugging:
    """All plugs of the containers that run. Not thread-safe: call it from the event loop."""

    def __init__(
        self,
        networks: Networks,
        pool: SandboxSource,
        firewall: FirewallQueue,
        names: Names,
        egress: EgressWatch,
    ) -> None:
        self.networks = networks
        self.firewall = firewall
        self._pool = pool
        self._names = names
        self.egress = egress
        self._live: dict[str, Live] = {}
        self._ghosts = Ghosts(networks.worker)
        self._tasks: set[asyncio.Task[None]] = set()
        self._recovered = asyncio.Event()

    # ── leases ───────────────────────────────────────────────────────────────────────────────

    def lease(
        self, endpoints: Iterable[EndpointRecord], tenant: Tenant
    ) -> tuple[EndpointRecord, ...]:
        """Give endpoints their addresses and the names of their interfaces: all, or none.

        Those that have theirs already keep them. Errors as of :meth:`Networks.lease`. Plugins are
        asked before, by ``leasing.py``.
        """
        found, wishes = list[EndpointRecord](), tuple(endpoints)
        try:
            for wish in wishes:
                found.append(wish if wish.plugged else self.networks.lease(wish, tenant))
        except BoxshipError:
            for endpoint in (one for one in found if one not in wishes):
                self.networks.release(endpoint)
            raise
        return named(found, self._records(found))

    def release(self, endpoints: Iterable[EndpointRecord]) -> None:
        """Give leases back."""
        for endpoint in endpoints:
            if endpoint.plugged:
                self.networks.end(endpoint)

    # ── a start and an end ───────────────────────────────────────────────────────────────────

    async def plug(self, plug: Plug) -> Socket | None:
        """Make all that a container needs of its networks. On an error nothing is left.

        None: it has no interface on any, and can do with a namespace of its own. UnavailableError:
        the kernel refuses, or there is no firewall.
        """
        await self._recovered.wait()
        records = self._records(plug.endpoints)
        live = Live(plug, facts_of(plug, records, self._by_id()))
        self._watch(plug)
        socket = None
        if any(needs_sandbox(e, records[e.network_id]) for e in plug.endpoints):
            self._pool.start()
            socket = await self._connect_all(live, records)
        self._live[plug.tenant.id] = live  # from here on :meth:`unplug` takes it back
        try:
            self._names.join(plug, records)
            self._show(live, records)
            await self._tell_linked(plug)
        except BaseException:
            if socket is not None:
                socket.close()
            raise
        return socket

    async def _connect_all(self, live: Live, records: Records) -> Socket:
        """Have the firewall and the network thread work side by side."""
        work = self.networks.worker.run(wire, live, records, self._pool, self._names.keeper)
        wiring, steps = asyncio.ensure_future(work), list[Step]()
        try:
            with timed("network: firewall", steps):
                await self.firewall.change(add=live.facts)
            socket = await wiring
        except BaseException as error:
            await asyncio.wait([wiring])
            await self._undo(live, wiring)
            if isinstance(error, OSError):
                raise UnavailableError(f"failed to set up container networking: {error}") from error
            raise
        socket.steps += steps
        return socket

    async def _undo(self, live: Live, wiring: asyncio.Future[Socket]) -> None:
        if not wiring.cancelled() and wiring.exception() is None:
            wiring.result().close()
        if live.listener is not None:
            self._names.keeper.close(live.listener)
        self.egress.forget(live.plug.tenant.id)
        with contextlib.suppress(BoxshipError):  # it refused to add them, or the log has it
            await self.firewall.change(remove=live.facts)

    def unplug(
        self, container_id: str, endpoints: Iterable[EndpointRecord], *, shared: bool = False
    ) -> asyncio.Future[None]:
        """Take back what a container had, its leases at once; twice does no harm.

        What is returned is done when the kernel has let go as well. Its interfaces go with its
        namespace; ``shared``: others are still in there, so they are removed one by one.
        """
        live = self._live.pop(container_id, None)
        if live is None:
            self.release(endpoints)
            return _nothing()
        plug, live.ended = live.plug, True
        self.egress.forget(container_id)
        self._names.leave(container_id, [e.network_id for e in plug.endpoints])
        if live.listener is not None:
            self._names.keeper.close(live.listener)
        # In order: whoever is given the address next comes later to the firewall, too.
        forgotten = self.firewall.change(remove=live.facts)
        self.release(plug.endpoints)
        self._ghosts.expect(e.host_interface for e in plug.endpoints)
        return self._spawn(self._finish(plug, forgotten, shared=shared))

    async def _finish(self, plug: Plug, forgotten: asyncio.Future[None], *, shared: bool) -> None:
        try:
            if shared:  # first: before somebody else is given the address
                await self._ghosts.remove(e.host_interface for e in plug.endpoints)
            await forgotten
        except (BoxshipError, OSError):
            _log.exception("something of container %s is left in networks", plug.tenant.name)
        await self._tell_linked(plug)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ── while it runs ────────────────────────────────────────────────────────────────────────

    async def connect(self, plug: Plug, pid: int) -> None:
        """Give a running container the endpoints that it has not yet.

        UnavailableError: the kernel refuses; ConflictError: it ends just now. It is as before then.
        """
        live = self._live[plug.tenant.id]
        records = self._records(plug.endpoints)
        had = {endpoint.network_id for endpoint in live.plug.endpoints}
        added = [e for e in plug.endpoints if e.network_id not in had]
        before = live.plug
        await self._change_facts(live, plug, records)
        try:
            await self.networks.worker.run(self._rewire, live, plug, records, pid)
        except BaseException as error:
            await self._change_facts(live, before, self._records(before.endpoints))
            if isinstance(error, FileNotFoundError):  # nobody is in the namespace any more
                raise ConflictError(f"container {plug.tenant.name} has just ended") from error
            if isinstance(error, OSError):
                raise UnavailableError(f"failed to set up container networking: {error}") from error
            raise
        if live.ended:
            raise ConflictError(f"container {plug.tenant.name} has just ended")
        live.plug = plug
        self._names.join(plug, records, {endpoint.network_id for endpoint in added})
        self._show(live, records)
        await self._tell_linked(plug)

    def _rewire(self, live: Live, plug: Plug, records: Records, pid: int) -> None:
        with Sandbox.of_process(pid, self._pool.host) as sandbox:
            rewire(live, plug, records, sandbox, self._names.keeper)

    async def disconnect(self, plug: Plug, pid: int) -> None:
        """Take the endpoints away that ``plug`` has no longer, and give their leases back."""
        live = self._live[plug.tenant.id]
        gone = [e for e in live.plug.endpoints if plug.on(e.network_id) is None]
        records = self._records((*plug.endpoints, *gone))
        before = live.plug
        try:
            await self.networks.worker.run(self._rewire, live, plug, records, pid)
        except FileNotFoundError:
            pass  # it ends just now, and its interfaces have gone with it
        except (BoxshipError, OSError) as error:
            raise UnavailableError(f"failed to disconnect the container: {error}") from error
        if live.ended:
            return  # its end has taken back everything, these endpoints as well
        live.plug = plug
        self._names.leave(plug.tenant.id, [endpoint.network_id for endpoint in gone])
        self._show(live, records)
        self.release(gone)
        await self._change_facts(live, plug, records)
        await self._tell_linked(before)

    async def refresh(self, plug: Plug) -> None:
        """Let another name, other ports or other rules hold of a container that runs."""
        live = self._live.get(plug.tenant.id)
        if live is None:
            return
        records = self._records(plug.endpoints)
        await self._change_facts(live, plug, records)
        if live.ended:
            return
        before, live.plug = live.plug, plug
        if before.tenant != plug.tenant:
            self.networks.rename(plug.tenant.id, plug.tenant.name)
        self._names.join(plug, records)
        self._show(live, records)
        await self._tell_linked(plug)

    # ── after a daemon that was killed ───────────────────────────────────────────────────────

    def claim(self, endpoints: Iterable[EndpointRecord], tenant: Tenant) -> None:
        """Keep what a container had when the last daemon ended, until it is known if it runs."""
        for endpoint in endpoints:
            if not endpoint.plugged:
                continue
            try:
                self.networks.adopt(endpoint, tenant)
            except BoxshipError as error:
                _log.error(
                    "container %s keeps its place on network %s without a lease: %s",
                    tenant.name, endpoint.network, error,
                )  # fmt: skip

    async def recover(self, running: Iterable[Running]) -> None:
        """Make kernel, firewall and names agree with the containers that run."""
        kept = [each._replace(plug=self._without_lost(each.plug)) for each in running]
        for plug, _ in kept:
            self._live[plug.tenant.id] = Live(plug)
            self._watch(plug)
        by_id = self._by_id()
        for live in self._live.values():
            live.facts = facts_of(live.plug, self._records(live.plug.endpoints), by_id)
        standing = standing_facts(self.networks.list(), self.networks.fenced)
        facts = [fact for live in self._live.values() for fact in live.facts]
        try:
            await self.firewall.replace((*standing, *facts))
        except (BoxshipError, OSError) as error:
            _log.error("the firewall cannot be brought up to date: %s", error)
        interfaces = {record.interface for record in self.networks.list() if record.interface}
        served = await self._repair(kept, interfaces)
        for plug, _ in kept:
            found, listener = self._live.get(plug.tenant.id), served.get(plug.tenant.id)
            if found is not None:
                found.listener = listener
                self._names.join(plug, self._records(plug.endpoints))
            elif listener is not None:  # it has ended meanwhile
                self._names.keeper.close(listener)
        for live in self._live.values():
            self._show(live, self._records(live.plug.endpoints))
        self._recovered.set()

    async def catch_up(self, found: Running) -> None:
        """Complete one whose process was not known when all were recovered."""
        live = self._live.get(found.plug.tenant.id)
        if live is None or live.listener is not None:
            return
        served = await self._repair([found], ())
        live.listener = served.get(found.plug.tenant.id)
        self._show(live, self._records(live.plug.endpoints))

    async def _repair(
        self, running: Iterable[Running], bridges: Collection[str]
    ) -> dict[str, Listener]:
        jobs = [Repair(plug, pid, self._records(plug.endpoints)) for plug, pid in running]
        if not (jobs or bridges):
            return {}
        try:
            return await self.networks.worker.run(
                repair, jobs, bridges, self._names.keeper, self._pool.host
            )
        except OSError:
            _log.exception("interfaces that a killed daemon left cannot be looked for")
            return {}

    def _without_lost(self, plug: Plug) -> Plug:
        """Leave out endpoints of networks that there are no more."""
        kept = tuple(e for e in plug.endpoints if self._exists(e))
        return plug if kept == plug.endpoints else replace(plug, endpoints=kept)

    async def close(self) -> None:
        """Let go; what runs goes on as it is."""
        await self._ghosts.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.firewall.close()
        await asyncio.to_thread(self._let_go)

    def _let_go(self) -> None:
        self._pool.close()
        self._names.keeper.stop()

    # ── parts ────────────────────────────────────────────────────────────────────────────────

    def _by_id(self) -> dict[str, Plug]:
        return {container_id: live.plug for container_id, live in self._live.items()}

    def _exists(self, endpoint: EndpointRecord) -> bool:
        try:
            self.networks.find(endpoint.network_id)
        except BoxshipError:
            return False
        return True

    def _records(self, endpoints: Iterable[EndpointRecord]) -> dict[str, NetworkRecord]:
        return {e.network_id: self.networks.find(e.network_id) for e in endpoints}

    def _show(self, live: Live, records: Records) -> None:
        if live.listener is not None:
            others = {other.plug.tenant.name: other.plug for other in self._live.values()}
            self._names.keeper.set_view(live.listener, view_of(live.plug, records, others))

    async def _change_facts(self, live: Live, plug: Plug, records: Records) -> None:
        if live.ended:
            return  # nobody would ever take back what were added now
        facts = facts_of(plug, records, self._by_id() | {plug.tenant.id: plug})
        before, live.facts = live.facts, facts  # at once: whoever unplugs it removes what is here
        try:
            await self.firewall.change(
                add=set(facts) - set(before), remove=set(before) - set(facts)
            )
        except BaseException:
            live.facts = before
            raise
        self._watch(plug)

    def _watch(self, plug: Plug) -> None:
        own = (address.ip for endpoint in plug.endpoints for address in addresses(endpoint))
        self.egress.watch(plug.tenant, parse_egress(plug.egress), own)

    async def _tell_linked(self, plug: Plug) -> None:
        """Let those who link to a container see where it is now."""
        for live in list(self._live.values()):
            names = {name for e in live.plug.endpoints for name in e.links}
            by_name = any(link.partition(":")[0].lstrip("/") == plug.tenant.name for link in names)
            by_id = any(link.container_id == plug.tenant.id for link in live.plug.links)
            if not (by_name or by_id):
                continue
            records = self._records(live.plug.endpoints)
            self._show(live, records)
            if by_id:
                try:
                    await self._change_facts(live, live.plug, records)
                except BoxshipError:
                    _log.exception("container %s does not reach a link", live.plug.tenant.name)


def _nothing() -> asyncio.Future[None]:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done
