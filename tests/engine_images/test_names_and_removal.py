"""Tagging, finding and removing, with Docker's rules and words."""

import re

import pytest

from boxship.base.errors import ConflictError, InvalidArgumentError, NotFoundError
from boxship.engine.images.users import ImageUse
from boxship.model.image import Deleted, Untagged
from boxship.oci.digest import Digest
from boxship.oci.image import chain_id
from boxship.oci.platform import Platform
from support.shop import Sample, Shop, docker_archive, run, sample
from support.tars import Member, tar

pytestmark = pytest.mark.privileged

BASE = tar(Member("base", b"base"))
IMAGE = sample(BASE, tar(Member("app", b"app")))
SIBLING = sample(BASE)
SHORT = IMAGE.id[7:19]
CONTAINER = "c0ffee" + "0" * 58


def chains(image: Sample) -> list[Deleted]:
    layers = [Digest.of(layer) for layer in image.layers]
    return [Deleted(str(chain_id(layers[:n]))) for n in range(len(layers), 0, -1)]


def cannot_delete(how: str, why: str) -> str:
    return f"conflict: unable to delete {SHORT} ({how}) - {why}"


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    shop.load(docker_archive((IMAGE, ["app:1"]), (SIBLING, ["base:1"])))
    return shop


def use(shop: Shop, *, running: bool) -> None:
    shop.users.uses.append(ImageUse(CONTAINER, IMAGE.id, running))
    shop.users.layers.extend(Digest.of(layer) for layer in IMAGE.layers)


def test_images_are_found_by_every_form_of_name(stocked: Shop) -> None:
    forms = ["app:1", "docker.io/library/app:1", IMAGE.id, IMAGE.id[7:], SHORT, IMAGE.id[:20]]
    assert {str(stocked.images.resolve(form).id) for form in forms} == {IMAGE.id}
    assert stocked.images.resolve("app:1").layers == tuple(map(Digest.of, IMAGE.layers))


def test_a_platform_that_the_image_is_not_for(stocked: Shop) -> None:
    assert stocked.images.resolve("app:1", Platform("linux", "amd64")).id
    with pytest.raises(NotFoundError, match=r"platform \(linux/amd64\) does not match"):
        stocked.images.resolve("app:1", Platform("linux", "arm64"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("app", "app:latest"),
        ("app:2", "app:2"),
        ("quay.io/app:1", "quay.io/app:1"),
        ("f" * 64, f"sha256:{'f' * 64}"),
        (f"sha256:{'f' * 64}", f"sha256:{'f' * 64}"),
    ],
)
def test_what_is_not_there_is_named_in_full(stocked: Shop, name: str, said: str) -> None:
    with pytest.raises(NotFoundError, match=f"^No such image: {said}$"):
        stocked.images.resolve(name)


def test_a_prefix_of_two_images_finds_none(shop: Shop) -> None:
    seen: dict[str, Sample] = {}
    for number in range(300):
        image = sample(BASE, number=str(number))
        other = seen.setdefault(image.id[7:9], image)
        if other is not image:
            break
    shop.load(docker_archive((image, []), (other, [])))
    with pytest.raises(NotFoundError):
        shop.images.resolve(image.id[7:9])


def test_a_name_wins_over_the_prefix_of_an_id(shop: Shop) -> None:
    shop.load(docker_archive((IMAGE, []), (SIBLING, [f"{SHORT}:latest"])))
    assert str(shop.images.resolve(SHORT).id) == SIBLING.id


def test_tagging(stocked: Shop) -> None:
    run(stocked.images.tag("app:1", "quay.io/mine", "v2"))
    run(stocked.images.tag(SHORT, "mine"))
    run(stocked.images.tag(SHORT, "base", "1"))
    assert stocked.tags()[IMAGE.id] == ("app:1", "base:1", "mine:latest", "quay.io/mine:v2")
    assert stocked.tags()[SIBLING.id] == ()
    assert stocked.images.inspect(SHORT).last_tagged_ns > 0
    again = stocked.reopened()
    assert again.tags()[IMAGE.id] == ("app:1", "base:1", "mine:latest", "quay.io/mine:v2")
    again.close()


