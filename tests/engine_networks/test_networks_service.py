"""Making, finding and removing networks, and what two do at once."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from boxship.base.errors import (
    ConflictError,
    ForbiddenError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.requests import (
    CreateNetwork,
    NetworkPrune,
    NetworkQuery,
    PoolRequest,
    Tenant,
)
from boxship.engine.networks.walls import NoWalls

WEB = Tenant("c" * 64, "web")


def names(networks):
    return [record.name for record in networks.list()]


def test_there_are_three_networks_from_the_beginning(shop):
    async def look(networks):
        assert sorted(names(networks)) == ["bridge", "host", "none"]
        (pool,) = networks.bridge.ipam
        assert (pool.subnet, pool.gateway) == ("172.17.0.0/16", "172.17.0.1")
        assert networks.bridge.interface == "boxship0"
        assert shop.fabric.forwarding == {4}
        assert networks.fenced == (4,)
        await networks.create(CreateNetwork("v6", enable_ipv6=True))
        assert networks.fenced == (4, 6)

    shop.run(look)


def test_a_host_that_may_be_everybodys_router_is_not_fenced(shop):
    async def look(networks):
        assert networks.fenced == ()

    shop.run(look, ip_forward_no_drop=True)


def test_a_host_that_is_no_router_stays_none(shop):
    async def look(networks):
        assert not shop.fabric.forwarding

    shop.run(look, ip_forward=False)


def test_a_bridge_of_somebody_else_must_be_there(shop):
    async def look(networks):
        raise AssertionError

    with pytest.raises(InvalidArgumentError, match="there is no bridge br0 on this host"):
        shop.run(look, bridge="br0")


def test_the_default_bridge_does_not_lie_over_another_network(shop):
    async def make(networks):
        await networks.create(CreateNetwork("web", pools=(PoolRequest("10.9.0.0/24"),)))

    shop.run(make)
    with pytest.raises(InvalidArgumentError, match=r"the default bridge: .*/24 of network web"):
        shop.run(make, bip="10.9.0.1/16")


def test_without_a_bridge_the_host_is_not_touched(shop):
    async def look(networks):
        assert sorted(names(networks)) == ["host", "none"]
        assert networks.bridge is None
        assert not shop.fabric.made
        assert not shop.fabric.forwarding

    shop.run(look, bridge="none")


def test_what_was_made_is_there_after_a_restart_and_its_bridge_is_made_again(shop):
    async def make(networks):
        return (await networks.create(CreateNetwork("web", labels={"a": "b"}))).id

    identity = shop.run(make)
    before = dict(shop.fabric.made)
    shop.fabric.made.clear()  # as after a reboot

    async def look(networks):
        record = networks.find("web")
        assert record.id == identity
        assert record.labels == {"a": "b"}

    shop.run(look)
    assert shop.fabric.made == before


def test_what_happened_to_a_network_is_remembered(shop):
    async def live(networks):
        await networks.create(CreateNetwork("web"))
        await networks.remove("web")

    shop.run(live)
    shop.run(live)
    with closing(sqlite3.connect(shop.home / "boxship.db")) as connection:
        rows = connection.execute("SELECT action, detail FROM history WHERE kind = 'network'")
        history = [" ".join(row) for row in rows]
    assert sorted(history[:3]) == ["configure bridge", "configure host", "configure none"]
    assert history[3:] == ["create web", "destroy web"] * 2


def test_a_bridge_without_a_record_is_swept(shop):
    async def make(networks):
        await networks.create(CreateNetwork("web"))

    shop.run(make)
    (stray,) = [plan for name, plan in shop.fabric.made.items() if name != "boxship0"]
    shop.fabric.made["br-0123456789ab"] = stray

    async def nothing(_networks):
        pass

    shop.run(nothing)
    assert set(shop.fabric.made) == {"boxship0", stray.name}


def test_of_two_that_make_one_name_one_is_refused(shop):
    async def both(networks):
        wish = CreateNetwork("web")
        outcomes = await asyncio.gather(
            networks.create(wish), networks.create(wish), return_exceptions=True
        )
        refused = [outcome for outcome in outcomes if isinstance(outcome, ConflictError)]
        assert [str(error) for error in refused] == ["network with name web already exists"]
        assert names(networks).count("web") == 1

    shop.run(both)
    assert len(shop.fabric.made) == 2


def test_many_that_are_made_at_once_have_subnets_of_their_own(shop):
    async def many(networks):
        await asyncio.gather(*(networks.create(CreateNetwork(f"n{i}")) for i in range(20)))
        subnets = {networks.find(f"n{i}").ipam[0].subnet for i in range(20)}
        assert len(subnets) == 20

    shop.run(many)


@pytest.mark.parametrize("where", ["fabric", "walls"])
def test_nothing_stays_of_what_the_kernel_refuses(shop, where):
    async def fail(networks):
        getattr(shop, where).refuse = "no room"
        wish = CreateNetwork("web", pools=(PoolRequest("10.9.0.0/24"),))
        with pytest.raises(UnavailableError, match="no room"):
            await networks.create(wish)
        assert list(shop.fabric.made) == ["boxship0"]
        assert not shop.walls.known
        getattr(shop, where).refuse = ""
        await networks.create(wish)  # name and subnet are free again

    shop.run(fail)


def test_a_network_in_use_is_not_removed_and_says_whose_it_is(shop):
    async def remove(networks):
        await networks.create(CreateNetwork("web"))
        endpoint = networks.lease(networks.check_wish(EndpointRecord("", "web")), WEB)
        with pytest.raises(ForbiddenError, match=r'network web has active endpoints \(name:"web"'):
            await networks.remove("web")
        assert await networks.prune(NetworkPrune()) == ()
        networks.release(endpoint)
        networks.release(endpoint)
        await networks.remove("web")
        with pytest.raises(NotFoundError, match="network web not found"):
            networks.find("web")
        assert list(shop.fabric.made) == ["boxship0"]

    shop.run(remove)


def test_nobody_gets_on_a_network_that_is_being_removed(shop):
    async def race(networks):
        await networks.create(CreateNetwork("web"))
        wish = networks.check_wish(EndpointRecord("", "web"))
        removing = asyncio.ensure_future(networks.remove("web"))
        again = asyncio.ensure_future(networks.remove("web"))
        for _ in range(3):  # steps until the removal has begun
            await asyncio.sleep(0)
        with pytest.raises(NotFoundError, match="not found"):
            networks.lease(wish, WEB)
        await removing
        with pytest.raises(NotFoundError, match="not found"):
            await again

    shop.run(race)


def test_a_caller_that_goes_away_does_not_leave_half_a_network(shop):
    async def give_up(networks):
        caller = asyncio.ensure_future(networks.create(CreateNetwork("web")))
        await asyncio.sleep(0)
        caller.cancel()

    async def look(networks):
        assert "web" in names(networks)

    shop.run(give_up)
    shop.run(look)


@pytest.mark.parametrize("name", ["bridge", "host", "none"])
def test_predefined_networks_stay(shop, name):
    async def remove(networks):
        with pytest.raises(ForbiddenError, match=f"{name} is a pre-defined network and cannot"):
            await networks.remove(name)
        with pytest.raises(ForbiddenError, match="operation is not permitted on"):
            await networks.create(CreateNetwork(name))

    shop.run(remove)


def test_a_prune_leaves_what_is_used_and_predefined(shop):
    async def prune(networks):
        for name in ("a", "b", "used"):
            await networks.create(CreateNetwork(name, labels={"name": name}))
        networks.lease(networks.check_wish(EndpointRecord("", "used")), WEB)
        assert sorted(await networks.prune(NetworkPrune())) == ["a", "b"]
        assert sorted(names(networks)) == ["bridge", "host", "none", "used"]

    shop.run(prune)
    events = [event.action for event in shop.events.history()]
    assert events == ["create"] * 3 + ["destroy"] * 2 + ["prune"]


def test_a_network_whose_bridge_cannot_be_made_says_why(shop):
    shop.fabric.refuse = "cannot make bridge boxship0: Operation not permitted"

    async def use(networks):
        wish = networks.check_wish(EndpointRecord("", "bridge"))
        with pytest.raises(UnavailableError, match="network bridge cannot be used: cannot make"):
            networks.lease(wish, WEB)
        host = networks.check_wish(EndpointRecord("", "host"))
        assert networks.lease(host, WEB).endpoint_id
        shop.fabric.refuse = ""
        with pytest.raises(UnavailableError):
            networks.lease(wish, WEB)
        for _ in range(3):  # the second attempt is two calls
            await networks.worker.run(lambda: None)
        assert networks.lease(wish, WEB).ipv4 == "172.17.0.2/16"

    shop.run(use)


def test_networks_are_found_by_name_and_by_the_beginning_of_their_ids(shop):
    async def find(networks):
        identity = (await networks.create(CreateNetwork("web"))).id
        for reference in (identity, identity[:12], "web"):
            assert networks.find(reference).id == identity
        with pytest.raises(NotFoundError, match="network we not found"):
            networks.find("we")

    shop.run(find)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"name": ["we"]}, ["web"]),
        ({"name": ["^b"]}, ["bridge"]),
        ({"driver": ["null"]}, ["none"]),
        ({"type": ["custom"]}, ["web"]),
        ({"type": ["builtin"]}, ["bridge", "host", "none"]),
        ({"label": ["a"]}, ["web"]),
        ({"label": ["a=1"]}, ["web"]),
        ({"label": ["a=2"]}, []),
        ({"scope": ["swarm"]}, []),
        ({"dangling": ["true"]}, ["web"]),
        ({"dangling": ["0"]}, ["bridge", "host", "none"]),
        ({"driver": ["bridge"], "name": ["web", "host"]}, ["web"]),
    ],
)
def test_filters(shop, filters, expected):
    async def look(networks):
        await networks.create(CreateNetwork("web", labels={"a": "1"}))
        networks.lease(networks.check_wish(EndpointRecord("", "bridge")), WEB)
        found = networks.list(NetworkQuery(filters))
        assert sorted(record.name for record in found) == expected

    shop.run(look)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"bad": ["x"]}, "invalid filter 'bad'"),
        ({"type": ["x"]}, "invalid filter: 'type'='x'"),
        ({"dangling": ["x"]}, "invalid value for filter 'dangling', must be"),
    ],
)
def test_filters_that_are_wrong(shop, filters, message):
    async def look(networks):
        with pytest.raises(InvalidArgumentError, match=message):
            networks.list(NetworkQuery(filters))

    shop.run(look)


class SlowWalls(NoWalls):
    """Lets go of one network when it is told to."""

    def __init__(self, slow):
        self.slow, self.asked, self.told = slow, asyncio.Event(), asyncio.Event()

    async def remove(self, network):
        if network.name == self.slow:
            self.asked.set()
            await self.told.wait()


def test_a_prune_passes_over_what_others_remove_meanwhile(shop):
    async def prune(networks):
        networks.walls = walls = SlowWalls("a")
        for name in ("a", "b"):
            await networks.create(CreateNetwork(name))
        pruning = asyncio.ensure_future(networks.prune(NetworkPrune()))
        await walls.asked.wait()
        await networks.remove("b")
        walls.told.set()
        assert await pruning == ("a",)

    shop.run(prune)
