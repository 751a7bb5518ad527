"""`docker cp`, and what it asks of the engine. dockerd gives the same answers."""

import base64
import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.cli import Cli
from support.engine import Engine
from support.tars import Member, directory, hard_link, symlink, tar
from support.trees import fingerprint

pytestmark = pytest.mark.privileged

SCRIPT = """
mkdir -p /d/e; echo x > /d/f; ln -s /d /ld; ln -s f /d/lf; ln -s /nowhere /dang
chown 5:6 /d/f; chmod 4755 /d/f; ln -s ../../../etc /up; ln -s /proc/1/root /out; touch /ready
"""
GO_DIRECTORY, GO_LINK = 1 << 31, 1 << 27
STATS: dict[str, tuple[str, int, str, list[str]]] = {
    "/d": ("d", GO_DIRECTORY | 0o755, "", ["d", "d/e", "d/f", "d/lf"]),
    "/d/": ("d", GO_DIRECTORY | 0o755, "", ["d", "d/e", "d/f", "d/lf"]),
    "/d/.": (".", GO_DIRECTORY | 0o755, "", [".", "./e", "./f", "./lf"]),
    "/d/f": ("f", 1 << 23 | 0o755, "", ["f"]),
    "d/f": ("f", 1 << 23 | 0o755, "", ["f"]),
    "../d/f": ("f", 1 << 23 | 0o755, "", ["f"]),
    "/d/e/../f": ("f", 1 << 23 | 0o755, "", ["f"]),
    "/ld/f": ("f", 1 << 23 | 0o755, "", ["f"]),
    "/ld": ("ld", GO_LINK | 0o777, "/d", ["ld"]),
    "/ld/": ("ld", GO_DIRECTORY | 0o755, "", ["ld", "ld/e", "ld/f", "ld/lf"]),
    "/d/lf": ("lf", GO_LINK | 0o777, "/d/f", ["lf"]),
    "/dang": ("dang", GO_LINK | 0o777, "/nowhere", ["dang"]),
    "/up": ("up", GO_LINK | 0o777, "/etc", ["up"]),
    "/vol/inside": ("inside", 0o644, "", ["inside"]),
    "/tmp": ("tmp", GO_DIRECTORY | 1 << 20 | 0o777, "", ["tmp"]),
}


@pytest.fixture(params=["stopped", "running"])
def box(request: pytest.FixtureRequest, engine: Engine, docker: Cli, tmp_path: Path) -> str:
    """A container with files, and something mounted at /vol."""
    (tmp_path / "vol").mkdir()
    (tmp_path / "vol/inside").write_text("of the host")
    (tmp_path / "vol/inside").chmod(0o644)
    after = {"stopped": "", "running": "sleep 1000"}[request.param]
    docker(
        "run", "-d", "--name=box", "--net=none", "-v", f"{tmp_path}/vol:/vol:ro", "busybox",
        "sh", "-c", SCRIPT + after,
    )  # fmt: skip
    if request.param == "stopped":
        docker("wait", "box")
    else:
        docker("exec", "box", "sh", "-c", "while [ ! -e /ready ]; do :; done")
    return "box"


def stat_of(engine: Engine, path: str) -> dict[str, Any]:
    reply = engine.api.request("HEAD", "/containers/box/archive", query={"path": path})
    assert reply.status == 200
    found = json.loads(base64.b64decode(reply.headers["X-Docker-Container-Path-Stat"]))
    assert isinstance(found, dict)
    return found


def archive_of(engine: Engine, path: str) -> dict[str, tarfile.TarInfo]:
    reply = engine.api.request("GET", "/containers/box/archive", query={"path": path})
    assert reply.status == 200, reply.body
    with tarfile.open(fileobj=io.BytesIO(reply.body)) as archive:
        return {member.name: member for member in archive}


def test_paths(engine: Engine, box: str) -> None:
    for path, (name, mode, target, members) in STATS.items():
        found = stat_of(engine, path)
        assert (found["name"], found["mode"], found["linkTarget"]) == (name, mode, target), path
        assert sorted(archive_of(engine, path)) == sorted(members), path
    assert stat_of(engine, "/d/f")["size"] == 2
    owner = archive_of(engine, "/d/f")["f"]
    assert (owner.uid, owner.gid, owner.mode & 0o7777) == (5, 6, 0o4755)


@pytest.mark.parametrize("path", ["/none", "/d/none/x", "/dang/"])
def test_nothing_there(engine: Engine, box: str, path: str) -> None:
    for method in ("GET", "HEAD"):
        reply = engine.api.request(method, "/containers/box/archive", query={"path": path})
        assert reply.status == 404
        if method == "GET":
            assert reply.message == f"Could not find the file {path} in container box"


ARCHIVE = tar(
    Member("n", b"1", mode=0o4755, uid=1000, gid=1001),
    directory("dd", mode=0o700, uid=1000, gid=1001),
    Member("dd/x", b"2", mode=0o600),
    symlink("sl", "/etc/passwd"),
    hard_link("h", "n"),
    Member("lf", b"no longer a link"),
)


def put(engine: Engine, path: str, data: bytes, **query: object) -> tuple[int, str]:
    reply = engine.api.request(
        "PUT", "/containers/box/archive", data, query={"path": path, **query}
    )
    return reply.status, reply.body.decode()


