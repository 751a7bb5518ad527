"""The daemon killed at the system calls of what is done with images, one after the other.

After each kill a new daemon's store must be whole (every object is what its digest says, and none
is missing), an image is there or not, and the same operation once more succeeds.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.engine import Engine
from support.pulling import NAME, forget_images, publish, write_archive
from support.registries import RegistryServer
from support.tracing import Operation, count_calls, how_many, kill_at, points
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

POINTS = how_many(5)


@dataclass
class World:
    """What the operations work with."""

    registry: RegistryServer
    archive: bytes
    pushes: int = 0

    @property
    def name(self) -> str:
        return f"{self.registry.host}/{NAME}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with RegistryServer() as registry, Engine() as engine:
        publish(registry, engine.boxship)
        home = tmp_path_factory.mktemp("archive")
        yield World(registry, write_archive(home, f"{registry.host}/{NAME}").read_bytes())


@pytest.fixture
def own() -> Iterator[Engine]:
    """An engine that has one other image, which nothing of this concerns."""
    with Engine() as engine:
        engine.load("busybox")
        yield engine
        forget_images(engine)


def pull(world: World, engine: Engine) -> None:
    name, _, tag = world.name.rpartition(":")
    reply = engine.api.post("/images/create", None, fromImage=name, tag=tag)
    assert reply.status == 200 and b"errorDetail" not in reply.body, reply.body


def load(world: World, engine: Engine) -> None:
    reply = engine.api.post("/images/load", world.archive, quiet=1)
    assert reply.status == 200 and b"errorDetail" not in reply.body, reply.body


def push(world: World, engine: Engine) -> None:
    """To a repository of its own each time, so that there is something to be sent."""
    world.pushes += 1
    repository = f"{world.registry.host}/pushed/r{world.pushes}"
    tagged = engine.api.post(f"/images/{world.name}/tag", None, repo=repository, tag="1")
    assert tagged.status == 201, tagged.body
    reply = engine.api.post(f"/images/{repository}/push", None, tag="1")
    assert reply.status == 200 and b"errorDetail" not in reply.body, reply.body
    assert b'"aux"' in reply.body, reply.body


def tag(world: World, engine: Engine) -> None:
    reply = engine.api.post(f"/images/{world.name}/tag", None, repo="other", tag="1")
    assert reply.status == 201, reply.body


def rmi(world: World, engine: Engine) -> None:
    reply = engine.api.delete(f"/images/{world.name}")
    assert reply.status == 200, reply.body


def prune(world: World, engine: Engine) -> None:
    filters = json.dumps({"dangling": ["false"], "label": ["prunable"]})
    reply = engine.api.post("/images/prune", None, filters=filters)
    assert reply.status == 200, reply.body


def prunable(world: World, engine: Engine) -> None:
    """The image with a label, by an import of nothing: busybox, which is needed, has none."""
    for number in range(3):
        label = "LABEL prunable=1"
        reply = engine.api.post(
            "/images/create", bytes(1024), fromSrc="-", repo=f"p{number}", changes=label
        )
        assert reply.status == 200, reply.body


Step = Callable[[World, Engine], None]
BEFORE: dict[Step, list[Step]] = {
    pull: [],
    load: [],
    push: [load],
    tag: [load],
    rmi: [load],
    prune: [load, prunable],
}


@pytest.mark.parametrize("step", BEFORE, ids=lambda step: step.__name__)
@pytest.mark.timeout(600)
def test_the_store_is_whole(world: World, own: Engine, tmp_path: Path, step: Step) -> None:
    operation: Operation = lambda engine: step(world, engine)  # noqa: E731
    for earlier in BEFORE[step]:
        earlier(world, own)
    calls = count_calls(own, operation, tmp_path / "trace")
    print(f"{calls} calls")
    for point in points(calls, POINTS):
        clear(own)
        for earlier in BEFORE[step]:
            earlier(world, own)
        kill_at(own, operation, point, tmp_path / "trace")
        own.start()
        check_whole(own)
        if step is not pull and world.name not in names(own):  # pulls keep layers for the next one
            check_alone(own)
        again(world, own, step)
        check_whole(own)


def check_whole(engine: Engine) -> None:
    """Every object of the store against its digest; what is half made lies nowhere but in `tmp`."""
    done = engine.boxship.run("system", "check", "--no-repair")
    assert done.code == 0, done
    assert "busybox:latest" in names(engine)
    for one in names(engine):
        reply = engine.api.get(f"/images/{one}/json")
        assert reply.status == 200, reply.body
    eventually(lambda: not engine.remains(), "the end of what was left behind")


def names(engine: Engine) -> list[str]:
    images = engine.api.get("/images/json").json()
    return [name for one in images for name in one["RepoTags"] or []]


def again(world: World, engine: Engine, step: Step) -> None:
    """Once more, on whatever is there; then it is as if nothing had happened."""
    there = world.name in names(engine)
    if step in (rmi, tag) and not there:
        assert step is rmi, "a name went that nobody asked to go"
        return
    step(world, engine)
    if step in (pull, load):
        reply = engine.api.get(f"/images/{world.name}/get")
        assert reply.status == 200
    if step is rmi:
        assert world.name not in names(engine)
    if step is prune:
        assert set(names(engine)) == {"busybox:latest", world.name}


def check_alone(engine: Engine) -> None:
    """No layer but busybox's and those of images that have names."""
    others = [name for name in names(engine) if name != "busybox:latest"]
    layers = engine.data / "layers/sha256"
    eventually(lambda: others or len(list(layers.iterdir())) == 1, "busybox's layer to be alone")


def clear(engine: Engine) -> None:
    """Back to busybox alone; no layer of any other is left."""
    for name in names(engine):
        if name != "busybox:latest":
            reply = engine.api.delete(f"/images/{name}", force=1)
            assert reply.status == 200, reply.body
    check_alone(engine)
    # A deletion in the background would be killed in the place of what the test is about.
    eventually(lambda: not engine.remains(), "the end of what was deleted")
