"""``system import-docker`` from data roots that Docker's own daemons have made, old and new."""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import dockerroots
from support.cli import Done
from support.engine import Engine
from support.machines import World
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

BOXES = ("worker", "web", "lasting", "framed")


@dataclass(frozen=True)
class Theirs:
    """A dockerd that has stopped, and what it said of its objects before."""

    root: Path
    namespace: str
    refusal: Done
    boxes: dict[str, Any]
    networks: dict[str, Any]
    volumes: dict[str, Any]
    images: dict[str, Any]
    logs: dict[str, tuple[str, str]]
    changes: dict[str, set[tuple[str, int]]]


KINDS = {kind.name: kind for kind in dockerroots.KINDS}
only_one = pytest.mark.parametrize("theirs", ["Docker 26.1, overlay2"], indirect=True)


@pytest.fixture(scope="module", params=KINDS)
def theirs(request: pytest.FixtureRequest) -> Iterator[Theirs]:
    with World() as world:
        machine = world.machine()
        with KINDS[request.param].running(machine.path) as docker:
            refusal = imported(docker, docker.data)
            seen = facts(docker)
            docker.stop()
            for name, volume in seen["volumes"].items():
                volume["CreatedAt"] = changed(docker.data / "volumes" / name)
            boxes = {name: stopped(docker, box) for name, box in seen["boxes"].items()}
            yield Theirs(docker.data, machine.path, refusal, **seen | {"boxes": boxes})


def changed(path: Path) -> str:
    """When a directory was made, or its list of names changed: to Docker 26 a volume's age.

    Docker 20.10 looks at the directory of the files, whose age is that of the last change.
    """
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(path.stat().st_ctime))


def stopped(docker: Engine, box: dict[str, Any]) -> dict[str, Any]:
    """What inspect would say of a container after its daemon's end, which nobody can ask."""
    path = docker.data / "containers" / box["Id"] / "config.v2.json"
    state = json.loads(path.read_text())["State"]
    return box | {"State": state}


def facts(engine: Engine) -> dict[str, Any]:
    api = engine.api
    return {
        "boxes": {name: api.inspect(name) for name in BOXES},
        "networks": {name: api.get(f"/networks/{name}").json() for name in ("backend", "inner")},
        "volumes": {volume["Name"]: volume for volume in api.get("/volumes").json()["Volumes"]},
        "images": {image["Id"]: image for image in api.get("/images/json").json()},
        "logs": {name: output(engine.docker.run("logs", name)) for name in BOXES},
        "changes": {name: changes(engine, name) for name in BOXES},
    }


def changes(engine: Engine, name: str) -> set[tuple[str, int]]:
    rows = engine.api.get(f"/containers/{name}/changes").json() or ()
    return {(row["Path"], row["Kind"]) for row in rows}


def output(done: Done) -> tuple[str, str]:
    return done.out, done.err


def imported(engine: Engine, root: Path, *flags: str) -> Done:
    return engine.boxship.run("system", "import-docker", f"--data-root={root}", *flags)


@pytest.fixture
def ours(theirs: Theirs) -> Iterator[Engine]:
    """A daemon of ours on the machine on which theirs was."""
    with Engine(namespace=theirs.namespace) as engine:
        yield engine


def listed(root: Path) -> dict[str, tuple[int, ...]]:
    """All that somebody could have changed in a tree."""
    found: dict[str, tuple[int, ...]] = {}
    for directory, names, files in os.walk(root):
        for name in (".", *names, *files):
            path = os.path.join(directory, name)
            each = os.lstat(path)
            times = (each.st_mtime_ns, each.st_ctime_ns)
            found[path] = (each.st_ino, each.st_mode, each.st_uid, each.st_size, *times)
    return found


def test_everything_comes(theirs: Theirs, ours: Engine) -> None:
    assert (theirs.refusal.code, theirs.refusal.out) == (1, "")
    assert "is in use by dockerd (process" in theirs.refusal.err
    before = listed(theirs.root)
    plan = imported(ours, theirs.root, "--dry-run")
    assert (plan.code, len(plan.out.splitlines())) == (0, 12)
    assert facts_of_nothing(ours)
    done = imported(ours, theirs.root)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-2:] == [
        "11 taken over, 0 here already.",
        "By their restart policy these are to run, at the latest when the daemon starts the next "
        "time: boxship start lasting",
    ]
    assert listed(theirs.root) == before
    compare(theirs, ours)
    again = imported(ours, theirs.root)
    assert (again.code, again.out.splitlines()[-1]) == (0, "0 taken over, 11 here already.")
    run(ours)


def facts_of_nothing(engine: Engine) -> bool:
    return (
        not engine.api.get("/containers/json", all=1).json()
        and not engine.api.get("/images/json").json()
    )


def compare(theirs: Theirs, ours: Engine) -> None:
    found = facts(ours)
    assert found["logs"] == theirs.logs
    assert found["changes"].keys() == theirs.changes.keys()
    ids = image_ids(theirs, found["images"])
    for name, network in theirs.networks.items():
        for key in ("Id", "Name", "Driver", "IPAM", "Internal", "Options", "Labels"):
            assert found["networks"][name][key] == network[key], (name, key)
        assert moment(found["networks"][name]["Created"]) == moment(network["Created"])
    assert found["volumes"].keys() == theirs.volumes.keys()
    for name, volume in theirs.volumes.items():
        for key in ("Labels", "Options", "Driver", "CreatedAt"):
            assert found["volumes"][name][key] == volume[key], (name, key)
    for name, box in theirs.boxes.items():
        compare_box(box | {"Image": ids[box["Image"]]}, found["boxes"][name])


