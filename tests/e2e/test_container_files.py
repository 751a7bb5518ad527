"""What a container has written: `diff`, `commit`, `export`. dockerd gives the same answers."""

import io
import json
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.cli import Cli
from support.engine import Engine
from support.trees import fingerprint

pytestmark = pytest.mark.privileged

NET = "--net=none"
SCRIPT = """
mkdir -p /data/sub; echo a > /data/a; echo b > /data/sub/b
rm /bin/vi
rm /etc/passwd; echo new > /etc/group
chmod 600 /etc/shadow
rm -rf /usr/sbin; echo file > /usr/sbin
rm -rf /var/www; ln -s /tmp /var/www
mv /home /home2
ln /data/a /data/hard
mknod /data/dev c 1 3
mkfifo /data/fifo
dd if=/dev/zero of=/data/sparse bs=1 count=1 seek=5000000 2>/dev/null
ln -s /etc /data/link
echo h >> /etc/hosts; echo z > /dev/shm/z; touch /dev/x
touch /tmp/t; rm /tmp/t
chown 5:6 /root
rm /bin/ls; mkdir /bin/ls; touch /bin/ls/q
touch -d '2001-02-03 04:05:06' /bin/busybox
chmod 4755 /data/a
rm -rf /usr/bin; mkdir /usr/bin; touch /usr/bin/anew
"""
ROWS = """
C /bin
C /bin/busybox
C /bin/ls
A /bin/ls/q
D /bin/vi
A /data
A /data/a
A /data/dev
A /data/fifo
A /data/hard
A /data/link
A /data/sparse
A /data/sub
A /data/sub/b
C /etc
C /etc/group
D /etc/passwd
D /home
A /home2
C /root
C /usr
C /usr/bin
A /usr/bin/anew
D /usr/bin/env
C /usr/sbin
C /var
C /var/www
"""


@pytest.fixture
def images(engine: Engine) -> Iterator[None]:
    """Removes the images that a test has made."""
    before = {image["Id"] for image in engine.api.get("/images/json", all=1).json()}
    yield
    for container in engine.api.get("/containers/json", all=1).json():
        engine.api.remove(container["Id"])
    for image in engine.api.get("/images/json").json():
        if image["Id"] not in before:
            engine.api.delete(f"/images/{image['Id']}", force=1)
    left = {image["Id"] for image in engine.api.get("/images/json", all=1).json()}
    assert left == before


def tree(archive: bytes, place: Path) -> dict[str, tuple[object, ...]]:
    """What an archive holds, without the mount points, which are each engine's own."""
    place.mkdir()
    command = ["tar", "-xp", "--xattrs", "--xattrs-include=*", "-C", str(place)]
    subprocess.run(command, input=archive, check=True)
    found = fingerprint(place)
    ours = (".dockerenv", "dev", "proc", "sys", "etc/h", "etc/mtab", "etc/resolv")
    return {name: looks for name, looks in found.items() if not name.startswith(ours)}


def exported(engine: Engine, name: str) -> bytes:
    return engine.api.get(f"/containers/{name}/export").body


def test_what_changed(docker: Cli) -> None:
    docker("run", "--name=box", NET, "busybox", "sh", "-c", SCRIPT)
    assert sorted(docker("diff", "box").splitlines()) == sorted(ROWS.split("\n")[1:-1])


def test_nothing_changed(engine: Engine, docker: Cli, images: None) -> None:
    docker("run", "--name=box", NET, "busybox", "true")
    assert docker("diff", "box") == ""
    assert engine.api.get("/containers/box/changes").body.strip() == b"null"
    docker("commit", "box", "same")
    below, above = (engine.api.get(f"/images/{name}/json").json() for name in ("busybox", "same"))
    assert above["RootFS"] == below["RootFS"]
    assert above["Parent"] == below["Id"]
    history = engine.api.get("/images/same/history").json()
    assert [step["Id"] for step in history][:2] == [above["Id"], below["Id"]]
    assert (history[0]["CreatedBy"], history[0]["Size"]) == ("true", 0)


