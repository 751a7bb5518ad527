"""``--dry-run``: what a prune would remove is what it then removes, and until then nothing is."""

import json
import re
from collections.abc import Iterator

import pytest

from support.engine import Engine

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

KINDS = ("container", "image", "network", "volume", "system")


@pytest.fixture(scope="module")
def house() -> Iterator[Engine]:
    """Something of each kind that nobody uses, and something that somebody does."""
    with Engine() as engine:
        engine.load("busybox")
        docker = engine.docker
        run = ("run", "-d", "--net=none")
        docker("volume", "create", "named")
        docker(
            *run, "--name", "runs", "-v", "named:/n", "-v", "/anonymous", "busybox", "sleep", "9999"
        )
        docker(*run, "--name", "ends", "-v", "/own", "--label", "keep", "busybox", "true")
        docker("wait", "ends")
        docker("commit", "runs", "child:1")
        docker("commit", "runs", "child:2")
        docker("rmi", "child:1")
        docker("create", "--name", "of-child", "--net=none", "child:2", "true")
        docker("volume", "create", "left")
        engine.api.post("/volumes/create", {})
        yield engine
        docker("rm", "-fv", "runs")


def everything(engine: Engine) -> list[str]:
    listings = (("ps", "-aq"), ("images", "-aq"), ("volume", "ls", "-q"))
    return [engine.docker(*words) for words in listings]


def told(text: str) -> list[str]:
    """What a report names, without titles, sum, and the ids of images and their layers."""
    lines = [line for line in text.splitlines() if line and not line.endswith(":")]
    return sorted(line for line in lines if not re.search("reclaimed|^deleted:", line))


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_removes_nothing(house: Engine, kind: str) -> None:
    before = everything(house)
    shown = house.boxship(kind, "prune", "--dry-run")
    assert "Space that would be reclaimed" in shown
    assert "Would delete" in shown or kind in ("network", "image")
    assert everything(house) == before


def test_a_plan_of_everything_sees_what_becomes_free(house: Engine) -> None:
    """An image, and a volume, that only a stopped container has."""
    plan = house.api.get("/system/prune/plan", all=1, volumes=1).json()
    ends, of_child = (house.docker("inspect", "-f", "{{.Id}}", n) for n in ("ends", "of-child"))
    assert set(plan["ContainersDeleted"]) == {ends, of_child}
    assert {"Untagged": "child:2"} in plan["ImagesDeleted"]
    mounts = json.loads(house.docker("inspect", "-f", "{{json .Mounts}}", "ends"))
    assert mounts[0]["Name"] in plan["VolumesDeleted"]
    alone = house.api.get("/images/prune/plan", filters='{"dangling":["false"]}').json()
    assert {"Untagged": "child:2"} not in (alone["ImagesDeleted"] or ())


def test_filters_count(house: Engine) -> None:
    ends = house.docker("inspect", "-f", "{{.Id}}", "ends")
    shown = house.boxship("container", "prune", "--dry-run", "--filter", "label!=keep")
    assert ends not in shown
    assert "Would delete Containers" not in house.boxship(
        "container", "prune", "--dry-run", "--filter", "until=1h"
    )
    for path in ("containers", "networks", "volumes", "images", "system"):
        reply = house.api.get(f"/{path}/prune/plan", filters='{"nonsense":["x"]}')
        assert reply.status == 400, path
        assert "nonsense" in reply.message


def test_a_prune_does_what_its_plan_says(house: Engine) -> None:
    """The last test: it does it."""
    flags = ("prune", "--all", "--volumes")
    plan = house.boxship("system", *flags, "--dry-run")
    done = house.boxship("system", *flags, "--force")
    assert told(plan) == told(done)
    space = [text.splitlines()[-1].partition(": ")[2] for text in (plan, done)]
    assert space[0] == space[1] != ""
    assert told(house.boxship("system", *flags, "--dry-run")) == []
    assert told(house.boxship("volume", "prune", "--all", "--dry-run")) == ["left"]
    assert house.docker("volume", "ls", "-q").split().count("named") == 1


def test_plans_are_asked_for_and_not_done(house: Engine) -> None:
    """They have routes of their own: Docker's daemon would ignore a parameter, and prune."""
    for kind in ("containers", "networks", "volumes", "images"):
        assert house.api.post(f"/{kind}/prune/plan").status in (404, 405)
