"""What volumes can beyond Docker: new names, clones, snapshots, archives, files in and out."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.cli import Cli
from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

MAKE = """
chown 5:6 /d; chmod 700 /d; echo one > /d/file; mkdir /d/sub; ln -s ../file /d/sub/link
ln /d/file /d/second; mkfifo /d/pipe; chmod 4755 /d/second; touch -d '2001-02-03 04:05:06' /d/sub
"""
LOOK = "cd /d; stat -c '%n %F %a %u %g %h %Y' . file second pipe sub sub/link; cat file sub/link"
RUN = ("run", "--rm", "--net=none")


@pytest.fixture(scope="module")
def _filled(_shared_engine: Engine) -> Iterator[None]:
    docker = _shared_engine.docker
    docker(*RUN, "-v", "data:/d", "busybox", "sh", "-c", MAKE)
    yield
    docker("volume", "rm", "data")


@pytest.fixture
def data(_filled: None, docker: Cli) -> Iterator[str]:
    """A volume with files of many kinds; others that a test makes are removed behind it."""
    yield "data"
    for name in docker("volume", "ls", "-q").split():
        if name != "data":
            docker("volume", "rm", name)


def seen(docker: Cli, volume: str) -> str:
    """All that matters about a volume's files, times of the top among it."""
    return docker(*RUN, "-v", f"{volume}:/d:nocopy", "busybox", "sh", "-c", LOOK)


def inspected(docker: Cli, volume: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("volume", "inspect", volume))[0]
    return found


@pytest.mark.parametrize("how", ["clone", "snapshot"])
def test_a_copy_has_the_same_files(docker: Cli, boxship: Cli, data: str, how: str) -> None:
    before = seen(docker, data)
    assert boxship("volume", how, "--label", "a=b", data, "other") == "other"
    assert seen(docker, "other") == before
    found = inspected(docker, "other")
    assert found["Labels"] == {"a": "b"}
    assert found["Status"]["CopyOf"] == data
    docker(*RUN, "-v", "other:/d", "busybox", "true")
    assert seen(docker, data) == before


def test_nobody_writes_to_a_snapshot(docker: Cli, boxship: Cli, data: str, tmp_path: Path) -> None:
    boxship("volume", "snapshot", data, "kept")
    for option in (("-v", "kept:/d"), ("--mount", "type=volume,src=kept,dst=/d")):
        refused = docker.run(*RUN, *option, "busybox", "touch", "/d/new").err
        assert "Read-only file system" in refused
    (tmp_path / "new").write_text("x")
    refused = boxship.run("volume", "cp", str(tmp_path / "new"), "kept:/").err
    assert "volume kept is a snapshot: clone it to change its files" in refused
    boxship("volume", "clone", "kept", "again")
    docker(*RUN, "-v", "again:/d", "busybox", "touch", "/d/new")


def test_a_name_moves_and_the_containers_go_with_it(
    docker: Cli, boxship: Cli, data: str, engine: Engine
) -> None:
    docker("volume", "create", "before")
    mount = "type=volume,src=before,dst=/m"
    docker(
        *("run", "-d", "--net=none", "--name", "user", "-v", "before:/d", "--mount", mount),
        *("busybox", "sh", "-c", "echo here > /d/file; exec sleep 1000"),
    )
    eventually(lambda: docker.run("exec", "user", "cat", "/d/file").out == "here\n", "the file")
    boxship("volume", "rename", "before", "after")
    found = json.loads(docker("inspect", "user"))[0]
    assert {m["Name"] for m in found["Mounts"]} == {"after"}
    assert found["HostConfig"]["Binds"] == ["after:/d"]
    assert found["HostConfig"]["Mounts"][0]["Source"] == "after"
    assert docker("ps", "-q", "--filter", "volume=after") == found["Id"][:12]
    docker("restart", "-t0", "user")
    assert docker("exec", "user", "cat", "/m/file") == "here"
    assert "no such volume" in docker.run("volume", "inspect", "before").err
    rename = engine.api.post("/volumes/after/rename", name=data)
    assert (rename.status, rename.message) == (
        409,
        "the volume name data is already in use: choose another one",
    )
    assert engine.api.post("/volumes/after/rename", name="-").status == 400
    assert engine.api.post("/volumes/after/rename", name="after").status == 400
    assert engine.api.post("/volumes/before/rename", name="other").status == 404
    docker("rm", "-f", "user")


