"""Removing what nobody uses: which images, in which words, and how many bytes come free."""

import asyncio
import os
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from boxship.base.errors import ConflictError, NotFoundError
from boxship.engine.images.pulls import UnfinishedPull
from boxship.engine.images.users import ImageUse
from boxship.model.image import Deleted, ImagePrune, Untagged
from boxship.model.labels import LabelFilter
from boxship.oci.digest import Digest
from boxship.storage.stack import tree_size
from support.shop import Shop, docker_archive, run, sample
from support.tars import Member, tar

pytestmark = pytest.mark.privileged

DAY = 24 * 3600 * 10**9
BASE = tar(Member("base", b"b" * 1000))
APP = sample(
    BASE, tar(Member("app", b"a" * 200)), created="2024-01-02T00:00:00Z", Labels={"x": "1"}
)
TOOL = sample(BASE, tar(Member("tool", b"t" * 30)), created="2024-01-03T00:00:00Z")
LOOSE = sample(BASE, tar(Member("loose", b"l" * 4)), created="2024-01-01T00:00:00Z")
CONTAINER = "c0ffee" + "0" * 58


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    shop.load(docker_archive((APP, ["app:1", "app:2"]), (TOOL, ["tool:1"]), (LOOSE, [])))
    return shop


async def turns_until(condition: Callable[[], bool]) -> None:
    """Let others on the loop have their turns until then."""
    for _ in range(100_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


def ids(shop: Shop) -> set[str]:
    return set(shop.tags())


def on_disk(shop: Shop) -> int:
    """The bytes of all layers, by a walk."""
    shop.storage.disposal.settle()
    layers = shop.place / "layers/sha256"
    return sum(tree_size(str(layers / name / "diff")) for name in os.listdir(layers))


def test_only_what_has_no_name_goes(stocked: Shop) -> None:
    before = on_disk(stocked)
    pruned = run(stocked.images.prune(ImagePrune()))
    assert pruned.removed[0] == Deleted(LOOSE.id)
    assert pruned.reclaimed == 4 == before - on_disk(stocked)
    assert ids(stocked) == {APP.id, TOOL.id}
    last = stocked.events.history()[-1]
    assert (last.type, last.action, last.actor) == ("image", "prune", "")
    assert last.attributes == {"reclaimed": "4"}


def test_all_that_no_container_uses(stocked: Shop) -> None:
    stocked.users.uses.append(ImageUse(CONTAINER, TOOL.id, running=False))
    before = on_disk(stocked)
    pruned = run(stocked.images.prune(ImagePrune(all=True)))
    assert [each for each in pruned.removed if isinstance(each, Untagged)] == [
        Untagged("app:1"), Untagged("app:2")
    ]  # fmt: skip
    assert pruned.reclaimed == 204 == before - on_disk(stocked)
    assert stocked.tags() == {TOOL.id: ("tool:1",)}
    # With the container goes the last user, and with the image the layer that all three shared.
    stocked.users.uses.clear()
    assert run(stocked.images.prune(ImagePrune(all=True))).reclaimed == 1030
    assert stocked.disk() == {}


def test_names_of_an_image_in_use_stay(stocked: Shop) -> None:
    """Docker takes away all but its last; nobody has asked for that."""
    stocked.users.uses.append(ImageUse(CONTAINER, APP.id, running=True))
    run(stocked.images.prune(ImagePrune(all=True)))
    assert stocked.tags() == {APP.id: ("app:1", "app:2")}


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        (ImagePrune(all=True, labels=LabelFilter(("x",))), {TOOL.id, LOOSE.id}),
        (ImagePrune(all=True, labels=LabelFilter(("x=1",))), {TOOL.id, LOOSE.id}),
        (ImagePrune(all=True, labels=LabelFilter(("x=2",))), {APP.id, TOOL.id, LOOSE.id}),
        (ImagePrune(all=True, labels=LabelFilter((), ("x",))), {APP.id}),
        (ImagePrune(all=True, labels=LabelFilter((), ("x", "y"))), set()),
        (ImagePrune(all=True, until_ns=1_704_153_600 * 10**9), {TOOL.id}),
        (ImagePrune(all=True, until_ns=1_704_153_600 * 10**9 - 1), {APP.id, TOOL.id}),
        (ImagePrune(all=True, unused_for_ns=3600 * 10**9), {APP.id, TOOL.id, LOOSE.id}),
        (ImagePrune(all=True, unused_for_ns=0), set()),
    ],
)
def test_filters(stocked: Shop, wanted: ImagePrune, left: set[str]) -> None:
    run(stocked.images.prune(wanted))
    assert ids(stocked) == left


