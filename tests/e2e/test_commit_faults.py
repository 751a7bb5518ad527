"""What goes wrong while a container's files are read: nothing half made stays, and it goes on."""

import http.client
import os
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

from support.api import Reply
from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

BIG = "truncate -s 1500M /big; touch /ready; sleep 1000"
"""A hole, which is quick to make, and takes a while to be read and written."""


@pytest.fixture
def own(make_engine: Callable[..., Engine]) -> Engine:
    engine = make_engine()
    engine.start()
    engine.load("busybox")
    return engine


@pytest.fixture
def big(own: Engine) -> Engine:
    own.docker("run", "-d", "--name=box", "--net=none", "busybox", "sh", "-c", BIG)
    eventually(lambda: "A /ready" in own.docker("diff", "box"), "the container's files")
    return own


def status(engine: Engine) -> str:
    return str(engine.api.inspect("box")["State"]["Status"])


def processes_run(engine: Engine) -> bool:
    """Tell whether the container's processes are not frozen, asking the kernel."""
    return engine.docker.run("exec", "box", "true", timeout=10).code == 0


def stored(engine: Engine) -> dict[str, list[str]]:
    return {
        name: sorted(os.listdir(engine.data / name))
        for name in ("layers/sha256", "blobs/sha256", "l", "tmp")
    }


class Beside:
    """A request that is under way."""

    def __init__(self, request: Callable[[], Reply]) -> None:
        self.reply: Reply | None = None
        self._request = request
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        try:
            self.reply = self._request()
        except (OSError, http.client.HTTPException):
            self.reply = None

    def end(self) -> Reply | None:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.reply


def committing(engine: Engine) -> Beside:
    commit = Beside(lambda: engine.api.post("/commit", container="box", repo="made"))
    eventually(lambda: status(engine) == "paused", "the pause")
    return commit


def test_a_killed_daemon_lets_the_container_go(big: Engine) -> None:
    before = stored(big)
    commit = committing(big)
    big.kill()
    assert commit.end() is None
    big.start()
    assert status(big) == "running"
    assert processes_run(big)
    assert [image["RepoTags"] for image in big.api.get("/images/json").json()] == [
        ["busybox:latest"]
    ]
    eventually(lambda: stored(big) == before, "the store as it was")


def test_one_paused_by_a_person_stays_so_when_the_daemon_is_killed(big: Engine) -> None:
    big.docker("pause", "box")
    commit = Beside(lambda: big.api.post("/commit", container="box"))
    eventually(lambda: stored(big)["tmp"] != [], "the beginning of the layer")
    big.kill()
    commit.end()
    big.start()
    assert status(big) == "paused"
    big.docker("unpause", "box")


def test_a_person_who_unpauses_has_the_last_word(big: Engine) -> None:
    commit = committing(big)
    big.docker("unpause", "box")
    big.docker("pause", "box")
    reply = commit.end()
    assert reply is not None
    assert reply.status == 201
    assert status(big) == "paused"
    big.docker("unpause", "box")


def test_removed_in_the_middle_of_a_commit(big: Engine) -> None:
    before = stored(big)
    commit = committing(big)
    big.docker("rm", "-f", "box")
    reply = commit.end()
    assert reply is not None
    assert (reply.status, "was removed meanwhile" in reply.message) == (404, True), reply.message
    eventually(lambda: stored(big) == before, "the store as it was")


def test_removed_in_the_middle_of_an_export(big: Engine) -> None:
    """The client must not take what it has for the whole."""
    with big.api.stream("GET", "/containers/box/export") as response:
        assert response.read(1 << 20)
        big.docker("rm", "-f", "box")
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            while response.read(1 << 20):
                pass
    assert big.docker("ps", "-aq") == ""


def test_a_client_that_has_enough_of_an_export(big: Engine) -> None:
    before = len(big.descriptors())
    with big.api.stream("GET", "/containers/box/export") as response:
        assert response.read(1 << 20)
    eventually(lambda: len(big.descriptors()) <= before, "the end of the reading")
    assert big.mounts() == []


def test_two_at_once(own: Engine) -> None:
    own.docker("run", "-d", "--name=box", "--net=none", "busybox", "sh", "-c", "echo 1 > /f; cat")
    commits = [
        Beside(lambda n=n: own.api.post("/commit", container="box", repo=f"made{n}"))  # type: ignore[misc]
        for n in range(4)
    ]
    replies = [commit.end() for commit in commits]
    told = [(reply.status, reply.body) for reply in replies if reply]
    assert [status for status, _ in told] == [201] * 4, told
    tops = {own.api.get(f"/images/made{n}/json").json()["RootFS"]["Layers"][-1] for n in range(4)}
    assert len(tops) == 1
    assert own.api.get("/containers/box/json").json()["State"]["Status"] in ("running", "exited")


@pytest.fixture
def tight(make_engine: Callable[..., Engine]) -> Iterator[Engine]:
    """A daemon with 24 MiB of disk."""
    engine = make_engine()
    engine.data.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m,mode=711", "tmpfs", engine.data], check=True
    )
    try:
        engine.start()
        engine.load("busybox")
        yield engine
        engine.docker("rm", "-f", "box")
        engine.stop()
    finally:
        subprocess.run(["umount", engine.data], check=True)


def test_a_full_disk(tight: Engine) -> None:
    script = "dd if=/dev/urandom of=/f bs=1M count=12 2>/dev/null; touch /ready; sleep 1000"
    tight.docker("run", "-d", "--name=box", "--net=none", "busybox", "sh", "-c", script)
    eventually(lambda: "A /ready" in tight.docker("diff", "box"), "the container's files")
    before = stored(tight)
    reply = tight.api.post("/commit", container="box", repo="made")
    assert (reply.status, reply.message) == (503, "No space left on device: unpacking 'f'")
    assert status(tight) == "running"
    eventually(lambda: stored(tight) == before, "the store as it was")
    tight.docker("exec", "box", "rm", "/f")
    tight.docker("commit", "box", "made")


def test_what_a_busy_container_commits_is_of_one_moment(own: Engine) -> None:
    script = "i=0; while :; do i=$((i+1)); for f in a b; do echo $i > /t; mv /t /$f; done; done"
    own.docker("run", "-d", "--name=box", "--net=none", "busybox", "sh", "-c", script)
    eventually(lambda: "A /b" in own.docker("diff", "box"), "both files")
    for number in range(3):
        assert own.api.post("/commit", container="box", repo=f"n{number}").status == 201
        command = ("run", "--rm", "--net=none", f"n{number}", "cat", "/a", "/b")
        first, second = [int(line) for line in own.docker(*command).split()]
        assert first - second in (0, 1)
