"""What images take: sums over records that equal a walk of the disk."""

import os

import pytest

from boxship.engine.images.layersources import KEPT_HERE, LayerSource
from boxship.engine.images.users import ImageUse
from boxship.model.image import ImagePrune, ImageQuery
from boxship.oci.digest import Digest
from boxship.storage.stack import tree_size
from support.shop import Sample, Shop, docker_archive, run, sample
from support.tars import Member, hard_link, symlink, tar

pytestmark = pytest.mark.privileged

BASE = tar(Member("a", b"1" * 1000), hard_link("b", "a"), symlink("c", "target"))
TWICE = tar(Member("twice", b"2" * 10))
APP = sample(BASE, tar(Member("app", b"a" * 200), Member(".wh.b")))
TOOL = sample(BASE, TWICE, tar(Member("tool", b"t" * 30)), TWICE)
ALONE = sample(tar(Member("alone", b"x" * 4000)))
ALL = (APP, TOOL, ALONE)
CONTAINER = "c0ffee" + "0" * 58


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    shop.load(docker_archive((APP, ["app:1"]), (TOOL, []), (ALONE, ["alone:1", "alone:2"])))
    return shop


def on_disk(shop: Shop) -> int:
    shop.storage.disposal.settle()
    layers = shop.place / "layers/sha256"
    return sum(tree_size(str(layers / name / "diff")) for name in os.listdir(layers))


def unique(shop: Shop, image: Sample) -> int:
    query = ImageQuery(shared_size=True)
    (row,) = [row for row in shop.images.list(query) if row.id == image.id]
    return row.size - row.shared_size


def test_the_sum_is_what_is_on_the_disk(stocked: Shop) -> None:
    usage = stocked.images.disk_usage()
    assert usage.size == on_disk(stocked) == 1006 + 200 + 10 + 30 + 4000
    assert (usage.count, usage.active) == (3, 0)
    assert usage.reclaimable == usage.size


def test_unique_is_what_a_removal_frees(stocked: Shop) -> None:
    assert [unique(stocked, image) for image in ALL] == [200, 40, 4000]
    for image in ALL:
        expected, before = unique(stocked, image), on_disk(stocked)
        run(stocked.images.remove(image.id, force=True))
        assert before - on_disk(stocked) == expected
        assert stocked.images.disk_usage().size == on_disk(stocked)


def test_size_is_shared_and_unique_together(stocked: Shop) -> None:
    for row in stocked.images.list(ImageQuery(shared_size=True)):
        assert 0 <= row.shared_size <= row.size
    assert all(row.shared_size == -1 for row in stocked.images.list(ImageQuery()))


def test_reclaimable_is_what_a_prune_of_all_reclaims(stocked: Shop) -> None:
    stocked.users.uses.append(ImageUse(CONTAINER, APP.id, running=False))
    usage = stocked.images.disk_usage()
    assert usage.active == 1
    assert run(stocked.images.prune(ImagePrune(all=True))).reclaimed == usage.reclaimable == 4040


def test_kept_blobs_count_with_their_layers(stocked: Shop) -> None:
    plain, blob = stocked.images.disk_usage(), b"compressed" * 10
    top = Digest.of(APP.layers[1])

    async def keep() -> None:
        source = LayerSource(top, Digest.of(blob), len(blob), "", KEPT_HERE)
        await stocked.images._scope.sources.add([source])

    stocked.storage.blobs.add(blob)
    run(keep())
    assert stocked.images.disk_usage().size == plain.size + 100
    stocked.users.uses.append(ImageUse(CONTAINER, APP.id, running=True))
    assert stocked.images.disk_usage().reclaimable == 4040
    stocked.users.uses.clear()
    assert stocked.images.disk_usage().reclaimable == plain.reclaimable + 100
    assert run(stocked.images.prune(ImagePrune(all=True))).reclaimed == plain.size + 100
    assert stocked.disk() == {}


def test_nothing_is_walked(stocked: Shop) -> None:
    """The numbers stay when the files are out of reach."""
    before = stocked.images.disk_usage(), stocked.images.list(ImageQuery(shared_size=True))
    os.rename(stocked.place / "layers", stocked.place / "elsewhere")
    after = stocked.images.disk_usage(), stocked.images.list(ImageQuery(shared_size=True))
    os.rename(stocked.place / "elsewhere", stocked.place / "layers")
    assert after == before
