"""Volumes with whole daemons and Docker's client: what they keep, and for how long."""

import json
import os
from collections.abc import Callable

import pytest

from support.cli import Cli
from support.engine import Engine

pytestmark = pytest.mark.privileged

TMPFS = ("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m")
RUN = ("run", "--rm", "--net=none")


def rows(docker: Cli, container: str) -> list[dict[str, object]]:
    found = json.loads(docker("inspect", "-f", "{{json .Mounts}}", container))
    return sorted(found, key=lambda row: row["Destination"])


def test_what_is_written_stays_for_the_next(docker: Cli) -> None:
    docker(*RUN, "-v", "kept:/a", "busybox", "sh", "-c", "echo here > /a/f")
    assert docker(*RUN, "-v", "kept:/b:ro", "busybox", "cat", "/b/f") == "here"
    refused = docker.run(*RUN, "-v", "kept:/b:ro", "busybox", "touch", "/b/g").err
    assert "Read-only" in refused
    docker("volume", "rm", "kept")


def test_an_empty_volume_gets_what_the_image_has(docker: Cli) -> None:
    listing = ("stat", "-c", "%n %u %g %a %h", "/bin/busybox", "/bin/sh", "/bin")
    inside = docker(*RUN, "busybox", *listing)
    assert docker(*RUN, "-v", "filled:/bin", "busybox", *listing) == inside
    assert docker(*RUN, "-v", "filled:/x", "busybox", "ls", "/x") == docker(
        *RUN, "busybox", "ls", "/bin"
    )
    assert docker(*RUN, "-v", "bare:/etc:nocopy", "busybox", "ls", "/etc").split() == [
        "hostname",
        "hosts",
        "resolv.conf",
    ]
    docker("volume", "rm", "filled", "bare")


@pytest.mark.option("HostConfig.VolumesFrom")
def test_mounts_as_inspect_shows_them(docker: Cli) -> None:
    container = docker(
        *("create", "--net=none", "-v", "one:/a", "-v", "two:/b:ro,nocopy", "-v", "/c"),
        *("--mount", "type=volume,src=three,dst=/d,volume-label=x=y,readonly"),
        *("--mount", "type=volume,dst=/e", "busybox", "true"),
    )
    shown = [
        (row["Destination"], row["Mode"], row["RW"], row["Driver"])
        for row in rows(docker, container)
    ]
    assert shown == [
        ("/a", "z", True, "local"),
        ("/b", "ro,nocopy", False, "local"),
        ("/c", "", True, "local"),
        ("/d", "z", False, "local"),
        ("/e", "z", True, "local"),
    ]
    names = [str(row["Name"]) for row in rows(docker, container)]
    assert [name for name in names if len(name) < 64] == ["one", "two", "three"]
    assert docker("volume", "inspect", "-f", "{{.Labels.x}}", "three") == "y"
    inherits = docker(
        "create", "--net=none", "--volumes-from", f"{container}:ro", "busybox", "true"
    )
    assert [(row["Name"], row["RW"]) for row in rows(docker, inherits)] == [
        (name, False) for name in names
    ]
    told = docker.run("volume", "rm", "one").err
    assert "remove one: volume is in use - [" in told
    docker("rm", "-v", container)
    assert set(names) <= set(docker("volume", "ls", "-q").split())
    docker("rm", "-v", inherits)
    assert sorted(docker("volume", "ls", "-q").split()) == ["one", "three", "two"]
    docker("volume", "rm", "one", "two", "three")


def test_of_two_that_are_removed_at_once_somebody_takes_their_volumes(docker: Cli) -> None:
    for _ in range(5):
        one = docker("create", "--net=none", "-v", "/x", "-v", "/y", "busybox", "true")
        two = docker("create", "--net=none", "--volumes-from", one, "busybox", "true")
        names = [str(row["Name"]) for row in rows(docker, one)]
        docker("rm", "-v", one, two)
        assert not {*names}.intersection(docker("volume", "ls", "-q").split())


def test_anonymous_volumes_go_with_their_container(docker: Cli) -> None:
    docker(*RUN, "-v", "/x", "busybox", "touch", "/x/f")
    assert docker("volume", "ls", "-q") == ""
    docker("run", "--name=stays", "--net=none", "-v", "/x", "busybox", "touch", "/x/f")
    docker("rm", "stays")
    (name,) = docker("volume", "ls", "-q").split()
    docker("volume", "create", "named")
    assert name in docker("volume", "prune", "-f")
    assert docker("volume", "ls", "-q") == "named"
    assert "named" in docker("volume", "prune", "-f", "-a")


def test_what_is_mounted_and_kept_when_the_daemon_is_killed(
    make_engine: Callable[[], Engine],
) -> None:
    with make_engine() as engine:
        engine.load("busybox")
        docker = engine.docker
        docker(*TMPFS, "ram")
        place = docker("volume", "inspect", "-f", "{{.Mountpoint}}", "ram")
        first, second = (
            docker("run", "-d", "--net=none", "-v", "ram:/r", "busybox", "sleep", "100")
            for _ in "12"
        )
        docker("exec", first, "touch", "/r/shared")
        assert place in mounted()
        leftover = os.path.join(os.path.dirname(os.path.dirname(place)), "ab" * 32)
        os.makedirs(f"{leftover}/_data")
        engine.kill()
        engine.start()
        assert not os.path.exists(leftover)
        assert docker("volume", "ls", "-q") == "ram"
        docker("rm", "-f", first)
        assert docker("exec", second, "ls", "/r") == "shared"
        assert place in mounted()
        docker("rm", "-f", second)
        assert place not in mounted()


def mounted() -> list[str]:
    with open("/proc/self/mountinfo") as file:
        return [line.split()[4] for line in file]


def test_a_bind_is_not_deleted_with_its_volume(docker: Cli, tmp_path: object) -> None:
    theirs = f"{tmp_path}/theirs"
    os.mkdir(theirs)
    docker("volume", "create", "-o", "type=none", "-o", f"device={theirs}", "-o", "o=bind", "bound")
    docker(*RUN, "-v", "bound:/x", "busybox", "touch", "/x/f")
    docker("volume", "rm", "bound")
    assert os.listdir(theirs) == ["f"]
    docker("volume", "create", "-o", "type=none", "-o", "device=/nowhere", "-o", "o=bind", "bad")
    told = docker.run(*RUN, "-v", "bad:/x", "busybox", "true").err
    assert "failed to mount local volume: mount /nowhere:" in told
    assert "no such file or directory" in told
    docker("volume", "rm", "bad")


def test_disk_usage_of_volumes(docker: Cli, engine: Engine) -> None:
    docker(
        "run",
        "--name=uses",
        "--net=none",
        "-v",
        "sized:/x",
        "busybox",
        "sh",
        "-c",
        "echo -n 12345 > /x/f",
    )
    docker(*TMPFS, "elsewhere")
    (row,) = engine.api.get("/system/df").json()["Volumes"]
    assert row["UsageData"] == {"RefCount": 1, "Size": 5}
    docker("rm", "uses")
    assert "Total reclaimed space: 5B" in docker("volume", "prune", "-fa")
