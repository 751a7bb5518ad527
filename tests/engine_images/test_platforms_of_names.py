"""`rmi --platform`: some of what was pulled for a name goes, the rest stays under it."""

import json
from collections.abc import Iterator

import pytest

from boxship.base.errors import ConflictError, NotFoundError
from boxship.engine.images.pulling import PullRequest
from boxship.engine.images.users import ImageUse
from boxship.engine.settings import TransferLimits
from boxship.model.image import Deleted, ImageQuery, Untagged
from boxship.oci import platform
from boxship.oci.platform import Platform
from boxship.oci.reference import parse
from support.remote import RemoteImages
from support.shop import Sample, Shop, run, sample
from support.tars import Member, tar

pytestmark = pytest.mark.privileged

HOST = platform.host()
OTHER = Platform("linux", "s390x")
NAME = "reg:5000/lib/app:1"


@pytest.fixture
def remote(shop: Shop) -> Iterator[RemoteImages]:
    made = RemoteImages()
    shop.images.set_registries(made, TransferLimits())
    yield made
    made.close()


@pytest.fixture
def pulled(shop: Shop, remote: RemoteImages) -> tuple[Sample, Sample, str]:
    """The host's image and another platform's, both pulled, and the digest of their index."""
    here = sample(tar(Member("here", b"1")))
    layer = tar(Member("there", b"2"))
    document = json.loads(sample(layer).config) | {"architecture": OTHER.architecture}
    there = Sample((layer,), json.dumps(document).encode())
    index = remote.add_index(
        NAME,
        {
            str(OTHER): remote.add("reg:5000/lib/app:there", there),
            str(HOST): remote.add("reg:5000/lib/app:here", here),
        },
    )
    for wanted in (None, OTHER):
        run(drained(shop, wanted))
    return here, there, index


async def drained(shop: Shop, wanted: Platform | None) -> None:
    async for _ in shop.images.pull(PullRequest(parse(NAME), wanted)):
        pass


def deleted(removed: list[object]) -> list[str]:
    return [item.id for item in removed if isinstance(item, Deleted)]


def test_one_platform_goes_and_the_name_stays(
    shop: Shop, pulled: tuple[Sample, Sample, str]
) -> None:
    here, there, index = pulled
    removed = run(shop.images.remove(NAME, platforms=(OTHER,)))
    assert removed[0] == Deleted(there.id)
    assert not any(isinstance(item, Untagged) for item in removed)
    assert str(shop.images.resolve(NAME).id) == here.id
    assert shop.images.inspect(NAME).digests == (f"reg:5000/lib/app@{index}",)
    again = shop.reopened()
    with pytest.raises(NotFoundError):
        again.images.resolve(NAME, OTHER)
    run(again.images.remove(NAME))
    assert (again.tags(), again.disk()) == ({}, {})
    again.close()


def test_the_name_leads_to_what_is_left(shop: Shop, pulled: tuple[Sample, Sample, str]) -> None:
    here, there, index = pulled
    assert here.id in deleted(run(shop.images.remove(NAME, platforms=(HOST,))))
    for name in (NAME, f"reg:5000/lib/app@{index}"):
        assert str(shop.images.resolve(name).id) == there.id
    assert [image.id for image in shop.images.list(ImageQuery())] == [there.id]
    run(shop.images.remove(NAME, platforms=(OTHER,)))
    assert (shop.tags(), shop.disk()) == ({}, {})


def test_all_platforms_are_the_name(shop: Shop, pulled: tuple[Sample, Sample, str]) -> None:
    removed = run(shop.images.remove(NAME, platforms=(HOST, OTHER)))
    assert removed[0] == Untagged(NAME)
    assert (shop.tags(), shop.disk()) == ({}, {})


def test_a_platform_that_is_not_there(shop: Shop, pulled: tuple[Sample, Sample, str]) -> None:
    with pytest.raises(NotFoundError, match=r"platform \(linux/arm64\): it has .*linux/s390x"):
        run(shop.images.remove(NAME, platforms=(OTHER, Platform("linux", "arm64"))))
    assert str(shop.images.resolve(NAME, OTHER).id) == pulled[1].id


def test_a_container_keeps_its_platform(shop: Shop, pulled: tuple[Sample, Sample, str]) -> None:
    _, there, _ = pulled
    shop.users.uses.append(ImageUse("c" * 64, there.id, running=False))
    with pytest.raises(ConflictError, match=r"must be forced.*container cccccccccccc"):
        run(shop.images.remove(NAME, platforms=(OTHER,)))
    assert str(shop.images.resolve(NAME, OTHER).id) == there.id
    assert run(shop.images.remove(NAME, platforms=(OTHER,), force=True)) == []
    with pytest.raises(NotFoundError):
        shop.images.resolve(NAME, OTHER)
    assert str(shop.images.resolve(there.id).id) == there.id


def test_an_image_by_its_id_has_one_platform(
    shop: Shop, pulled: tuple[Sample, Sample, str]
) -> None:
    here, _, _ = pulled
    with pytest.raises(NotFoundError, match="does not provide"):
        run(shop.images.remove(here.id, platforms=(OTHER,)))
