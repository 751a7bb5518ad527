"""Checkpoints: refusals, names, directories; and where the kernel lets CRIU, the thing itself."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cli import Cli
from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

COUNT = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done"


@pytest.fixture(scope="module")
def _experimental() -> Iterator[Engine]:
    with Engine("--experimental") as engine:
        engine.load("busybox")
        yield engine


@pytest.fixture
def experimental(_experimental: Engine) -> Iterator[Engine]:
    yield _experimental
    for container in _experimental.api.get("/containers/json", all=1).json():
        _experimental.api.remove(container["Id"])


def criu_works() -> bool:
    program = shutil.which("criu")
    if program is None:
        return False
    done = subprocess.run([program, "check"], capture_output=True, check=False)
    return done.returncode == 0


def counting(engine: Engine) -> str:
    container = engine.api.create("counter", Cmd=["sh", "-c", COUNT])
    engine.api.start(container)
    eventually(lambda: numbers(engine)[3:], "four numbers")
    return container


def numbers(engine: Engine) -> list[int]:
    return [int(line) for line in engine.docker("logs", "counter").split()]


def test_a_daemon_that_is_not_experimental_says_so(engine: Engine) -> None:
    container = engine.api.create("plain", Cmd=["true"])
    for method, path, body in (
        ("GET", "checkpoints", None),
        ("POST", "checkpoints", {"CheckpointID": "one"}),
        ("DELETE", "checkpoints/one", None),
    ):
        reply = engine.api.request(method, f"/containers/{container}/{path}", body)
        assert reply.status == 501
        assert "experimental feature is disabled by default" in reply.message
    reply = engine.api.post(f"/containers/{container}/start", checkpoint="one")
    assert (reply.status, reply.message) == (
        400,
        "checkpoint is only supported in experimental mode",
    )
    refused = engine.docker.run("checkpoint", "ls", "plain")
    assert "only supported on a Docker daemon with experimental features enabled" in refused.err


def test_it_is_announced(experimental: Engine) -> None:
    assert experimental.api.get("/_ping").headers["Docker-Experimental"] == "true"
    assert experimental.api.get("/info").json()["ExperimentalBuild"] is True
    assert experimental.docker("checkpoint", "ls", experimental.api.create("x1")) == (
        "CHECKPOINT NAME"
    )


def test_what_is_refused(experimental: Engine) -> None:
    api = experimental.api
    stopped = api.create("stopped", Cmd=["true"])
    path = f"/containers/{stopped}/checkpoints"
    reply = api.post(path, {"CheckpointID": "one", "Exit": True})
    assert (reply.status, reply.message) == (409, "Container stopped not running")
    for name in ("", "a", "../up", "a/b", ".hidden"):
        reply = api.post(path, {"CheckpointID": name})
        assert reply.status == 400
        assert reply.message.startswith(f"Invalid checkpoint ID ({name}), only")
    reply = api.post(path, {"CheckpointID": "one", "CheckpointDir": "relative"})
    assert reply.status == 400
    missing = "checkpoint one does not exist for container stopped"
    for reply in (
        api.delete(f"{path}/one"),
        api.post(f"/containers/{stopped}/start", checkpoint="one"),
    ):
        assert (reply.status, reply.message) == (404, missing)
    assert api.get("/containers/nobody/checkpoints").status == 404
    assert api.get(path, dir="/nonexistent").status == 404
    assert api.delete(f"/containers/{stopped}/other/one").status == 404
    assert api.inspect(stopped)["State"]["Status"] == "created"


def test_a_container_with_a_terminal_or_paused(experimental: Engine) -> None:
    api = experimental.api
    tty = api.create("tty", Cmd=["sleep", "1000"], Tty=True)
    api.start(tty)
    reply = api.post("/containers/tty/checkpoints", {"CheckpointID": "one"})
    assert reply.status == 400
    assert "it has a terminal" in reply.message
    api.start(api.create("iced", Cmd=["sleep", "1000"]))
    api.post("/containers/iced/pause")
    assert api.post("/containers/iced/checkpoints", {"CheckpointID": "one"}).status == 409
    api.post("/containers/iced/unpause")


def test_they_are_listed_and_removed(experimental: Engine, tmp_path: Path) -> None:
    api, boxship = experimental.api, experimental.boxship
    container = api.create("owner", Cmd=["true"])
    own = experimental.data / "containers" / container / "checkpoints"
    for place in (own, tmp_path):
        for name in ("two", "one", ".unfinished-three"):
            (place / name).mkdir(parents=True)
            (place / name / "boxship.json").write_text("{}")
        (place / "file").touch()
    assert boxship("checkpoint", "ls", "owner").split("\n") == ["CHECKPOINT NAME", "one", "two"]
    for client in (boxship, experimental.docker):
        listed = client("checkpoint", "ls", "--checkpoint-dir", str(tmp_path), "owner")
        assert listed.split("\n") == ["CHECKPOINT NAME", "one", "two"]
    assert boxship("checkpoint", "rm", "owner", "one") == ""
    assert experimental.docker("checkpoint", "rm", "owner", "two") == ""
    assert api.get(f"/containers/{container}/checkpoints").json() == []
    boxship("checkpoint", "rm", "--checkpoint-dir", str(tmp_path), "owner", "one")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".unfinished-three", "file", "two"]
    assert boxship.run("checkpoint", "rm", "owner", "one").code == 1


def test_nothing_else_is_removed_or_listed(experimental: Engine, tmp_path: Path) -> None:
    path = f"/containers/{experimental.api.create('owner', Cmd=['true'])}/checkpoints"
    (tmp_path / "saved" / "real").mkdir(parents=True)
    (tmp_path / "saved" / "real" / "boxship.json").touch()
    (tmp_path / "important").mkdir()
    (tmp_path / "important" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "saved" / "real")
    for name in ("important", "link"):
        reply = experimental.api.delete(f"{path}/{name}", dir=str(tmp_path))
        assert (reply.status, reply.message) == (400, f"{tmp_path}/{name} is not a checkpoint")
    assert experimental.api.get(path, dir=str(tmp_path)).json() == []
    assert (tmp_path / "important" / "file").exists()
    assert (tmp_path / "saved" / "real").is_dir()
    for reply in (
        experimental.api.get(path, dir="relative"),
        experimental.api.delete(f"{path}/one", dir="relative"),
    ):
        assert (reply.status, reply.message) == (
            400,
            "checkpoint directory relative is not an absolute path",
        )


def test_a_refusal_leaves_a_directory_that_was_there(experimental: Engine, tmp_path: Path) -> None:
    if criu_works():
        pytest.skip("criu works here")
    counting(experimental)
    body = {"CheckpointID": "one", "CheckpointDir": str(tmp_path)}
    reply = experimental.api.post("/containers/counter/checkpoints", body)
    assert reply.status >= 500
    assert list(tmp_path.iterdir()) == []
    body["CheckpointDir"] = str(tmp_path / "new")
    reply = experimental.api.post("/containers/counter/checkpoints", body)
    assert reply.status >= 500
    assert not (tmp_path / "new").exists()


def test_a_start_from_what_is_no_checkpoint(experimental: Engine, tmp_path: Path) -> None:
    container = experimental.api.create("owner", Cmd=["true"])
    (tmp_path / "one").mkdir()
    reply = experimental.api.post(
        f"/containers/{container}/start", **{"checkpoint": "one", "checkpoint-dir": str(tmp_path)}
    )
    assert reply.status == 400
    assert "is not a checkpoint" in reply.message
    assert experimental.api.inspect(container)["State"]["Running"] is False
    (tmp_path / "one" / "boxship.json").write_text('{"descriptors": [], "mounts": []}')
    if shutil.which("criu"):
        started = experimental.boxship.run(
            "start", "--checkpoint=one", f"--checkpoint-dir={tmp_path}", "owner"
        )
        assert started.code == 1
        assert "criu restore failed" in started.err
        assert not experimental.inhabitants()


def test_what_criu_refuses_leaves_the_container_running(experimental: Engine) -> None:
    if shutil.which("criu") is None:
        pytest.skip("criu is not installed")
    if criu_works():
        pytest.skip("criu works here")
    container = counting(experimental)
    refused = experimental.docker.run("checkpoint", "create", "counter", "one")
    assert refused.code == 1
    assert "Cannot checkpoint container counter: criu dump failed: Error (" in refused.err
    seen = len(numbers(experimental))
    eventually(lambda: len(numbers(experimental)) > seen, "more numbers")
    assert experimental.api.get(f"/containers/{container}/checkpoints").json() == []
    own = experimental.data / "containers" / container
    assert not (own / "checkpoints").exists()


def test_a_container_goes_on_from_where_it_was(experimental: Engine, tmp_path: Path) -> None:
    if not criu_works():
        pytest.skip("criu does not work on this kernel")
    container = counting(experimental)
    docker, boxship = experimental.docker, experimental.boxship
    assert docker("checkpoint", "create", "counter", "one") == "one"
    eventually(
        lambda: experimental.api.inspect(container)["State"]["Status"] == "exited", "the end"
    )
    until = numbers(experimental)
    assert until == list(range(len(until)))
    docker("start", "--checkpoint=one", "counter")
    eventually(lambda: len(numbers(experimental)) > len(until) + 3, "more numbers")
    # Nothing is missing in its log, and nothing comes twice.
    now = numbers(experimental)
    assert now == list(range(len(now)))
    assert docker("exec", "counter", "echo", "inside") == "inside"
    boxship("checkpoint", "create", "--leave-running", f"--checkpoint-dir={tmp_path}", "counter",
            "two")  # fmt: skip
    assert json.loads((tmp_path / "two" / "boxship.json").read_text())["descriptors"][0]
    assert experimental.api.inspect(container)["State"]["Running"]
    experimental.api.post(f"/containers/{container}/stop", t=0)
    assert experimental.api.inspect(container)["State"]["ExitCode"] == 137


def test_the_verbs_of_both_clients(boxship: Cli) -> None:
    assert "checkpoint" in boxship("--help")
    assert {"create", "ls", "rm"} <= set(boxship("checkpoint", "--help").split())
