"""Plugs that fail are undone, and those that end give everything back, in order."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

import msgspec
import pytest

from boxship.base.errors import ConflictError, UnavailableError
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.firewallqueue import FirewallQueue
from boxship.engine.networks.names import Names
from boxship.engine.networks.plug import Plug
from boxship.engine.networks.plugging import Plugging, Running
from boxship.engine.networks.requests import CreateNetwork, PoolRequest, Tenant
from boxship.engine.networks.service import Networks
from boxship.model.ports import PublishedPort
from boxship.net.dns.zones import View, Zone
from boxship.net.firewall.facts import Fact, Station
from boxship.net.sandbox import Nic, Route

WEB, DB = Tenant("a" * 64, "web"), Tenant("b" * 64, "db")


@dataclass
class Scene:
    """What was asked of kernel, firewall and resolver, in order; and what refuses."""

    log: list[str] = field(default_factory=list)
    refuse: str = ""
    error: type[Exception] = OSError
    facts: set[Fact] = field(default_factory=set)
    zones: dict[str, Zone] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    meanwhile: Callable[[], None] = lambda: None
    """What happens while the firewall is at work."""

    def note(self, what: str) -> None:
        self.log.append(what)
        if self.refuse and what.startswith(self.refuse):
            raise self.error(16, f"{what} is refused")


class FakeNamespace:
    path = "/proc/1/fd/7"


class FakeSandbox:
    namespace, user_namespace = FakeNamespace(), None

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def add(self, nic: Nic) -> None:
        self.scene.note(f"add {nic.name}")

    def set_routes(self, routes: Iterable[Route]) -> None:
        self.scene.note(f"routes {[route.nic for route in routes]}")

    def close(self) -> None:
        self.scene.note("close")


class FakePool:
    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.host = None

    def start(self) -> None:
        pass

    def take(self, users: object = None) -> FakeSandbox:
        self.scene.note("take")
        return FakeSandbox(self.scene)

    def close(self) -> None:
        pass


class FakeResolver:
    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def listen(self, namespace: object) -> str:
        self.scene.note("listen")
        return "listener"

    adopt = listen

    def close(self, listener: str) -> None:
        self.scene.note("stop listening")

    def set_zone(self, network: str, zone: Zone | None) -> None:
        if zone is None:
            self.scene.zones.pop(network, None)
        else:
            self.scene.zones[network] = zone

    def set_view(self, listener: str, view: View) -> None:
        self.scene.views[view.station] = view

    def stop(self) -> None:
        pass


class FakeFirewall:
    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def replace(self, facts: Iterable[Fact]) -> None:
        self.scene.meanwhile()
        self.scene.facts = {fact for fact in facts if isinstance(fact, Station)}

    def change(self, *, add: Collection[Fact] = (), remove: Collection[Fact] = ()) -> None:
        self.scene.note(f"firewall +{len(add)} -{len(remove)}")
        self.scene.facts = (self.scene.facts | set(add)) - set(remove)

    def allow(self, allowances: object) -> None:
        pass

    def close(self) -> None:
        pass


class NoEgress:
    def watch(self, *_: object) -> None:
        pass

    def forget(self, _: str) -> None:
        pass


Work = Callable[[Plugging, EndpointRecord], Awaitable[None]]


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def play(shop: Any, scene: Scene) -> Callable[[Work], None]:
    """Run with one network, and a wish for it."""

    def run(work: Work) -> None:
        async def inside(networks: Networks) -> None:
            request = CreateNetwork("shop", pools=(PoolRequest("10.9.0.0/24"),))
            await networks.create(request)
            firewall: Any = FirewallQueue(FakeFirewall(scene))  # type: ignore[arg-type]
            pool: Any = FakePool(scene)
            resolver: Any = FakeResolver(scene)
            egress: Any = NoEgress()
            plugging = Plugging(networks, pool, firewall, Names(resolver), egress)
            await plugging.recover(())
            scene.log.clear()
            wish = networks.check_wish(EndpointRecord("", "shop"))
            await work(plugging, wish)
            await plugging.close()

        shop.run(inside, bridge="none")

    return run


def leased(plugging: Plugging, wish: EndpointRecord, tenant: Tenant = WEB) -> Plug:
    return Plug(tenant, plugging.lease((wish,), tenant))


def tenants(plugging: Plugging) -> list[str]:
    return [lease.tenant.name for lease in plugging.networks.inspect("shop").leases]


def test_a_start_and_an_end(play: Callable[[Work], None], scene: Scene) -> None:
    async def work(plugging: Plugging, wish: EndpointRecord) -> None:
        plug = leased(plugging, wish)
        socket = await plugging.plug(plug)
        assert socket is not None
        assert socket.paths.network == FakeNamespace.path
        assert [step.name for step in socket.steps] == [
            "network: namespace",
            "network: interfaces",
            "network: names",
            "network: firewall",
        ]
        socket.close()
        assert isinstance(next(iter(scene.facts)), Station)
        assert next(iter(scene.zones.values())).members.keys() == {WEB.id}
        gone = plugging.unplug(WEB.id, plug.endpoints)
        assert tenants(plugging) == []  # at once
        await gone
        assert scene.zones == {}

    play(work)
    assert scene.facts == set()
    assert "stop listening" in scene.log


@pytest.mark.parametrize("refused", ["take", "add", "routes", "listen", "firewall +"])
def test_what_fails_is_undone(play: Callable[[Work], None], scene: Scene, refused: str) -> None:
    async def work(plugging: Plugging, wish: EndpointRecord) -> None:
        plug = leased(plugging, wish)
        scene.refuse = refused
        with pytest.raises(UnavailableError, match="is refused"):
            await plugging.plug(plug)
        scene.refuse = ""
        await plugging.unplug(WEB.id, plug.endpoints)
        assert tenants(plugging) == []

    play(work)
    assert scene.facts == set()
    assert scene.zones == {}
    assert scene.log.count("close") == scene.log.count("take") - (refused == "take")
    if refused == "firewall +":
        assert "stop listening" in scene.log


def test_a_defect_is_undone_as_well(play: Callable[[Work], None], scene: Scene) -> None:
    """What nobody has thought of is told as it is, and leaves no more behind."""

    async def work(plugging: Plugging, wish: EndpointRecord) -> None:
        plug = leased(plugging, wish)
        scene.refuse, scene.error = "add", ValueError
        with pytest.raises(ValueError, match="is refused"):
            await plugging.plug(plug)
        assert scene.facts == set()
        assert scene.log[-1].startswith("firewall +0")
        scene.refuse = ""
        await plugging.unplug(WEB.id, plug.endpoints)

    play(work)


def test_of_several_leases_all_or_none(play: Callable[[Work], None]) -> None:
    async def work(plugging: Plugging, wish: EndpointRecord) -> None:
        twice = msgspec.structs.replace(wish, ipv4_asked="10.9.0.9")
        with pytest.raises(Exception, match=r"10\.9\.0\.9"):
            plugging.lease((twice, twice), WEB)
        assert tenants(plugging) == []

    play(work)


def test_an_address_changes_hands_in_order(play: Callable[[Work], None], scene: Scene) -> None:
    """Whoever gets it next is in the firewall, though the change of the one before was late."""

    async def work(plugging: Plugging, wish: EndpointRecord) -> None:
        first = leased(plugging, wish)
        await plugging.plug(first)
        plugging.unplug(WEB.id, first.endpoints)  # not waited for
        second = leased(plugging, wish, DB)
        assert second.endpoints[0].ipv4 == first.endpoints[0].ipv4
        await plugging.plug(second)
        (station,) = scene.facts
        assert isinstance(station, Station)
        assert station.interface == second.endpoints[0].host_interface

    play(work)


def test_links_follow(play: Callable[[Work], None], scene: Scene) -> None:
    async def work(plugging: Plugging, wish: EndpointRecord) -> None:
        linking = msgspec.structs.replace(wish, links=("db:data",))
        await plugging.plug(leased(plugging, linking))
        assert scene.views[WEB.id].extra == {}
        other = leased(plugging, wish, DB)
        await plugging.plug(other)
        assert scene.views[WEB.id].extra == {"data": ("10.9.0.3",)}
        await plugging.unplug(DB.id, other.endpoints)
        assert scene.views[WEB.id].extra == {}

    play(work)


@pytest.mark.parametrize("change", ["connect", "disconnect"])
def test_who_ends_while_it_is_changed_keeps_nothing(
    play: Callable[[Work], None], scene: Scene, change: str
) -> None:
    """The ports that a change moves are in the firewall neither before nor after it."""

    async def work(plugging: Plugging, wish: EndpointRecord) -> None:
        await plugging.networks.create(CreateNetwork("alley", pools=(PoolRequest("10.10.0.0/24"),)))
        alley = plugging.networks.check_wish(EndpointRecord("", "alley"))
        both = plugging.lease((wish, alley), WEB)
        ports = (PublishedPort("tcp", 80, 80, 8080, 8080),)
        (lower,) = [one for one in both if one.network == "alley"]
        (other,) = [one for one in both if one.network == "shop"]
        few = Plug(WEB, (other,), ports=ports)
        many = Plug(WEB, (lower, other), ports=ports)
        before, after = (few, many) if change == "connect" else (many, few)
        await plugging.plug(before)
        changing = asyncio.ensure_future(getattr(plugging, change)(after, 1 << 22))
        await asyncio.sleep(0)
        gone = plugging.unplug(WEB.id, before.endpoints)
        await asyncio.wait([changing])
        await gone
        assert scene.zones == {}
        assert isinstance(changing.exception(), ConflictError if change == "connect" else NoneType)

    play(work)
    assert scene.facts == set()


def test_who_ends_while_all_are_recovered_keeps_nothing(
    play: Callable[[Work], None], scene: Scene
) -> None:
    """Containers go on ending while a new daemon looks at those it has found."""

    async def work(plugging: Plugging, wish: EndpointRecord) -> None:
        plugs = [leased(plugging, wish, tenant) for tenant in (WEB, DB)]
        loop, ended = asyncio.get_running_loop(), list[asyncio.Future[None]]()

        async def end() -> None:
            ended.append(plugging.unplug(WEB.id, plugs[0].endpoints))

        scene.meanwhile = lambda: asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        await plugging.recover([Running(plug, 0) for plug in plugs])
        await asyncio.gather(*ended)
        assert tenants(plugging) == ["db"]
        assert len(scene.facts) == 1
        assert [list(zone.members) for zone in scene.zones.values()] == [[DB.id]]

    play(work)