@pytest.mark.parametrize(
    ("repository", "tag", "message"),
    [
        ("App", "", "must be lowercase"),
        ("app", "-x", "invalid tag format"),
        (f"app@sha256:{'0' * 64}", "", "digest reference"),
        ("sha256", "x", "ambiguous tag"),
        ("0" * 64, "", "64-byte hexadecimal"),
    ],
)
def test_names_that_cannot_be_given(stocked: Shop, repository: str, tag: str, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        run(stocked.images.tag("app:1", repository, tag))


def test_one_of_two_names_goes_and_the_image_stays(stocked: Shop) -> None:
    run(stocked.images.tag("app:1", "app", "2"))
    assert run(stocked.images.remove("app:1")) == [Untagged("app:1")]
    assert stocked.tags()[IMAGE.id] == ("app:2",)


def test_with_its_last_name_goes_the_image_and_what_only_it_needed(stocked: Shop) -> None:
    removed = run(stocked.images.remove("app:1"))
    assert removed == [Untagged("app:1"), Deleted(IMAGE.id), chains(IMAGE)[0]]
    assert stocked.actions()[-2:] == ["untag", "delete"]
    assert stocked.disk()["layers/sha256"] == [Digest.of(BASE).hex]
    removed = run(stocked.images.remove(SIBLING.id))
    assert removed == [Untagged("base:1"), Deleted(SIBLING.id), *chains(SIBLING)]
    assert stocked.disk() == {}


def test_by_id_with_names_in_two_repositories(stocked: Shop) -> None:
    run(stocked.images.tag("app:1", "other", "1"))
    message = cannot_delete("must be forced", "image is referenced in multiple repositories")
    with pytest.raises(ConflictError, match=f"^{re.escape(message)}$"):
        run(stocked.images.remove(SHORT))
    removed = run(stocked.images.remove(SHORT, force=True))
    assert removed == [
        Untagged("app:1"), Untagged("other:1"), Deleted(IMAGE.id), chains(IMAGE)[0]
    ]  # fmt: skip


@pytest.mark.parametrize("running", [True, False])
def test_the_last_name_of_an_image_in_use(stocked: Shop, running: bool) -> None:
    use(stocked, running=running)
    message = (
        'conflict: unable to remove repository reference "app:1" (must force) - container '
        f"c0ffee000000 is using its referenced image {SHORT}"
    )
    with pytest.raises(ConflictError, match=f"^{re.escape(message)}$"):
        run(stocked.images.remove("app:1"))
    removed = run(stocked.images.remove("app:1", force=True))
    if running:
        assert removed == [Untagged("app:1")]
        assert stocked.tags()[IMAGE.id] == ()
    else:
        assert removed == [Untagged("app:1"), Deleted(IMAGE.id)]
    assert len(stocked.disk()["layers/sha256"]) == 2


def test_by_id_of_an_image_in_use(stocked: Shop) -> None:
    use(stocked, running=False)
    why = "image is being used by stopped container c0ffee000000"
    message = cannot_delete("must be forced", why)
    with pytest.raises(ConflictError, match=f"^{re.escape(message)}$"):
        run(stocked.images.remove(SHORT))
    use(stocked, running=True)
    why = "image is being used by running container c0ffee000000"
    message = cannot_delete("cannot be forced", why)
    for force in (False, True):
        with pytest.raises(ConflictError, match=f"^{re.escape(message)}$"):
            run(stocked.images.remove(SHORT, force=force))
    assert stocked.tags()[IMAGE.id] == ("app:1",)


def test_layers_stay_while_a_container_stands_on_them(stocked: Shop) -> None:
    use(stocked, running=False)
    run(stocked.images.remove(SHORT, force=True))
    assert Digest.of(IMAGE.layers[1]).hex in stocked.disk()["layers/sha256"]
    run(stocked.images.recover([]))
    assert Digest.of(IMAGE.layers[1]).hex in stocked.disk()["layers/sha256"]
    stocked.users.layers.clear()
    run(stocked.images.recover([]))
    assert stocked.disk()["layers/sha256"] == [Digest.of(BASE).hex]


def test_held_images_keep_their_layers(stocked: Shop) -> None:
    with stocked.images.hold("app:1") as held:
        run(stocked.images.remove("app:1"))
        for layer in held.layers:
            assert b"".join(stocked.storage.layers.tar(layer))
    run(stocked.images.recover([]))
    assert stocked.disk()["layers/sha256"] == [Digest.of(BASE).hex]


def test_recovery_removes_what_has_no_record(stocked: Shop) -> None:
    layers = [Digest.of(layer) for layer in IMAGE.layers]
    for key in ("live", "dead"):
        stocked.storage.snapshots.prepare(key, layers)
    stocked.storage.blobs.add(b"nobody's")
    before = stocked.disk()
    with stocked.storage.layers.lease() as lease:
        stocked.storage.layers.unpack([tar(Member("nobody's"))], lease)
    (stocked.place / "tmp/left").mkdir()
    (stocked.place / "blobs/sha256/x.tmp-1").touch()
    run(stocked.images.recover(["live", "of another time"]))
    blobs = sorted([IMAGE.id[7:], SIBLING.id[7:]])
    assert stocked.disk() == {**before, "snapshots": ["live"], "blobs/sha256": blobs}
