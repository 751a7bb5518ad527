"""The check of the store brings a damaged layer from where it was pulled, or leaves it named."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.distribution.errors import RegistryUnavailableError
from boxship.engine.check import Checker
from boxship.engine.images.pulling import PullRequest
from boxship.engine.settings import TransferLimits
from boxship.model.check import CheckEvent, CheckSummary, Finding, Outcome
from boxship.oci.digest import Digest
from boxship.oci.reference import parse
from support.remote import RemoteImages, failing
from support.shop import Shop, run, sample
from support.tars import Member, tar

pytestmark = pytest.mark.privileged

LAYER = tar(Member("file", b"contents"))
NAME = "reg:5000/lib/app:1"


class NoContainers:
    def ids(self) -> tuple[str, ...]:
        return ()

    def standing_on(self, layer: Digest) -> tuple[str, ...]:
        return ()


@pytest.fixture
def remote(shop: Shop) -> Iterator[RemoteImages]:
    made = RemoteImages()
    shop.images.set_registries(made, TransferLimits(downloads=2))
    made.add(NAME, sample(LAYER))
    run(pull(shop))
    yield made
    made.close()


async def pull(shop: Shop) -> None:
    async for _ in shop.images.pull(PullRequest(parse(NAME), None)):
        pass


def check(shop: Shop, *, repair: bool) -> tuple[list[Finding], CheckSummary]:
    async def collect() -> list[CheckEvent]:
        checker = Checker(shop.storage, shop.images, NoContainers())
        return [event async for event in checker.check(repair=repair)]

    events = run(collect())
    assert isinstance(events[-1], CheckSummary)
    return [event for event in events if isinstance(event, Finding)], events[-1]


def lost(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.outcome is Outcome.LOST]


def damage(shop: Shop) -> None:
    directory = shop.storage.layers.diff_directory(Digest.of(LAYER))
    Path(directory, "file").write_bytes(b"CONTENTS")


def test_a_layer_comes_again_from_its_registry(shop: Shop, remote: RemoteImages) -> None:
    damage(shop)
    found, summary = check(shop, repair=True)
    assert (found[-1].outcome, found[-1].id) == (Outcome.REPAIRED, str(Digest.of(LAYER)))
    assert found[-1].problem.endswith("fetched again from reg:5000/lib/app")
    assert lost(found)[0].images == (NAME,)
    assert summary.remaining == 0
    assert b"".join(shop.storage.layers.tar(Digest.of(LAYER))) == LAYER
    assert check(shop, repair=False)[0] == []


def test_without_repair_nothing_is_fetched(shop: Shop, remote: RemoteImages) -> None:
    damage(shop)
    for _ in range(2):
        found, summary = check(shop, repair=False)
        assert len(lost(found)) == 1
        assert summary.remaining == len(found)


def test_a_registry_that_has_it_no_longer(shop: Shop, remote: RemoteImages) -> None:
    damage(shop)
    gone = RegistryUnavailableError("gone")
    remote.content.faults[remote.layer_digest(LAYER)] = failing(gone)
    found, summary = check(shop, repair=True)
    (named,) = lost(found)
    assert f"boxship pull {NAME}" in named.remedy
    assert summary.remaining == 1
    assert shop.storage.layers.find(Digest.of(LAYER)) is None


def test_an_image_removed_during_the_check_leaves_nothing(shop: Shop, remote: RemoteImages) -> None:
    directory = Path(shop.storage.layers.diff_directory(Digest.of(LAYER)))
    for number in range(100):  # more to tell than the check goes ahead of who listens
        (directory / f"stranger{number}").touch()

    async def remove_meanwhile() -> None:
        events = Checker(shop.storage, shop.images, NoContainers()).check(repair=False)
        async for event in events:
            if isinstance(event, Finding):
                break
        await shop.images.remove(NAME)
        assert shop.storage.layers.all(), "it is being looked at"
        async for _ in events:
            pass

    run(remove_meanwhile())
    assert shop.storage.layers.all() == []
    assert not directory.exists()


def test_a_damaged_layer_goes_with_its_image(shop: Shop, remote: RemoteImages) -> None:
    shop.storage.layers.mark(Digest.of(LAYER), damaged=True)
    run(shop.images.remove(NAME))
    assert shop.storage.layers.all() == []