def test_an_image_of_it_shows_the_same(
    engine: Engine, docker: Cli, images: None, tmp_path: Path
) -> None:
    docker("run", "--name=box", NET, "busybox", "sh", "-c", SCRIPT)
    image = docker("commit", "box", "mine:1")
    docker("create", "--name=again", NET, "mine:1")
    assert docker("diff", "again") == ""
    before, after = (tree(exported(engine, name), tmp_path / name) for name in ("box", "again"))
    assert after == before
    assert docker("run", "--rm", NET, "mine:1", "cat", "/data/hard") == "a"
    saved = engine.api.get("/images/mine:1/get").body
    docker("rm", "box", "again")
    docker("rmi", "mine:1")
    assert engine.api.post("/images/load", saved).status == 200
    assert docker("images", "-q", "--no-trunc", "mine:1") == image


def test_an_export_can_be_imported(
    engine: Engine, docker: Cli, images: None, tmp_path: Path
) -> None:
    docker("run", "--name=box", NET, "busybox", "sh", "-c", SCRIPT)
    docker("export", "-o", str(tmp_path / "box.tar"), "box")
    docker("import", "-c", 'CMD ["cat", "/data/a"]', str(tmp_path / "box.tar"), "flat")
    assert docker("run", "--rm", NET, "flat") == "a"
    docker("create", "--name=again", "flat")
    before, after = (tree(exported(engine, name), tmp_path / name) for name in ("box", "again"))
    assert after == before


def test_an_export_of_one_that_runs(engine: Engine, docker: Cli, tmp_path: Path) -> None:
    (tmp_path / "inside").write_text("of the host")
    docker(
        "run", "-d", "--name=box", NET, "-v", f"{tmp_path}:/mnt", "--tmpfs=/scratch", "busybox",
        "sh", "-c", "echo x > /scratch/x; echo y > /y; sleep 1000",
    )  # fmt: skip
    docker("exec", "box", "sh", "-c", "while [ ! -e /y ]; do :; done")
    with tarfile.open(fileobj=io.BytesIO(exported(engine, "box"))) as archive:
        names = archive.getnames()
    assert {"y", "mnt", "scratch", ".dockerenv", "etc/hosts", "dev/console"} <= set(names)
    assert not {"mnt/inside", "scratch/x", "dev/null", "proc/1"} & set(names)
    assert len(names) == len(set(names))


CONFIGS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "nothing": ((), {"Cmd": ["sleep", "9"], "Env": ["A=1", "PATH"], "Labels": {"l": "1"}}),
    "command": (('CMD ["x", "y"]',), {"Cmd": ["x", "y"]}),
    "shell form": (("CMD x y",), {"Cmd": ["/bin/sh", "-c", "x y"]}),
    "empty command": (("CMD []",), {"Cmd": ["sleep", "9"]}),
    "entry point": (('ENTRYPOINT ["e"]',), {"Entrypoint": ["e"], "Cmd": None}),
    "both": (('CMD ["c"]', 'ENTRYPOINT ["e"]'), {"Entrypoint": ["e"], "Cmd": ["c"]}),
    "environment": (("ENV A=2 B=$A",), {"Env": ["A=2", "B=1", "PATH"]}),
    "labels": (("LABEL l=2 m='x y'",), {"Labels": {"l": "2", "m": "x y"}}),
    "places": (
        ("WORKDIR w", "USER 5", "VOLUME /v", "EXPOSE 80 90/udp"),
        {"WorkingDir": "/w", "User": "5", "Volumes": {"/v": {}},
         "ExposedPorts": {"80/tcp": {}, "90/udp": {}}},
    ),
    "health": (
        ("HEALTHCHECK --interval=5s --retries=3 CMD true",),
        {"Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 5 * 10**9, "Retries": 3}},
    ),
    "trigger": (("ONBUILD RUN x",), {"OnBuild": ["RUN x"]}),
}  # fmt: skip


@pytest.mark.parametrize("case", CONFIGS)
def test_changes_of_the_config(engine: Engine, docker: Cli, images: None, case: str) -> None:
    lines, expected = CONFIGS[case]
    docker("create", "--name=box", NET, "-e", "A=1", "-l", "l=1", "busybox", "sleep", "9")
    options = [part for line in lines for part in ("-c", line)]
    image = docker("commit", "-a", "Me <m@e>", "-m", "words", *options, "box")
    found = engine.api.get(f"/images/{image}/json").json()
    config = found["Config"]
    config["Env"] = [*sorted(v for v in config["Env"] if not v.startswith("PATH=")), "PATH"]
    assert {key: config.get(key) for key in expected} == expected
    assert (found["Author"], found["Comment"]) == ("Me <m@e>", "words")
    assert found["Container"] == engine.api.inspect("box")["Id"]