def test_a_parent_goes_with_its_last_child(stocked: Shop) -> None:
    """An untagged image that others were built from is no candidate by itself."""

    async def adopt() -> None:
        catalog = stocked.images._scope.catalog
        child = catalog.find(Digest.parse(APP.id))
        assert child is not None
        await catalog.put(_with_parent(child, LOOSE.id))

    run(adopt())
    assert run(stocked.images.prune(ImagePrune())).removed == ()
    pruned = run(stocked.images.prune(ImagePrune(all=True, labels=LabelFilter(("x",)))))
    deleted = [each.id for each in pruned.removed if isinstance(each, Deleted)]
    assert deleted.index(APP.id) < deleted.index(LOOSE.id)
    assert ids(stocked) == {TOOL.id}


def _with_parent(known, parent: str):
    from dataclasses import replace as changed

    return changed(known, record=replace(known.record, parent=parent))


def test_what_a_container_is_being_made_from_stays(stocked: Shop) -> None:
    with stocked.images.hold("app:1"):
        run(stocked.images.prune(ImagePrune(all=True)))
    assert ids(stocked) == {APP.id}
    run(stocked.images.prune(ImagePrune(all=True)))
    assert ids(stocked) == set()


def test_what_is_on_its_way_out_is_not_given_to_new_containers(stocked: Shop) -> None:
    async def remove_and_hold() -> None:
        removal = asyncio.create_task(stocked.images.remove("tool:1"))
        await turns_until(lambda: Digest.parse(TOOL.id) in stocked.images._scope.going)
        with pytest.raises(NotFoundError, match="No such image"), stocked.images.hold("tool:1"):
            pass
        await removal

    run(remove_and_hold())
    assert TOOL.id not in ids(stocked)


def test_what_broken_off_pulls_have_left_goes(stocked: Shop) -> None:
    """One that is under way has leased its layers; labels speak of images only."""
    layers, scope = stocked.storage.layers, stocked.images._scope
    data = tar(Member("pulled", b"p" * 50))
    digest = Digest.of(data)

    async def begin() -> None:
        await scope.pulls.begin(UnfinishedPull("x:1", "linux/amd64", (digest,), 1))

    with layers.lease() as lease:
        layers.unpack([data], lease)
        run(begin())
        assert run(stocked.images.prune(ImagePrune())).reclaimed == 4
        assert layers.find(digest) is not None
    for spared in (ImagePrune(labels=LabelFilter(("x",))), ImagePrune(unused_for_ns=10**30)):
        assert run(stocked.images.prune(spared)).reclaimed == 0
    assert run(stocked.images.prune(ImagePrune())).reclaimed == 50
    assert layers.find(digest) is None
    assert len(scope.pulls) == 0


def test_one_prune_at_a_time(stocked: Shop) -> None:
    async def twice() -> list[object]:
        both = (stocked.images.prune(ImagePrune(all=True)) for _ in range(2))
        return list(await asyncio.gather(*both, return_exceptions=True))

    first, second = run(twice())
    assert not isinstance(first, BaseException)
    assert isinstance(second, ConflictError)
    assert str(second) == "a prune operation is already running"
    assert stocked.disk() == {}


def test_a_client_that_hangs_up_leaves_nothing_half_done(stocked: Shop) -> None:
    async def hang_up() -> None:
        prune = asyncio.create_task(stocked.images.prune(ImagePrune(all=True)))
        await asyncio.sleep(0)
        prune.cancel()
        with pytest.raises(asyncio.CancelledError):
            await prune
        await turns_until(lambda: not stocked.images._scope.pruning.locked())

    run(hang_up())
    assert stocked.disk() == {}


def test_beside_loads_nothing_is_lost(stocked: Shop) -> None:
    """A layer that a load has found in the store stays, though its image goes meanwhile."""
    archive = docker_archive((APP, ["app:3"]))

    async def both() -> None:
        async def load() -> None:
            async def slowly():
                for at in range(0, len(archive), 2048):
                    await asyncio.sleep(0)
                    yield archive[at : at + 2048]

            _ = [event async for event in stocked.images.load(slowly())]

        async def prune() -> None:
            for _ in range(10):
                await stocked.images.prune(ImagePrune(all=True))

        await asyncio.gather(load(), prune(), load())

    run(both())
    for tags in stocked.tags().values():
        assert tags == ("app:3",)
    for image in stocked.tags():
        assert stocked.save(image)
    run(stocked.images.prune(ImagePrune(all=True)))
    assert stocked.disk() == {}
