"""Networks on a real database, with a host of our own making in the kernel's place."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from boxship.base.clock import SystemClock
from boxship.base.errors import UnavailableError
from boxship.engine.events.bus import EventBus
from boxship.engine.networks.addresses import Taken
from boxship.engine.networks.fabric import HostView
from boxship.engine.networks.interfaces import InterfacePlan
from boxship.engine.networks.record import NetworkRecord
from boxship.engine.networks.service import Networks
from boxship.engine.records.database import Database
from boxship.engine.records.schema import MIGRATIONS
from boxship.engine.settings import NetworkSettings
from boxship.model.statistics import InterfaceStatistics


@dataclass
class FakeFabric:
    """A host: interfaces by name, and routes of others."""

    made: dict[str, InterfacePlan] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    routes: list[str] = field(default_factory=list)
    refuse: str = ""
    forwarding: set[int] = field(default_factory=set)
    counted: dict[str, InterfaceStatistics] = field(default_factory=dict)

    def look(self, *, beside: Collection[str] = ()) -> HostView:
        kinds = {name: plan.kind.value for name, plan in self.made.items()} | self.others
        taken = tuple(Taken(ip_network(r), "the host's route through eth0") for r in self.routes)
        addresses = {name: plan.addresses for name, plan in self.made.items()}
        return HostView(kinds, frozenset(self.made), addresses, taken)

    def make(self, plan: InterfacePlan) -> None:
        if self.refuse:
            raise UnavailableError(self.refuse)
        self.made[plan.name] = plan

    def remove(self, name: str) -> None:
        self.made.pop(name, None)

    def sweep(self, keep: Collection[str]) -> list[str]:
        gone = [name for name in self.made if name not in keep]
        for name in gone:
            del self.made[name]
        return gone

    def counters(self) -> dict[str, InterfaceStatistics]:
        return self.counted

    def forward(self, *, ipv4: bool, ipv6: bool) -> tuple[int, ...]:
        self.forwarding |= {4} if ipv4 else set()
        self.forwarding |= {6} if ipv6 else set()
        return tuple(sorted(self.forwarding))

    def close(self) -> None:
        pass


@dataclass
class FakeWalls:
    known: list[str] = field(default_factory=list)
    refuse: str = ""

    async def add(self, network: NetworkRecord) -> None:
        if self.refuse:
            raise UnavailableError(self.refuse)
        self.known.append(network.name)

    async def remove(self, network: NetworkRecord) -> None:
        if network.name in self.known:
            self.known.remove(network.name)


class Shop:
    """Opens networks over one directory, again and again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.fabric = FakeFabric()
        self.walls = FakeWalls()
        self.events = EventBus(SystemClock())

    @asynccontextmanager
    async def open(self, **settings: Any) -> AsyncIterator[Networks]:
        database = Database(str(self.home / "boxship.db"), MIGRATIONS)
        made = NetworkSettings(**settings)
        networks = Networks(database, self.events, SystemClock(), made, self.fabric)
        networks.walls = self.walls
        try:
            await networks.open()
            yield networks
        finally:
            await networks.close()
            database.close()

    def run(self, work: Callable[[Networks], Coroutine[Any, Any, Any]], **settings: Any) -> Any:
        async def inside() -> Any:
            async with self.open(**settings) as networks:
                return await work(networks)

        return asyncio.run(inside())


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)