def test_who_gets_a_name_is_not_removed_by_the_way(docker: Cli, boxship: Cli, data: str) -> None:
    container = docker("create", "--net=none", "-v", "/d", "busybox", "true")
    (name,) = (m["Name"] for m in json.loads(docker("inspect", container))[0]["Mounts"])
    boxship("volume", "rename", name, "called")
    docker("rm", "-v", container)
    assert not inspected(docker, "called")["Labels"]


def test_an_archive_is_the_volume(docker: Cli, boxship: Cli, data: str, tmp_path: Path) -> None:
    archive = str(tmp_path / "data.tar")
    boxship("volume", "export", "-o", archive, data)
    assert boxship("volume", "import", "--label", "x=y", archive, "back") == "back"
    assert seen(docker, "back") == seen(docker, data)
    assert inspected(docker, "back")["Labels"] == {"x": "y"}
    anonymous = boxship("volume", "import", archive)
    assert len(anonymous) == 64
    refused = boxship.run("volume", "import", archive, "back").err
    assert "the volume name back is already in use" in refused


def test_a_bad_archive_leaves_nothing(
    docker: Cli, boxship: Cli, data: str, engine: Engine, tmp_path: Path
) -> None:
    boxship("volume", "export", "-o", str(tmp_path / "data.tar"), data)
    whole = (tmp_path / "data.tar").read_bytes()
    for bad in (b"no archive at all" * 100, whole[:2000]):
        reply = engine.api.post("/volumes/import", bad, name="never")
        assert reply.status == 400, reply.body
        assert "Error processing tar file" in reply.message
    assert "never" not in docker("volume", "ls", "-q").split()
    eventually(lambda: not os.listdir(engine.data / "tmp"), "the end of what was unpacked")


def test_files_go_in_and_out(docker: Cli, boxship: Cli, data: str, tmp_path: Path) -> None:
    boxship("volume", "clone", data, "other")
    out, into = tmp_path / "out", tmp_path / "new"
    boxship("volume", "cp", "other:/sub/link", str(out), "-L")
    assert out.read_text() == "one\n"
    into.mkdir()
    (into / "inner").write_text("two\n")
    boxship("volume", "cp", str(into), "other:/")
    boxship("volume", "cp", f"{into}/.", "other:/sub")
    boxship("volume", "cp", "other:/new", f"{data}:/sub")
    read = ("sh", "-c", "cat /o/new/inner /o/sub/inner /d/sub/new/inner; rm -r /d/sub/new")
    shown = docker(*RUN, "-v", "other:/o", "-v", f"{data}:/d", "busybox", *read)
    assert shown == "two\ntwo\ntwo"
    missing = boxship.run("volume", "cp", "other:/nothing", str(tmp_path)).err
    assert "Could not find the file /nothing in volume other" in missing
    assert "in a volume" in boxship.run("volume", "cp", str(into), str(out)).err


def test_a_volume_holds_its_paths(docker: Cli, boxship: Cli, data: str, tmp_path: Path) -> None:
    """Links that lead up, or to the host's files, end within the volume."""
    (tmp_path / "secret").write_text("host")
    links = f"ln -s {tmp_path} /d/out; ln -s ../../../../../../../../../../etc /d/up"
    docker(*RUN, "-v", "links:/d", "busybox", "sh", "-c", links)
    for path in ("out/secret", "up/hostname", "../../boxship.db"):
        refused = boxship.run("volume", "cp", f"links:/{path}", str(tmp_path / "got")).err
        assert "Could not find the file" in refused
    (tmp_path / "new").write_text("x")
    for path in ("out/new", "up/new"):
        assert boxship.run("volume", "cp", str(tmp_path / "new"), f"links:/{path}").code != 0
    assert sorted(os.listdir(tmp_path)) == ["new", "secret"]