def image_ids(theirs: Theirs, ours: dict[str, Any]) -> dict[str, str]:
    """Images by what they were called: the same, but that containerd's store has its own ids."""
    names = {tuple(sorted(image["RepoTags"])): image_id for image_id, image in ours.items()}
    ids = {old: names[tuple(sorted(image["RepoTags"]))] for old, image in theirs.images.items()}
    assert len(ids) == len(ours)
    for old, new in ids.items():
        assert old == new or (theirs.root / "rootfs/overlayfs").exists()
    return ids


def moment(text: str) -> str:
    """A time in one spelling: Go leaves zeros at the end out."""
    return text.removesuffix("Z").rstrip("0")


def compare_box(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    for key in ("Id", "Name", "Path", "Args", "Image", "Config", "RestartCount"):
        assert ours[key] == theirs[key], key
    assert moment(ours["Created"]) == moment(theirs["Created"])
    for key in ("ExitCode", "Error", "OOMKilled", "Running"):
        assert ours["State"][key] == theirs["State"][key], key
    for key in ("StartedAt", "FinishedAt"):
        assert moment(ours["State"][key]) == moment(theirs["State"][key]), key
    host = dict(theirs["HostConfig"]) | {"Runtime": "boxship"}
    host["NetworkMode"] = {"default": "bridge"}.get(host["NetworkMode"], host["NetworkMode"])
    assert {key: ours["HostConfig"].get(key) for key in host} == host
    assert places(ours) == places(theirs)


def places(box: dict[str, Any]) -> list[tuple[object, ...]]:
    keys = ("Destination", "Type", "Name", "RW")
    return sorted(tuple(mount.get(key, "") for key in keys) for mount in box["Mounts"])


def run(ours: Engine) -> None:
    """What came is alive: processes, addresses, files, volumes."""
    ours.api.start("web")
    ours.api.start("lasting")
    worker = ours.docker.run("start", "--attach", "worker")
    assert (worker.code, worker.out) == (3, "to stdout\n")
    assert "can't remove '/srv/kept/link'" in worker.err
    look = ("busybox", "cat", "/data/file", "/own/file")
    shown = ours.docker("run", "--rm", "--net=none", "--volumes-from=worker", *look)
    assert shown == "data\nown"
    assert "everything is whole" in ours.boxship("system", "check")
    copied = subprocess.run(
        [ours.docker.program, "-H", f"unix://{ours.socket}", "cp", "worker:/srv", "-"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert b"one\nmore\nmore\n" in copied
    assert b"two" not in copied


@only_one
def test_an_import_that_was_killed_goes_on(theirs: Theirs, ours: Engine) -> None:
    client = ours.boxship.start("system", "import-docker", f"--data-root={theirs.root}")
    assert client.stdout is not None
    for line in client.stdout:
        if line.startswith(b"container"):
            ours.kill()
            client.kill()
            break
    client.communicate()
    ours.start()
    assert len(ours.api.get("/containers/json", all=1).json()) in (1, 2, 3, 4)
    done = imported(ours, theirs.root)
    assert (done.code, done.err) == (0, "")
    compare(theirs, ours)


@only_one
def test_what_is_here_already_stays_as_it_is(theirs: Theirs, ours: Engine) -> None:
    ours.load()
    ours.docker("volume", "create", "data")
    ours.docker("tag", "busybox", "registry.test:5000/made/image:1.0")
    mine = ours.api.create("web")
    done = imported(ours, theirs.root)
    assert done.code == 1
    assert "8 taken over, 1 here already." in done.out
    reasons = (
        r"failed +volume +data, .*: there is a volume data already, which does not come from there",
        r"failed +container +worker .*: its volume data is not here: the one that has this name is",
        r'failed +container +web .*: .*"/web" is already in use',
        r"left out +name registry\.test:5000/made/image:1\.0: that name is another image's here",
        "4 not taken over",
    )
    for reason in reasons:
        assert re.search(reason, done.err), (reason, done.err)
    assert ours.api.inspect("web")["Id"] == mine
    assert ours.api.get("/containers/worker/json").status == 404


@only_one
def test_a_damaged_layer_keeps_nothing_else_from_coming(theirs: Theirs, ours: Engine) -> None:
    (place,) = theirs.root.glob("overlay2/*/diff/srv/kept/again")  # the first of two hard links
    aside = place.rename(theirs.root / "aside")
    try:
        done = imported(ours, theirs.root)
    finally:
        aside.rename(place)
    assert done.code == 1
    assert "9 taken over, 0 here already." in done.out
    assert re.search(r"failed +image +registry.*: .*/srv/kept/again: .*No such file", done.err)
    assert re.search(r"failed +container +worker .*: .*[Nn]o such image", done.err)
    eventually(lambda: not list((ours.data / "tmp").iterdir()), "the end of what was begun")


@only_one
def test_parts_of_it_are_moved(theirs: Theirs, ours: Engine) -> None:
    """The last of these tests: afterwards there are no volumes any more."""
    theirs_of_old = theirs.root / "volumes/data/_data"
    inode = theirs_of_old.stat().st_ino
    done = imported(ours, theirs.root, "--volumes", "--move")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "3 taken over, 0 here already."
    assert not theirs_of_old.exists()
    moved = Path(ours.api.get("/volumes/data").json()["Mountpoint"])
    assert moved.stat().st_ino == inode
    assert facts_of_nothing(ours)
    assert imported(ours, theirs.root, "--move", "--quiet").out == ""
    compare(theirs, ours)
    run(ours)
