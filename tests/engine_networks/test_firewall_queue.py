"""Changes of the firewall come in order, those that waited in one transaction."""

import asyncio
import threading
from collections.abc import Collection, Iterable
from ipaddress import IPv4Address

import pytest

from boxship.base.errors import InternalError, UnavailableError
from boxship.engine.networks.firewallqueue import FirewallQueue
from boxship.net.firewall.facts import Fact, Station


def fact(number: int) -> Station:
    return Station("br", f"veth{number}", "02:42:00:00:00:01", (IPv4Address(number),))


ONE, TWO, THREE = fact(1), fact(2), fact(3)


class Keeper:
    """Remembers transactions; waits in the first until it is let go, and refuses some facts."""

    def __init__(self, refused: Iterable[Fact] = ()) -> None:
        self.changes: list[tuple[set[Fact], set[Fact]]] = []
        self.refused = set(refused)
        self.go_on = threading.Event()

    def replace(self, facts: Iterable[Fact]) -> None:
        self.changes.append((set(facts), set()))

    def change(self, *, add: Collection[Fact] = (), remove: Collection[Fact] = ()) -> None:
        assert self.go_on.wait(10)
        if self.refused & set(add):
            raise OSError(16, "no")
        self.changes.append((set(add), set(remove)))

    def close(self) -> None:
        pass


def test_those_that_wait_go_together() -> None:
    keeper = Keeper()

    async def work() -> None:
        queue = FirewallQueue(keeper)
        first = queue.change(add=[ONE])
        await asyncio.sleep(0)  # it is under way
        others = [queue.change(add=[TWO]), queue.change(add=[THREE], remove=[ONE])]
        keeper.go_on.set()
        await asyncio.gather(first, *others)
        await queue.close()

    asyncio.run(work())
    assert keeper.changes == [({ONE}, set()), ({TWO, THREE}, {ONE})]


def test_what_comes_and_goes_meanwhile_never_was() -> None:
    keeper = Keeper()

    async def work() -> None:
        queue = FirewallQueue(keeper)
        changes = [queue.change(add=[ONE, TWO]), queue.change(remove=[ONE])]
        keeper.go_on.set()
        await asyncio.gather(*changes)
        await queue.close()

    asyncio.run(work())
    assert keeper.changes == [({TWO}, set())]


def test_what_goes_and_comes_again_stays() -> None:
    keeper = Keeper()

    async def work() -> None:
        queue = FirewallQueue(keeper)
        keeper.go_on.set()
        await asyncio.gather(queue.change(remove=[ONE]), queue.change(add=[ONE]))
        await queue.close()

    asyncio.run(work())
    assert keeper.changes == []


def test_one_that_is_refused_takes_nobody_along() -> None:
    keeper = Keeper(refused=[TWO])

    async def work() -> list[BaseException | None]:
        queue = FirewallQueue(keeper)
        changes = [queue.change(add=[one]) for one in (ONE, TWO, THREE)]
        keeper.go_on.set()
        outcomes = await asyncio.gather(*changes, return_exceptions=True)
        await queue.close()
        return outcomes

    first, second, third = asyncio.run(work())
    assert first is None
    assert isinstance(second, UnavailableError)
    assert third is None
    assert keeper.changes == [({ONE}, set()), ({THREE}, set())]


def test_a_defect_is_told_as_one() -> None:
    class Broken(Keeper):
        def change(self, *, add: Collection[Fact] = (), remove: Collection[Fact] = ()) -> None:
            raise KeyError("x")

    async def work() -> None:
        queue = FirewallQueue(Broken())
        with pytest.raises(InternalError):
            await queue.change(add=[ONE])
        await queue.close()

    asyncio.run(work())


def test_without_a_firewall_everything_is_well() -> None:
    async def work() -> None:
        queue = FirewallQueue(None)
        await queue.replace([ONE])
        await queue.change(add=[ONE])
        await queue.close()

    asyncio.run(work())
