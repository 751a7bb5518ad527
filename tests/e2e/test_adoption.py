"""Objects that another engine had, taken over by the daemon: whole, with their ids, and once."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.api import Reply
from support.engine import Engine
from support.tars import Member, directory, tar
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

ID = "ab" * 32
CREATED = 1_600_000_000_123_456_789
STARTED, FINISHED = CREATED + 1_000_000_000, CREATED + 2_500_000_000


def volume(engine: Engine, path: Path, **changes: object) -> Reply:
    body = {"Name": "theirs", "CreatedNs": CREATED, "Path": str(path)} | changes
    return engine.api.post("/boxship/adoption/volumes", body)


def last(reply: Reply) -> dict[str, Any]:
    assert reply.status == 200, reply.body
    found: dict[str, Any] = json.loads(reply.body.splitlines()[-1])
    return found


def wish(engine: Engine, **changes: object) -> dict[str, object]:
    image = engine.api.get("/images/busybox/json").json()["Id"]
    command = ["cat", "/etc/own", "/theirs/file"]
    return {
        "Id": ID, "Name": "old", "CreatedNs": CREATED, "Image": image,
        "Path": "cat", "Args": command[1:],
        "Config": {"Image": "busybox", "Cmd": command, "Hostname": "was", "Env": ["PATH=/bin"]},
        "HostConfig": {"NetworkMode": "none", "RestartPolicy": {"Name": "no"}},
        "State": {
            "StartedNs": STARTED, "FinishedNs": FINISHED, "ExitCode": 7, "RestartCount": 2,
            "StoppedByUser": True,
        },
    } | changes  # fmt: skip


def archive(wanted: object, *members: Member) -> bytes:
    document = Member("container.json", json.dumps(wanted).encode())
    files = members or (directory("files"),)
    return tar(document, *files)


FILES = (
    directory("logs"),
    Member("logs/0", b'{"log":"new\\n","stream":"stdout","time":"2020-09-13T12:26:42Z"}\n'),
    Member("logs/1", b'{"log":"old\\n","stream":"stderr","time":"2020-09-13T12:26:41Z"}\n'),
    directory("files", mode=0o755),
    directory("files/etc"),
    Member("files/etc/own", b"own\n"),
    Member("files/.wh.usr"),
)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    place = tmp_path / "_data"
    place.mkdir(mode=0o750)
    (place / "file").write_text("theirs\n")
    os.chown(place, 3, 4)
    return place


def test_a_network_keeps_its_id(engine: Engine) -> None:
    wanted = {
        "Id": ID, "Name": "template", "Driver": "null", "CreatedNs": CREATED, "ConfigOnly": True,
        "Pools": [{"Subnet": "10.9.0.0/24"}], "Labels": {"a": "b"},
    }  # fmt: skip
    try:
        made = engine.api.post("/boxship/adoption/networks", wanted)
        assert (made.status, made.json()) == (201, {"Id": ID})
        found = engine.api.get("/networks/template").json()
        assert (found["Id"], found["Created"]) == (ID, "2020-09-13T12:26:40.123456789Z")
        assert found["IPAM"]["Config"] == [{"Subnet": "10.9.0.0/24"}]
        again = engine.api.post("/boxship/adoption/networks", wanted)
        assert again.json() == {"Id": ID, "Already": True}
        other = engine.api.post("/boxship/adoption/networks", wanted | {"Id": "cd" * 32})
        assert (other.status, other.message) == (409, "network with name template already exists")
    finally:
        engine.api.delete(f"/networks/{ID}")


def test_a_volume_is_copied(engine: Engine, theirs: Path) -> None:
    assert last(volume(engine, theirs, Labels={"a": "b"})) == {"status": "Made", "id": "theirs"}
    found = engine.api.get("/volumes/theirs").json()
    assert (found["CreatedAt"], found["Labels"]) == ("2020-09-13T12:26:40Z", {"a": "b"})
    copied = Path(found["Mountpoint"])
    assert (copied / "file").read_text() == (theirs / "file").read_text()
    assert (copied.stat().st_uid, copied.stat().st_mode) == (3, theirs.stat().st_mode)
    assert last(volume(engine, theirs))["status"] == "Already here"
    assert volume(engine, theirs.parent).status == 409


def test_a_volume_is_moved_and_a_move_that_broke_off_finished(engine: Engine, theirs: Path) -> None:
    inode = (theirs / "file").stat().st_ino
    apart = os.stat(engine.data).st_dev != os.stat(theirs).st_dev
    assert last(volume(engine, theirs, Move=True))["status"] == "Made"
    mountpoint = Path(engine.api.get("/volumes/theirs").json()["Mountpoint"])
    assert apart or (mountpoint / "file").stat().st_ino == inode
    assert not theirs.exists()
    assert last(volume(engine, theirs, Move=True))["status"] == "Already here"
    # As a daemon leaves it that is killed between the record and the rename.
    os.rename(mountpoint, theirs)
    mountpoint.mkdir()
    assert last(volume(engine, theirs, Move=True))["status"] == "Made"
    assert (mountpoint / "file").read_text() == "theirs\n"
    # What has come since into a volume is not lost to what was left behind.
    theirs.mkdir()
    assert last(volume(engine, theirs, Move=True))["status"] == "Already here"
    assert (mountpoint / "file").exists()


def test_what_cannot_be_a_volume_is_refused(engine: Engine, theirs: Path) -> None:
    mounted = {"type": "tmpfs", "device": "tmpfs"}
    for reply, status, words in (
        (volume(engine, theirs / "missing"), 404, "there is no directory"),
        (volume(engine, theirs / "missing", Move=True), 404, "there is no directory"),
        (volume(engine, Path("relative")), 400, "is absolute"),
        (volume(engine, theirs, Name="a/b"), 400, "invalid characters"),
        (volume(engine, theirs, Options=mounted), 400, "no files of its own"),
        (volume(engine, theirs, Options={"x": "y"}), 400, "invalid option"),
    ):
        assert (reply.status, words in reply.message) == (status, True), reply.body
    assert engine.api.get("/volumes/theirs").status == 404


def test_a_container_comes_with_its_files_logs_and_past(engine: Engine, theirs: Path) -> None:
    volume(engine, theirs)
    mounts = [{"Type": "volume", "Destination": "/theirs", "Name": "theirs", "Mode": "z"}]
    made = engine.api.post(
        "/boxship/adoption/containers", archive(wish(engine, Mounts=mounts), *FILES)
    )
    assert (made.status, made.json()) == (201, {"Id": ID})
    found = engine.api.get("/containers/old/json").json()
    state = found["State"]
    assert (found["Id"], found["RestartCount"], found["Config"]["Hostname"]) == (ID, 2, "was")
    assert (state["Status"], state["ExitCode"]) == ("exited", 7)
    assert state["FinishedAt"] == "2020-09-13T12:26:42.623456789Z"
    assert [mount["Name"] for mount in found["Mounts"]] == ["theirs"]
    assert engine.boxship.run("logs", "old").out == "new\n"
    assert engine.boxship.run("logs", "old").err == "old\n"
    changes = {
        row["Path"]: row["Kind"] for row in engine.api.get(f"/containers/{ID}/changes").json()
    }
    assert (changes["/usr"], changes["/etc/own"]) == (2, 1)
    engine.api.start(ID)
    engine.api.wait(ID)
    assert "own\ntheirs\n" in engine.boxship.run("logs", "old").out
    again = engine.api.post("/boxship/adoption/containers", archive(wish(engine)))
    assert again.json() == {"Id": ID, "Already": True}


@pytest.mark.parametrize("mode", [{"NetworkMode": "container:other"}, {"UTSMode": "host"}])
def test_a_name_that_was_another_s_is_no_wish(engine: Engine, mode: dict[str, str]) -> None:
    """Docker itself fills it in, and refuses to be asked for it."""
    engine.api.create("other")
    config = {"Cmd": ["sh"], "Hostname": "others", "ExposedPorts": {"80/tcp": {}}}
    host = {"NetworkMode": "none"} | mode
    wanted = wish(engine, Config=config, HostConfig=host)
    assert engine.api.post("/boxship/adoption/containers", archive(wanted)).status == 201
    assert engine.api.get("/containers/old/json").json()["Config"]["Hostname"] == "others"


def test_what_cannot_be_a_container_is_refused(engine: Engine) -> None:
    engine.api.create("taken")
    volumes = [{"Type": "volume", "Destination": "/v", "Name": "nowhere"}]
    for body, status, words in (
        (b"no archive", 400, "invalid archive"),
        (tar(directory("files")), 400, "container.json"),
        (archive({"Id": ID}), 400, "container.json"),
        (archive(wish(engine, Id="x")), 400, "no container's id"),
        (archive(wish(engine), directory("other")), 400, "no directory files"),
        (archive(wish(engine, Name="taken")), 409, "already in use"),
        (archive(wish(engine, Image="sha256:" + "0" * 64)), 404, "No such image"),
        (archive(wish(engine, Mounts=volumes)), 404, "nowhere"),
    ):
        reply = engine.api.post("/boxship/adoption/containers", body)
        assert (reply.status, words in reply.message) == (status, True), reply.body
    assert engine.api.get("/containers/old/json").status == 404
    snapshots, directories = (os.listdir(engine.data / n) for n in ("snapshots", "containers"))
    assert len(directories) == 1
    assert set(snapshots) == set(directories)
    eventually(lambda: not list((engine.data / "tmp").iterdir()), "the end of what was begun")


def test_a_daemon_that_is_killed_keeps_what_came(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    engine.start()
    engine.load("busybox")
    made = engine.api.post("/boxship/adoption/containers", archive(wish(engine), *FILES))
    assert made.status == 201
    engine.kill()
    engine.start()
    found = engine.api.get("/containers/old/json").json()
    assert (found["Id"], found["State"]["Status"]) == (ID, "exited")
    assert engine.boxship.run("logs", "old").out == "new\n"
