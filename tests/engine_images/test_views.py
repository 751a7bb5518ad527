"""Lists with filters, inspect and history."""

import json

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.images.users import ImageUse
from boxship.model.image import ImageFilters, ImageQuery
from boxship.oci.digest import Digest
from support.shop import Sample, Shop, docker_archive, sample
from support.tars import Member, tar

pytestmark = pytest.mark.privileged

OLD = sample(created="2020-01-01T00:00:00Z", Labels={"tier": "web", "old": ""})
MID = sample(created="2022-01-01T00:00:00.5Z", Labels={"tier": "db"})
NEW = sample(created="2024-01-01T00:00:00+01:00")
NAMES = {OLD.id: "old", MID.id: "mid", NEW.id: "new"}


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    tags = ["web:1", "web:2", "quay.io/team/web:1"]
    shop.load(docker_archive((OLD, tags), (MID, ["db:1"]), (NEW, [])))
    return shop


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        (ImageFilters(), ["new", "mid", "old"]),
        (ImageFilters(dangling=True), ["new"]),
        (ImageFilters(dangling=False), ["mid", "old"]),
        (ImageFilters(labels=("tier",)), ["mid", "old"]),
        (ImageFilters(labels=("tier=web",)), ["old"]),
        (ImageFilters(labels=("tier=web", "none")), []),
        (ImageFilters(without_labels=("tier=web",)), ["new", "mid"]),
        (ImageFilters(before=("db:1",)), ["old"]),
        (ImageFilters(since=("db:1",)), ["new"]),
        (ImageFilters(since=(OLD.id,), before=(NEW.id,)), ["mid"]),
        (ImageFilters(until_ns=1_640_995_200_499_999_999), ["old"]),
        (ImageFilters(until_ns=1_640_995_200_500_000_000), ["mid", "old"]),
        (ImageFilters(references=("w?b",)), ["old"]),
        (ImageFilters(references=("*:1",)), ["mid", "old"]),
        (ImageFilters(references=("[a-d]*",)), ["mid"]),
        (ImageFilters(references=("web:3",)), []),
        (ImageFilters(references=("web", "db")), ["mid", "old"]),
    ],
)
def test_filters(stocked: Shop, filters: ImageFilters, shown: list[str]) -> None:
    found = stocked.images.list(ImageQuery(filters=filters))
    assert [NAMES[image.id] for image in found] == shown


def test_a_reference_filter_shows_the_names_that_match(stocked: Shop) -> None:
    def names(pattern: str) -> list[tuple[str, ...]]:
        query = ImageQuery(filters=ImageFilters(references=(pattern,)))
        return [image.tags for image in stocked.images.list(query)]

    assert names("web:*") == [("web:1", "web:2")]
    assert names("quay.io/*/web") == [("quay.io/team/web:1",)]
    assert names("quay.io/*") == []
    assert names("w.b:1") == []


def test_counting(stocked: Shop) -> None:
    stocked.users.uses = [ImageUse(str(n) * 64, OLD.id, running=n == 1) for n in range(3)]
    found = stocked.images.list(ImageQuery(count_containers=True, shared_size=True))
    assert {NAMES[image.id]: image.containers for image in found} == {"old": 3, "mid": 0, "new": 0}
    assert {image.shared_size for image in found} == {7}
    assert stocked.images.list(ImageQuery())[0].containers == -1
    assert stocked.images.count() == 3


def test_inspect(stocked: Shop) -> None:
    detail = stocked.images.inspect("web:2")
    assert detail.id == OLD.id
    assert detail.tags == ("web:1", "web:2", "quay.io/team/web:1")
    assert detail.created == "2020-01-01T00:00:00Z"
    assert detail.created_ns == 1_577_836_800_000_000_000
    assert (detail.os, detail.architecture, detail.size) == ("linux", "amd64", 7)
    assert detail.config.labels == {"tier": "web", "old": ""}
    assert detail.layers == tuple(str(Digest.of(layer)) for layer in OLD.layers)
    assert detail.storage.driver == "overlay2"
    assert detail.storage.data["UpperDir"].endswith("/diff")
    assert json.loads(detail.config_json)["x-unknown"] == {"kept": True}


def test_history_gives_layers_their_sizes_and_leaves_steps_without(shop: Shop) -> None:
    layers = (tar(Member("a", b"1" * 10)), tar(Member("b", b"1" * 200)))
    document = json.loads(sample(*layers).config)
    step = {"created": "2024-01-01T00:00:00Z"}
    document["history"] = [
        {**step, "created_by": "one"},
        {**step, "created_by": "ENV x", "empty_layer": True, "comment": "c"},
        {**step, "created_by": "two"},
    ]
    image = Sample(layers, json.dumps(document).encode())
    shop.load(docker_archive((image, ["app:1"])))
    steps = shop.images.history("app:1")
    assert [(s.id, s.created_by, s.size, s.comment, s.tags) for s in steps] == [
        (image.id, "two", 200, "", ("app:1",)),
        ("<missing>", "ENV x", 0, "c", ()),
        ("<missing>", "one", 10, "", ()),
    ]


@pytest.mark.parametrize("pattern", ["[", "a[b", "[z-a]", "a\\"])
def test_a_pattern_that_is_none(shop: Shop, pattern: str) -> None:
    with pytest.raises(InvalidArgumentError, match="syntax error in pattern"):
        shop.images.list(ImageQuery(filters=ImageFilters(references=(pattern,))))
