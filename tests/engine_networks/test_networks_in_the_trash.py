"""A network that is removed can be brought back, if nobody has taken its place."""

import asyncio
from collections.abc import Iterator
from contextlib import asynccontextmanager

import pytest

from boxship.base.clock import SystemClock
from boxship.base.errors import ConflictError, ForbiddenError, UnavailableError
from boxship.engine.networks.requests import CreateNetwork, PoolRequest
from boxship.engine.networks.service import Networks
from boxship.engine.records.database import Database
from boxship.engine.records.schema import MIGRATIONS
from boxship.engine.records.trash import TrashBin
from boxship.engine.settings import NetworkSettings
from boxship.model.event import EventType

HOUR = 3_600_000_000_000
WISH = CreateNetwork("lan", pools=(PoolRequest("10.9.0.0/24"),), labels={"a": "b"})


@pytest.fixture
def daemon(shop):
    """Networks and their trash, as often as a test opens them."""

    @asynccontextmanager
    async def opened() -> Iterator[tuple[Networks, TrashBin]]:
        clock = SystemClock()
        database = Database(f"{shop.home}/boxship.db", MIGRATIONS)
        trash = TrashBin(database, clock, HOUR)
        trash.load()
        networks = Networks(
            database, shop.events, clock, NetworkSettings(), shop.fabric, trash=trash
        )
        networks.walls = shop.walls
        try:
            await networks.open()
            yield networks, trash
        finally:
            await networks.close()
            database.close()

    return opened


def test_it_comes_back_as_it_was(daemon, shop):
    async def scenario():
        async with daemon() as (networks, trash):
            await networks.create(WISH)
            before = networks.find("lan")
            await networks.remove("lan")
            assert shop.walls.known.count("lan") == 0
        async with daemon() as (networks, trash):
            (item,) = trash
            assert (item.kind, item.name) == (EventType.NETWORK, "lan")
            await networks.restore(item)
            assert networks.find("lan") == before
            assert before.interface in shop.fabric.made
            assert shop.walls.known.count("lan") == 1
            assert len(trash) == 0
        async with daemon() as (networks, trash):
            assert networks.find("lan") == before
            assert len(trash) == 0

    asyncio.run(scenario())


def test_what_others_have_by_now_is_theirs(daemon):
    async def scenario():
        async with daemon() as (networks, trash):
            await networks.create(WISH)
            await networks.remove("lan")
            (item,) = trash
            await networks.create(CreateNetwork("lan", pools=(PoolRequest("10.200.0.0/24"),)))
            with pytest.raises(ConflictError, match="network with name lan already exists"):
                await networks.restore(item)
            await networks.create(CreateNetwork("wide", pools=(PoolRequest("10.9.0.0/16"),)))
            with pytest.raises(ForbiddenError, match=r"10\.9\.0\.0/24 overlaps"):
                await networks.restore(item, "other")
            await networks.remove("wide")
            await networks.restore(item, "other")
            assert networks.find("other").ipam[0].subnet == "10.9.0.0/24"
            assert [each.name for each in trash] == ["wide"]

    asyncio.run(scenario())


def test_one_that_cannot_be_made_stays_in_the_trash(daemon, shop):
    async def scenario():
        async with daemon() as (networks, trash):
            await networks.create(WISH)
            await networks.remove("lan")
            (item,) = trash
            shop.walls.refuse = "no firewall"
            with pytest.raises(UnavailableError, match="no firewall"):
                await networks.restore(item)
            assert list(trash) == [item]
            shop.walls.refuse = ""
            await networks.restore(item)
            assert len(trash) == 0

    asyncio.run(scenario())