def test_a_body_stands_in_for_the_containers_config(
    engine: Engine, docker: Cli, images: None
) -> None:
    docker("create", "--name=box", NET, "-e", "A=1", "busybox", "sleep", "9")
    body = {"Cmd": ["other"], "Env": ["B=2"], "Labels": {"x": "y"}, "User": "7"}
    reply = engine.api.post("/commit", body, container="box", repo="asked", tag="2")
    assert reply.status == 201
    config = engine.api.get("/images/asked:2/json").json()["Config"]
    assert (config["Cmd"], config["User"], config["Labels"]) == (["other"], "7", {"x": "y"})
    assert {"A=1", "B=2"} <= set(config["Env"])


def events_of(engine: Engine, since: float) -> list[str]:
    reply = engine.api.get("/events", since=f"{since:.9f}", until=f"{time.time():.9f}")
    rows = [json.loads(line) for line in reply.body.splitlines()]
    return [row["Action"] for row in rows if row["Type"] in ("container", "image")]


@pytest.mark.parametrize("pause", [True, False])
def test_events(engine: Engine, docker: Cli, images: None, tmp_path: Path, pause: bool) -> None:
    docker("run", "-d", "--name=box", NET, "busybox", "sleep", "1000")
    since = time.time()
    docker("commit", f"--pause={str(pause).lower()}", "box", "mine")
    docker("export", "-o", str(tmp_path / "tar"), "box")
    held, let_go = (["pause"], ["unpause"]) if pause else ([], [])
    assert events_of(engine, since) == [*held, "tag", "commit", *let_go, "export"]
    assert engine.api.inspect("box")["State"]["Status"] == "running"


def test_one_that_is_paused_stays_so(engine: Engine, docker: Cli, images: None) -> None:
    docker("run", "-d", "--name=box", NET, "busybox", "sleep", "1000")
    docker("pause", "box")
    docker("commit", "box")
    assert engine.api.inspect("box")["State"]["Status"] == "paused"
    docker("unpause", "box")


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ({"container": "none"}, 404, "No such container: none"),
        ({}, 400, "invalid name or ID supplied"),
        ({"container": "box", "changes": "RUN x"}, 400, "RUN is not a valid change command"),
        ({"container": "box", "changes": "EXPOSE x"}, 400, "nvalid containerPort: x"),
    ],
)
def test_what_is_refused(
    engine: Engine, docker: Cli, query: dict[str, str], status: int, message: str
) -> None:
    docker("create", "--name=box", NET, "busybox")
    before = engine.api.get("/images/json", all=1).json()
    reply = engine.api.post("/commit", **query)
    assert (reply.status, message in reply.message) == (status, True), reply.message
    assert engine.api.get("/images/json", all=1).json() == before


def test_a_bad_name_is_refused(engine: Engine, docker: Cli) -> None:
    docker("create", "--name=box", NET, "busybox")
    reply = engine.api.post("/commit", container="box", repo="BAD")
    assert reply.status in (400, 500)  # older dockerd takes it for a fault of its own
    assert "must be lowercase" in reply.message


@pytest.mark.parametrize("what", ["changes", "export"])
def test_of_no_container(engine: Engine, what: str) -> None:
    reply = engine.api.get(f"/containers/none/{what}")
    assert (reply.status, reply.message) == (404, "No such container: none")


def test_a_chain_of_images(engine: Engine, docker: Cli, images: None) -> None:
    """Each is a child of the one before, and goes with its last child."""
    name, ids = "busybox", []
    for number in range(3):
        docker("run", f"--name=box{number}", NET, name, "sh", "-c", f"echo {number} > /f{number}")
        ids.append(docker("commit", f"box{number}", f"chain:{number}"))
        name = f"chain:{number}"
        docker("rm", f"box{number}")
    history = engine.api.get("/images/chain:2/history").json()
    assert [step["Id"] for step in history[:3]] == ids[::-1]
    assert [step["Tags"] for step in history[:3]] == [[f"chain:{n}"] for n in (2, 1, 0)]
    docker("rmi", "chain:0", "chain:1")
    assert "image has dependent child images" in docker.run("rmi", ids[1]).err
    assert docker("run", "--rm", NET, "chain:2", "cat", "/f0", "/f1", "/f2") == "0\n1\n2"
    removed = docker("rmi", "chain:2").splitlines()
    assert [f"Deleted: {image}" for image in ids[::-1]] == [
        line for line in removed if line.removeprefix("Deleted: ") in ids
    ]