@pytest.mark.parametrize("path", ["/d", "/ld", "/ld/."])
def test_unpacking(engine: Engine, docker: Cli, box: str, path: str) -> None:
    status, text = put(engine, path, ARCHIVE)
    assert status == 200, text
    found = archive_of(engine, "/d")
    assert set(found) == {"d", "d/e", "d/f", "d/lf", "d/n", "d/dd", "d/dd/x", "d/sl", "d/h"}
    assert (found["d/dd"].uid, found["d/dd"].gid, found["d/dd"].mode & 0o7777) == (
        1000,
        1001,
        0o700,
    )
    assert found["d/dd"].mtime == found["d/dd/x"].mtime == 1_600_000_000
    assert found["d/lf"].isreg()
    assert found["d/sl"].linkname == "/etc/passwd"
    assert {found["d/n"].linkname, found["d/h"].linkname} & {"d/n", "d/h"}
    assert "A /d/dd/x" in docker("diff", "box").splitlines()


def test_links_in_an_archive_stay_inside(engine: Engine, box: str, tmp_path: Path) -> None:
    through = tar(symlink("way", "/etc"), Member("way/made", b"1"), symlink("gone", str(tmp_path)))
    assert put(engine, "/d", through)[0] == 200
    assert "made" in archive_of(engine, "/etc/made")
    assert not (tmp_path / "made").exists()
    assert not Path("/etc/made").exists()


@pytest.mark.parametrize(
    "case",
    [
        ("/none", ARCHIVE, {}, "Could not find the file /none in container box"),
        ("/dang", ARCHIVE, {}, "Could not find the file /dang in container box"),
        ("/d/f", ARCHIVE, {}, "extraction point is not a directory"),
        ("/vol", ARCHIVE, {}, "is marked read-only"),
        ("/tmp", tar(Member("../../esc", b"1")), {}, "is outside of"),
        ("/d", tar(directory("f")), {"noOverwriteDirNonDir": 1}, "cannot overwrite non-directory"),
        ("/d", tar(Member("e", b"")), {"noOverwriteDirNonDir": 1}, "cannot overwrite directory"),
        ("/tmp", b"no archive", {}, "Error processing tar file"),
    ],
)
def test_what_cannot_be_unpacked(
    engine: Engine, box: str, case: tuple[str, bytes, dict[str, object], str]
) -> None:
    path, data, query, message = case
    status, text = put(engine, path, data, **query)
    assert status >= 400
    assert message in text


def test_a_read_only_root(engine: Engine, docker: Cli) -> None:
    docker("create", "--name=box", "--net=none", "--read-only", "busybox", "true")
    status, text = put(engine, "/tmp", ARCHIVE)
    assert status >= 400
    assert "container rootfs is marked read-only" in text


def test_by_the_client(docker: Cli, engine: Engine, box: str, tmp_path: Path) -> None:
    """There and back: the same tree."""
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "f").write_bytes(b"x" * 3_000_000)
    (source / "sub/link").symlink_to("../f")
    (source / "f").chmod(0o4640)
    docker("cp", "-a", str(source), "box:/d/copy")
    docker("cp", "-a", "box:/d/copy", str(tmp_path / "back"))
    before, after = fingerprint(source), fingerprint(tmp_path / "back")
    assert [(name, *looks[:3]) for name, looks in after.items()] == [
        (name, *looks[:3]) for name, looks in before.items()
    ]
    assert (tmp_path / "back/f").read_bytes() == (source / "f").read_bytes()
    docker("cp", f"{source}/f", "box:/ld/")
    assert stat_of(engine, "/d/f")["size"] == 3_000_000


def test_a_running_containers_mounts_are_there(engine: Engine, docker: Cli) -> None:
    docker(
        "run", "-d", "--name=box", "--net=none", "busybox",
        "sh", "-c", "echo shm > /dev/shm/x; sleep 1000",
    )  # fmt: skip
    docker("exec", "box", "sh", "-c", "while [ ! -e /dev/shm/x ]; do :; done")
    if engine.pid and "dockerd" not in " ".join(engine.command):
        docker("cp", "box:/dev/shm/x", "-")
        assert archive_of(engine, "/dev/shm/x")["x"].size == 4
    assert set(archive_of(engine, "/etc/hosts")) == {"hosts"}


@pytest.fixture
def _no_mounts(engine: Engine) -> Iterator[None]:
    yield
    assert engine.mounts() == []


Run = Callable[..., str]


@pytest.mark.boxshipd
def test_a_link_to_the_hosts_root_leads_nowhere(
    engine: Engine, docker: Cli, box: str, tmp_path: Path, _no_mounts: None
) -> None:
    """/proc/1/root is the first process's root, which is the host's for whoever is outside."""
    (tmp_path / "secret").write_text("secret")
    path = f"/out{tmp_path}/secret"
    assert engine.api.request("GET", "/containers/box/archive", query={"path": path}).status == 404
    assert put(engine, f"/out{tmp_path}", ARCHIVE)[0] == 404
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["secret", "vol"]
    assert subprocess.run(["ls", "/n"], check=False, capture_output=True).returncode != 0
