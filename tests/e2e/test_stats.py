"""What containers use: processors, memory, processes, files."""

import json
import re

import pytest

from support.cli import Cli
from support.engine import Engine

pytestmark = pytest.mark.privileged

M = 1 << 20


def running(engine: Engine, name: str, *command: str, **host: object) -> str:
    container = engine.api.create(name, Cmd=list(command or ("sleep", "1000")), HostConfig=host)
    engine.api.start(container)
    return container


def test_two_samples_a_second_apart(engine: Engine) -> None:
    burn = ("sh", "-c", "while :; do :; done")
    container = running(engine, "burner", *burn, Memory=64 * M, PidsLimit=20)
    found = engine.api.get("/containers/burner/stats", stream=0).json()
    assert (found["id"], found["name"]) == (container, "/burner")
    assert found["pids_stats"] == {"current": 1, "limit": 20}
    assert found["memory_stats"]["limit"] == 64 * M
    assert 0 < found["memory_stats"]["usage"] < 64 * M
    now, before = found["cpu_stats"], found["precpu_stats"]
    used = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    passed = now["system_cpu_usage"] - before["system_cpu_usage"]
    assert 0 < used <= passed
    assert found["preread"] < found["read"]


def test_one_sample_at_once_and_none_of_a_stopped_container(engine: Engine) -> None:
    running(engine, "sleeper")
    found = engine.api.get("/containers/sleeper/stats", stream="false", **{"one-shot": 1}).json()
    assert found["preread"] == "0001-01-01T00:00:00Z"
    assert "system_cpu_usage" not in found["precpu_stats"]
    engine.api.create("idle", Cmd=["true"])
    found = engine.api.get("/containers/idle/stats", stream=0).json()
    assert (found["read"], found["memory_stats"]) == ("0001-01-01T00:00:00Z", {})
    assert engine.api.get("/containers/nobody/stats", stream=0).status == 404


def test_a_stream_goes_on(engine: Engine) -> None:
    running(engine, "sleeper")
    with engine.api.stream("GET", "/containers/sleeper/stats") as response:
        first, second = (json.loads(response.readline()) for _ in range(2))
    assert first["read"] < second["read"]
    assert second["precpu_stats"]["cpu_usage"] == first["cpu_stats"]["cpu_usage"]


def test_an_update_shows_at_once(engine: Engine, docker: Cli) -> None:
    running(engine, "sleeper", Memory=64 * M)
    docker("update", "--memory=32m", "--memory-swap=64m", "sleeper")
    shown = docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}} {{.PIDs}}")
    name, _, _, limit, pids = shown.split()
    assert (name, limit, pids) == ("sleeper", "32MiB", "1")


@pytest.mark.boxshipd
def test_our_own_client(engine: Engine, boxship: Cli) -> None:
    running(engine, "sleeper", Memory=64 * M)
    engine.api.create("idle", Cmd=["true"])
    title, row = boxship("stats", "--no-stream").splitlines()
    assert title.split()[:4] == ["CONTAINER", "ID", "NAME", "CPU"]
    assert "sleeper" in row
    assert "/ 64MiB" in row
    shown = boxship("stats", "--no-stream", "--all", "--format", "{{.Name}} {{.CPUPerc}}")
    assert "idle 0.00%" in shown.splitlines()
    found = json.loads(boxship("stats", "--no-stream", "--format=json", "sleeper"))
    assert (found["Container"], found["PIDs"]) == ("sleeper", "1")
    assert boxship.run("stats", "--no-stream", "nobody").code == 1


def test_sizes(engine: Engine, docker: Cli) -> None:
    write = ("sh", "-c", "head -c 100000 /dev/zero > /file; sleep 1000")
    container = running(engine, "writer", *write)
    docker("exec", "writer", "sh", "-c", "until [ -s /file ]; do :; done; sync")
    found = engine.api.get("/containers/writer/json", size=1).json()
    image = engine.api.get("/images/busybox/json").json()["Size"]
    assert 100_000 <= found["SizeRw"] < 200_000
    assert found["SizeRootFs"] == image + found["SizeRw"]
    assert "SizeRw" not in engine.api.inspect(container)
    shown = docker("ps", "--size", "--format", "{{.Size}}")
    assert shown.startswith("100kB (virtual ")


@pytest.mark.boxshipd
def test_a_live_table_of_all_containers(engine: Engine, boxship: Cli) -> None:
    running(engine, "burner", "sh", "-c", "while :; do :; done", Memory=64 * M)
    running(engine, "idler")
    engine.api.create("stopped", Cmd=["true"])
    lines = boxship("top", "--no-stream", "--sort=cpu").splitlines()
    assert re.match(r"boxship on \S+   2 running, 1 stopped   CPU \d", lines[0])
    assert [line.split()[0] for line in lines[2:]] == ["NAME", "burner", "idler"]
    assert float(lines[3].split()[2].removesuffix("%")) > 1
    for interval in ("0", "-1"):
        refused = boxship.run("top", "--no-stream", f"--interval={interval}")
        assert f"invalid --interval: {interval} (1 second or more)" in refused.err
    refused = boxship.run("top", "--sort=color")
    assert refused.code == 1
    assert "invalid --sort: color (one of cpu, memory," in refused.err
    with boxship.on_terminal("top", "--sort=name") as screen:
        screen.expect(r"NAME ▾")
        screen.expect("burner")
        screen.type("m")
        screen.expect(r"MEMORY ▾")
        screen.expect("c CPU  m memory")
        screen.type("\x1b[A")  # the arrow upwards means nothing here
        screen.type("c")
        screen.expect("CPU % ▾")
        screen.type("q")
        assert screen.close() == 0
    assert screen.seen.endswith("\x1b[?25h\x1b[?1049l")
