"""Names by digest, under which images were pulled or pushed: how they go, by Docker's rules."""

import pytest

from boxship.base.errors import ConflictError
from boxship.engine.images.removal import Removal, Target, by_id, by_name
from boxship.engine.images.users import ImageUse
from boxship.model.image import Deleted, ImageFilters, ImagePrune, ImageQuery, Untagged
from boxship.oci.digest import Digest
from boxship.oci.reference import Reference, parse
from support.shop import Shop, docker_archive, run, sample

IMAGE = Digest.of(b"image")
X = f"sha256:{'a' * 64}"
Y = f"sha256:{'b' * 64}"
USE = ImageUse("c" * 64, str(IMAGE), running=False)


def names(*texts: str) -> tuple[Reference, ...]:
    return tuple(parse(text) for text in texts)


def target(*texts: str, uses: tuple[ImageUse, ...] = ()) -> Target:
    return Target(IMAGE, names(*texts), has_children=False, uses=uses)


@pytest.mark.parametrize(
    ("held", "asked", "untagged", "deleted"),
    [
        # With a repository's last tag go its digests: nobody asked for them by themselves.
        (("app:1", f"app@{X}"), "app:1", ("app:1", f"app@{X}"), True),
        (("app:1", f"app@{X}", f"app@{Y}"), "app:1", ("app:1", f"app@{X}", f"app@{Y}"), True),
        (("app:1", "app:2", f"app@{X}"), "app:1", ("app:1",), False),
        (("app:1", f"q.io/app@{X}"), "app:1", ("app:1",), False),
        (("app:1", f"app@{X}", "q.io/app:1"), "app:1", ("app:1", f"app@{X}"), False),
        # A digest goes alone.
        (("app:1", f"app@{X}"), f"app@{X}", (f"app@{X}",), False),
        ((f"app@{X}",), f"app@{X}", (f"app@{X}",), True),
        ((f"app@{X}", f"app@{Y}"), f"app@{X}", (f"app@{X}",), False),
    ],
)
def test_by_name(
    held: tuple[str, ...], asked: str, untagged: tuple[str, ...], deleted: bool
) -> None:
    (name,) = names(asked)
    assert by_name(target(*held), name, name, force=False) == Removal(names(*untagged), deleted)


@pytest.mark.parametrize(
    ("held", "refused"),
    [
        (("app:1", f"app@{X}"), False),
        ((f"app@{X}", f"app@{Y}"), False),
        (("app:1", f"q.io/app@{X}"), True),
        ((f"app@{X}", f"q.io/app@{X}"), True),
        (("app:1", "app:2", f"app@{X}"), True),
        ((), False),
    ],
)
def test_by_id(held: tuple[str, ...], refused: bool) -> None:
    if refused:
        with pytest.raises(ConflictError, match="referenced in multiple repositories"):
            by_id(target(*held), force=False)
    assert by_id(target(*held), force=refused) == Removal(names(*held), delete=True)


def test_tag_and_digest_of_one_repository_are_one_reference_to_a_container() -> None:
    held = target("app:1", f"app@{X}", uses=(USE,))
    for name in held.names:
        with pytest.raises(ConflictError, match="is using its referenced image"):
            by_name(held, name, name, force=False)
    elsewhere = target("app:1", f"q.io/app@{X}", uses=(USE,))
    assert not by_name(elsewhere, elsewhere.names[0], elsewhere.names[0], force=False).delete


@pytest.fixture
def digested(shop: Shop) -> Shop:
    """An image that has lost its tags and kept the digest it was pulled by."""
    image = sample()
    shop.load(docker_archive((image, [])))

    async def name() -> None:
        catalog = shop.images._scope.catalog
        known = catalog.find(Digest.parse(image.id))
        assert known is not None
        await catalog.put(known, names(f"app@{X}"))

    run(name())
    return shop


@pytest.mark.privileged
def test_digests_alone_keep_nothing_from_a_prune(digested: Shop) -> None:
    removed = run(digested.images.prune(ImagePrune())).removed
    assert removed[0] == Untagged(f"app@{X}")
    assert isinstance(removed[1], Deleted)
    assert digested.disk() == {}


@pytest.mark.privileged
def test_digests_alone_are_dangling_and_are_not(digested: Shop) -> None:
    for dangling in (True, False):
        query = ImageQuery(filters=ImageFilters(dangling=dangling))
        (row,) = digested.images.list(query)
        assert (row.tags, row.digests) == ((), (f"app@{X}",))
