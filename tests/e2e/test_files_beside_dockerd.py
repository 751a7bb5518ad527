"""The same container on both engines has the same files, and each reads what the other commits."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.dockerd import Dockerd
from support.engine import Engine
from support.programs import needs
from support.trees import fingerprint

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.boxshipd,
    needs("dockerd"),
]

SCRIPT = """
rm /bin/vi; rm -rf /usr/bin; mkdir -p /usr/bin/anew; mv /home /home2; rm -r /var; echo f > /var
mkdir /data; echo a > /data/a; ln /data/a /data/hard; ln -s a /data/link; mknod /data/dev c 1 3
mkfifo /data/fifo; touch "/data/$(printf 'n\\377m')"; chown 5:6 /data/fifo; chmod 4755 /data/a
dd if=/dev/zero of=/data/sparse bs=1 count=1 seek=3000000 2>/dev/null
touch -d '2001-02-03 04:05:06' /data/a /data/sparse; mkdir /data/.hidden; chmod 1777 /data/.hidden
"""
ENGINES_OWN = (".dockerenv", "dev", "proc", "sys", "etc/h", "etc/mtab", "etc/resolv")


@pytest.fixture(scope="module")
def dockerd() -> Iterator[Engine]:
    with Dockerd() as theirs:
        theirs.load("busybox")
        yield theirs


def files(engine: Engine, name: str, place: Path) -> dict[str, tuple[Any, ...]]:
    """What the container sees, but for what each engine puts there at its own time."""
    place.mkdir()
    command = ["tar", "-xp", "--xattrs", "--xattrs-include=*", "-C", str(place)]
    archive = engine.api.get(f"/containers/{name}/export").body
    subprocess.run(command, input=archive, check=True)
    found = fingerprint(place)
    del found["etc"]  # dockerd makes files in it, and with that its time
    return {path: looks for path, looks in found.items() if not path.startswith(ENGINES_OWN)}


def without_times(found: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    return {path: (*looks[:5], *looks[6:]) for path, looks in found.items()}


def in_whole_seconds(found: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """dockerd's archives have no fractions."""
    second = 10**9
    return {path: (*looks[:5], looks[5] // second, *looks[6:]) for path, looks in found.items()}


def rows(engine: Engine, name: str) -> list[tuple[str, int]]:
    found = engine.api.get(f"/containers/{name}/changes").json()
    return sorted((row["Path"], row["Kind"]) for row in found)


@pytest.fixture
def boxes(engine: Engine, dockerd: Engine) -> Iterator[tuple[Engine, Engine]]:
    for one in (engine, dockerd):
        one.docker("run", "--name=box", "--net=none", "busybox", "sh", "-c", SCRIPT)
    yield engine, dockerd
    for one in (engine, dockerd):
        for container in one.api.get("/containers/json", all=1).json():
            one.api.remove(container["Id"])
        one.api.delete("/images/committed", force=1)


def test_both_see_the_same(boxes: tuple[Engine, Engine], tmp_path: Path) -> None:
    ours, theirs = boxes
    assert rows(ours, "box") == rows(theirs, "box")
    assert without_times(files(ours, "box", tmp_path / "ours")) == without_times(
        files(theirs, "box", tmp_path / "theirs")
    )


@pytest.mark.parametrize("maker", [0, 1])
def test_each_reads_what_the_other_has_committed(
    boxes: tuple[Engine, Engine], tmp_path: Path, maker: int
) -> None:
    one, other = boxes[maker], boxes[1 - maker]
    image = one.docker("commit", "-m", "words", "-c", 'CMD ["cat", "/data/a"]', "box", "committed")
    archive = one.api.get("/images/committed/get").body
    answer = other.api.post("/images/load", archive, quiet=1)
    assert b"errorDetail" not in answer.body, answer.body
    there = other.api.get("/images/committed/json").json()
    assert there["Id"] == image
    assert json.dumps(there["RootFS"]) == json.dumps(
        one.api.get("/images/committed/json").json()["RootFS"]
    )
    assert other.docker("run", "--name=again", "--net=none", "committed") == "a"
    assert in_whole_seconds(files(other, "again", tmp_path / "again")) == in_whole_seconds(
        files(one, "box", tmp_path / "box")
    )