def test_writers_stand_still_while_they_are_copied(
    docker: Cli, boxship: Cli, data: str, engine: Engine
) -> None:
    start = ("run", "-d", "--net=none", "--name")
    docker(*start, "copied-writer", "-v", "busy:/d", "busybox", "sleep", "9999")
    docker(*start, "copied-reader", "-v", "busy:/d:ro", "busybox", "sleep", "9999")
    boxship("volume", "clone", "--no-pause", "busy", "first")
    boxship("volume", "clone", "busy", "second")
    until = docker("info", "-f", "{{.SystemTime}}")
    events = docker("events", "--since=1", f"--until={until}", "--format", "{{json .}}")
    told = [json.loads(line) for line in events.splitlines()]
    paused = [e["Actor"]["Attributes"]["name"] for e in told if e["Action"] in ("pause", "unpause")]
    assert [name for name in paused if name.startswith("copied-")] == ["copied-writer"] * 2
    docker("rm", "-f", "copied-writer", "copied-reader")


def test_refusals_name_what_is_wrong(engine: Engine, data: str) -> None:
    for body, status in (({}, 400), ({"Name": "-"}, 400), ({"Name": data}, 409)):
        reply = engine.api.post(f"/volumes/{data}/clone", body)
        assert reply.status == status, reply.body
    for method, path in (
        ("POST", "/volumes/none/clone"),
        ("GET", "/volumes/none/export"),
        ("GET", "/volumes/none/archive?path=/"),
        ("PUT", "/volumes/none/archive?path=/"),
    ):
        reply = engine.api.request(method, path, {"Name": "other"})
        assert (reply.status, reply.message) == (404, "get none: no such volume"), path
    assert engine.api.get(f"/volumes/{data}/archive").status == 400


def test_two_want_one_name(engine: Engine, data: str) -> None:
    """One gets it, whatever their order; the other is told so, and leaves nothing."""
    replies: list[bytes] = []

    def clone() -> None:
        replies.append(engine.api.post(f"/volumes/{data}/clone", {"Name": "prize"}).body)

    racers = [threading.Thread(target=clone) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert sum(b"Made prize" in body for body in replies) == 1
    assert sum(b"already in use" in body for body in replies) == 3
    eventually(lambda: not os.listdir(engine.data / "tmp"), "the end of what was copied in vain")


def whole_or_gone(engine: Engine, name: str, files: int) -> None:
    """A copy that was broken off has not come about; or it was faster than who broke it off."""
    names = engine.docker("volume", "ls", "-q").split()
    assert len(os.listdir(engine.data / "volumes")) == len(names)
    if name in names:
        assert len(os.listdir(inspected(engine.docker, name)["Mountpoint"])) == files
        engine.docker("volume", "rm", name)


def test_a_killed_daemon_leaves_no_half_copy(make_engine: Callable[..., Engine]) -> None:
    """Nor does a client that goes away; and the next daemon can copy what the last one did not."""
    engine = make_engine()
    engine.start()
    engine.docker("volume", "create", "big")
    where = Path(inspected(engine.docker, "big")["Mountpoint"])
    for number in range(4000):  # the first is told of when there is much to do still
        (where / str(number)).write_bytes(b"x")
    with engine.api.stream("POST", "/volumes/big/clone", {"Name": "left"}) as answer:
        assert b"Copying" in answer.readline()
    eventually(lambda: not os.listdir(engine.data / "tmp"), "the end of what nobody waits for")
    whole_or_gone(engine, "left", 4000)
    with engine.api.stream("POST", "/volumes/big/clone", {"Name": "copy"}) as answer:
        assert b"Copying" in answer.readline()
        engine.kill()
    engine.start()
    eventually(lambda: not os.listdir(engine.data / "tmp"), "the end of the half copy")
    whole_or_gone(engine, "copy", 4000)
    assert engine.boxship("volume", "clone", "big", "copy") == "copy"
