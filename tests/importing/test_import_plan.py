"""What is planned, as text: from what there is on both sides."""

from typing import Any

import pytest

from boxship.importing.containers import ordered
from boxship.importing.inventory import FoundContainer, FoundImage, Inventory, LeftOut
from boxship.importing.plan import Present, Selection, make_plan
from boxship.model.adoption import (
    AdoptedContainer,
    AdoptedMount,
    AdoptedNetwork,
    AdoptedPool,
    AdoptedVolume,
)
from boxship.model.container import ContainerConfig, HostConfig

BASE, BUILT, STEP, LOOSE = (f"sha256:{digit * 64}" for digit in "abcd")


def box(
    name: str, image: str = BASE, *, age: int = 0, volume: str = "", **host: Any
) -> FoundContainer:
    mounts = (AdoptedMount("volume", "/v", name=volume),) if volume else ()
    wanted = AdoptedContainer(
        name * 64, name, age, image, "sh", (), ContainerConfig(image="base"),
        HostConfig(**host), mounts=mounts,
    )  # fmt: skip
    return FoundContainer(wanted, "overlay2")


INVENTORY = Inventory(
    images=(
        FoundImage(BUILT, "overlay2", ("l1", "l2", "l3"), ("built:1", "built:2"), parent=STEP),
        FoundImage(STEP, "overlay2", ("l1", "l2"), parent=BASE),
        FoundImage(BASE, "overlay2", ("l1",), ("base:latest",)),
        FoundImage(LOOSE, "overlay2", ("l9",)),
    ),
    networks=(
        AdoptedNetwork("n" * 64, "made", "bridge", 1, pools=(AdoptedPool("10.1.0.0/16"),)),
        AdoptedNetwork("t" * 64, "template", "", 2, config_only=True),
    ),
    volumes=(
        AdoptedVolume("data", 1, "/d/volumes/data/_data"),
        AdoptedVolume("other", 1, "/d/volumes/other/_data"),
        AdoptedVolume("nfs", 1, "/d/volumes/nfs/_data", files=False),
    ),
    containers=(box("x", volume="data"),),
    left_out=(LeftOut("volume", "theirs", "it is a plugin's"),),
)


def planned(selection: Selection = Selection(), **present: Any) -> str:  # noqa: B008 - it is frozen
    plan = make_plan(INVENTORY, Present(**present), selection)
    lines = [*map(str, plan.steps), *(f"left {each.kind} {each.name}" for each in plan.left_out)]
    return "\n".join([*lines, f"already {plan.already}"])


def test_everything_in_the_order_of_need() -> None:
    assert (
        planned()
        == """\
image      base:latest aaaaaaaaaaaa, 1 of 1 layers
image      (no name) dddddddddddd, 1 of 1 layers
image      built:1, built:2 bbbbbbbbbbbb, 2 of 3 layers
network    template tttttttttttt, no subnet
network    made nnnnnnnnnnnn, 10.1.0.0/16
volume     data, copy /d/volumes/data/_data
volume     other, copy /d/volumes/other/_data
volume     nfs, no files of its own
container  x xxxxxxxxxxxx of base
left volume theirs
already 0"""
    )


def test_containers_bring_what_they_need() -> None:
    assert (
        planned(Selection(containers=True, move=True))
        == """\
image      base:latest aaaaaaaaaaaa, 1 of 1 layers
network    template tttttttttttt, no subnet
network    made nnnnnnnnnnnn, 10.1.0.0/16
volume     data, move /d/volumes/data/_data
container  x xxxxxxxxxxxx of base
already 0"""
    )


def test_volumes_alone() -> None:
    assert planned(Selection(volumes=True)).splitlines()[-2:] == ["left volume theirs", "already 0"]
    assert "image" not in planned(Selection(volumes=True))


def test_what_is_there_is_not_sent_again() -> None:
    names = {"base:latest": BASE, "built:1": "sha256:" + "e" * 64}
    text = planned(
        Selection(images=True),
        images={BASE, LOOSE},
        layers={"l1", "l3"},
        names=names,
        containers=(),
    )
    assert (
        text
        == """\
image      built:2 bbbbbbbbbbbb, 1 of 3 layers
left name built:1
already 2"""
    )


def test_names_that_are_missing_are_given() -> None:
    text = planned(Selection(images=True), images={BASE, LOOSE, BUILT}, names={"built:1": BUILT})
    assert (
        text
        == """\
tag        base:latest for aaaaaaaaaaaa, which is here
tag        built:2 for bbbbbbbbbbbb, which is here
already 3"""
    )


def test_containers_that_are_there_stay_as_they_are() -> None:
    assert planned(Selection(containers=True), containers={"x" * 64}).endswith("already 1")


@pytest.mark.parametrize(
    "host",
    [
        {"network_mode": "container:" + "b" * 64},
        {"pid_mode": "container:b"},
        {"ipc_mode": "container:b"},
        {"links": ("/b:/a/db",)},
    ],
)
def test_those_that_others_need_come_first(host: dict[str, Any]) -> None:
    found = ordered([box("a", age=1, **host), box("b", age=2), box("c", age=0)])
    assert [each.wanted.name for each in found] == ["c", "b", "a"]


def test_circles_end() -> None:
    found = ordered([box("a", links=("/b:/a/b",)), box("b", links=("/a:/b/a",))])
    assert {each.wanted.name for each in found} == {"a", "b"}
