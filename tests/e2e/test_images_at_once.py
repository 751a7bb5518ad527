"""Several things done with the same images at once, and a disk that is full."""

import os
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.engine import Engine
from support.pulling import NAME, check_whole, forget_images, publish, write_archive
from support.registries import RegistryServer
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

ROUNDS = 20


@pytest.fixture(scope="module")
def own() -> Iterator[Engine]:
    with Engine() as engine:
        engine.load("busybox")
        yield engine


def at_once(*works: Callable[[], None]) -> None:
    """Run all of them beside each other; the first failure is the test's."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        start.wait()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]


def checked(engine: Engine) -> None:
    done = engine.boxship.run("system", "check", "--no-repair")
    assert done.code == 0, done


def test_removed_while_containers_are_made_of_it(own: Engine) -> None:
    """Whoever comes first has the image: a container that was created can be started."""
    archive = own.api.get("/images/busybox/get").body
    seen: Counter[int] = Counter()
    enough = threading.Event()

    def create_and_start() -> None:
        try:
            while seen[201] < ROUNDS:
                body = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}
                made = own.api.post("/containers/create", body)
                seen[made.status] += 1
                assert made.status in (201, 404), made.body
                if made.status == 201:
                    identifier = made.json()["Id"]
                    own.api.start(identifier)
                    own.api.remove(identifier)
        finally:
            enough.set()

    def remove_and_load() -> None:
        while not enough.is_set():
            removed = own.api.delete("/images/busybox")
            assert removed.status in (200, 404, 409), removed.body
            if removed.status == 200:
                loaded = own.api.post("/images/load", archive, quiet=1)
                assert loaded.status == 200 and b"errorDetail" not in loaded.body, loaded.body
                so_far = seen.total()
                eventually(lambda: enough.is_set() or seen.total() > so_far, "an attempt")  # noqa: B023

    at_once(create_and_start, remove_and_load)
    assert seen[404] > 0, "it was never removed"
    checked(own)


def test_the_same_archive_loaded_by_several(own: Engine, tmp_path: Path) -> None:
    archive = write_archive(tmp_path).read_bytes()

    def load() -> None:
        for _ in range(3):
            reply = own.api.post("/images/load", archive, quiet=1)
            assert reply.status == 200 and b"errorDetail" not in reply.body, reply.body

    def remove() -> None:
        for _ in range(6):
            assert own.api.delete(f"/images/{NAME}").status in (200, 404)

    at_once(load, load, remove)
    load()
    check_whole(own, 2)
    checked(own)
    own.api.delete(f"/images/{NAME}")


@contextmanager
def small_disk(engine: Engine, size: str) -> Iterator[Path]:
    """The engine's data root on a file system of this size."""
    engine.data.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(engine.data)]
    subprocess.run(command, check=True)
    try:
        yield engine.data
    finally:
        subprocess.run(["umount", "--lazy", str(engine.data)], check=True)


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


def test_a_full_disk(
    make_engine: Callable[..., Engine], registry: RegistryServer, own: Engine, tmp_path: Path
) -> None:
    """Load, pull, import and commit say that it is full, leave nothing, and work when it is not."""
    engine = make_engine()
    publish(registry, own.boxship, "full/app:1")
    archive = write_archive(tmp_path, size=8_000_000).read_bytes()
    with small_disk(engine, "10m") as disk:
        engine.start()
        engine.load("busybox")
        used = space(disk)
        for path, query in (("load", {"quiet": "1"}), ("create", {"fromSrc": "-"})):
            reply = engine.api.post(f"/images/{path}", archive, **query)
            assert b"no space left on device" in reply.body.lower(), reply
            eventually(lambda: space(disk) <= used + 200_000, "the space to be free again")
        name = f"{registry.host}/full/app:1"
        done = engine.docker("pull", "--quiet", name)
        assert done == name  # what fits is not refused
        forget_big(engine, name)
        container = filled(engine)
        reply = engine.api.post("/commit", {}, container=container, repo="committed")
        assert b"no space left on device" in reply.body.lower(), reply
        engine.api.remove(container)
        checked(engine)
        assert engine.docker("run", "--rm", "--net=none", "busybox", "echo", "hi") == "hi"
        forget_images(engine)
        engine.stop()
    engine.close()


def space(disk: Path) -> int:
    """Bytes in use."""
    found = os.statvfs(disk)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def forget_big(engine: Engine, name: str) -> None:
    engine.api.delete(f"/images/{name}")
    eventually(lambda: not os.listdir(engine.data / "tmp"), "the end of what was deleted")


def filled(engine: Engine) -> str:
    """A container that has written more than half of what is left."""
    command = ["dd", "if=/dev/urandom", "of=/big", "bs=1M", "count=4"]
    identifier = engine.api.create("writer", Cmd=command)
    engine.api.start(identifier)
    assert engine.api.wait(identifier) == 0
    return identifier
