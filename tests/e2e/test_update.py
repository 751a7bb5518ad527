"""Limits and policies changed while a container runs, is paused, stands still."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.cli import Cli
from support.engine import Engine
from support.residue import hierarchies
from support.waiting import eventually

pytestmark = pytest.mark.privileged

M = 1 << 20


def limit(engine: Engine, container: str, v1: str, v2: str) -> str:
    """Read a value of a container's cgroup, from outside."""
    pid = engine.api.inspect(container)["State"]["Pid"]
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, _, path = line.split(":", 2)
        for root in hierarchies():
            for name in (v1, v2):
                file = Path(f"{root}{path}/{name}")
                if file.exists():
                    return file.read_text().strip()
    raise AssertionError(f"no {v1} and no {v2}")


def pids_max(engine: Engine, container: str) -> str:
    return limit(engine, container, "pids.max", "pids.max")


def memory_max(engine: Engine, container: str) -> int:
    return int(limit(engine, container, "memory.limit_in_bytes", "memory.max"))


def running(engine: Engine, name: str = "worker", **host: object) -> str:
    container = engine.api.create(name, Cmd=["sleep", "1000"], HostConfig=host)
    engine.api.start(container)
    return container


def update(engine: Engine, container: str, **wanted: object) -> tuple[int, Any]:
    reply = engine.api.post(f"/containers/{container}/update", wanted)
    return reply.status, reply.json()


def host_config(engine: Engine, container: str) -> dict[str, Any]:
    found: dict[str, Any] = engine.api.inspect(container)["HostConfig"]
    return found


def test_a_running_container_gets_other_limits(engine: Engine, docker: Cli) -> None:
    container = running(engine, Memory=64 * M, PidsLimit=10)
    said = docker("update", "--memory=32m", "--memory-swap=40m", "--pids-limit=20", "worker")
    assert said == "worker"
    assert (memory_max(engine, container), pids_max(engine, container)) == (32 * M, "20")
    docker("update", "-m", "1g", "--memory-swap", "2g", "--pids-limit", "-1", "worker")
    assert (memory_max(engine, container), pids_max(engine, container)) == (1 << 30, "max")
    told = host_config(engine, container)
    assert (told["Memory"], told["MemorySwap"], told["PidsLimit"]) == (1 << 30, 2 << 30, 0)


def test_processors_are_changed(engine: Engine, docker: Cli) -> None:
    container = running(engine)
    docker("update", "--cpus=0.5", "--cpuset-cpus=0", "worker")
    quota = limit(engine, container, "cpu.cfs_quota_us", "cpu.max").split()[0]
    assert quota == "50000"
    seen = docker("exec", "worker", "grep", "Cpus_allowed_list", "/proc/self/status")
    assert seen.split() == ["Cpus_allowed_list:", "0"]


def test_a_paused_container_is_changed_and_stays_paused(engine: Engine) -> None:
    container = running(engine)
    engine.api.post(f"/containers/{container}/pause")
    assert update(engine, container, PidsLimit=77) == (200, {"Warnings": None})
    assert pids_max(engine, container) == "77"
    assert engine.api.inspect(container)["State"]["Paused"]
    engine.api.post(f"/containers/{container}/unpause")


def test_a_stopped_container_starts_with_what_it_was_told(engine: Engine) -> None:
    container = engine.api.create("worker", Cmd=["sleep", "1000"])
    assert update(engine, container, PidsLimit=33, CpuShares=100)[0] == 200
    engine.api.start(container)
    assert pids_max(engine, container) == "33"
    assert update(engine, container, PidsLimit=44)[0] == 200
    reply = engine.api.post(f"/containers/{container}/restart", t=0)
    assert reply.status == 204, reply.body
    assert pids_max(engine, container) == "44"


@pytest.mark.parametrize(
    ("wanted", "status", "message"),
    [
        ({"Memory": 5 * M}, 400, "Minimum memory limit allowed is 6MB"),
        (
            {"Memory": 64 * M, "MemorySwap": 32 * M},
            400,
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        ),
        (
            {"Memory": 256 * M},
            409,
            "Memory limit should be smaller than already set memoryswap limit, "
            "update the memoryswap at the same time",
        ),
        (
            {"NanoCpus": 10**9, "CpuQuota": 20_000},
            400,
            "Conflicting options: Nano CPUs and CPU Quota cannot both be set",
        ),
        ({"CpusetCpus": "x"}, 400, "Invalid value x for cpuset cpus: invalid format: x"),
        (
            {"RestartPolicy": {"Name": "sometimes"}},
            400,
            "invalid restart policy: unknown policy 'sometimes'; use one of "
            "'no', 'always', 'on-failure', 'on-unhealthy', or 'unless-stopped'",
        ),
    ],
)
def test_what_is_refused_changes_nothing(
    engine: Engine, wanted: dict[str, object], status: int, message: str
) -> None:
    container = running(engine, Memory=64 * M)
    before = host_config(engine, container)
    code, answer = update(engine, container, PidsLimit=99, **wanted)
    assert (code, answer["message"].removeprefix(f"Cannot update container {container}: ")) == (
        status,
        message,
    )
    assert host_config(engine, container) == before
    assert pids_max(engine, container) != "99"


def test_what_the_kernel_refuses_is_taken_back(engine: Engine) -> None:
    """A cpuset cannot shrink below what a cgroup inside of it uses."""
    container = running(engine, CpusetCpus="0-1", PidsLimit=10)
    pid = engine.api.inspect(container)["State"]["Pid"]
    own = [
        f"{root}{line.split(':', 2)[2]}"
        for root in hierarchies()
        if root.endswith("cpuset")
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        if line.split(":")[1] == "cpuset"
    ]
    if not own:
        pytest.skip("cgroup v2 lets a cpuset shrink in any case")
    below = Path(own[0], "below")
    below.mkdir()
    try:
        for name in ("cpuset.mems", "cpuset.cpus"):
            (below / name).write_text((Path(own[0]) / name).read_text())
        before = host_config(engine, container)
        code, answer = update(engine, container, PidsLimit=99, CpusetCpus="0")
        assert code == 500
        assert f"Cannot update container {container}: " in answer["message"]
        assert "cpuset.cpus" in answer["message"]
        assert host_config(engine, container) == before
        assert (Path(own[0]) / "cpuset.cpus").read_text().strip() == "0-1"
    finally:
        below.rmdir()


# Docker's daemon leaves what was written before the refusal, and says 500.
@pytest.mark.boxshipd
def test_nothing_is_left_of_an_update_that_the_kernel_refused(engine: Engine) -> None:
    container = running(engine, PidsLimit=10)
    if limit(engine, container, "memory.memsw.limit_in_bytes", "memory.max") == "max":
        pytest.skip("cgroup v2 refuses this before anything is written")
    shares = limit(engine, container, "cpu.shares", "cpu.weight")
    code, answer = update(engine, container, MemorySwap=100 * M, PidsLimit=99, CpuShares=7)
    assert code == 400
    assert "memory.memsw.limit_in_bytes: Invalid argument" in answer["message"]
    assert pids_max(engine, container) == "10"
    assert limit(engine, container, "cpu.shares", "cpu.weight") == shares


def test_the_restart_policy_is_changed(engine: Engine, docker: Cli) -> None:
    container = engine.api.create("phoenix", Cmd=["sleep", "1000"])
    engine.api.start(container)
    docker("update", "--restart=on-failure:4", "phoenix")
    policy = {"Name": "on-failure", "MaximumRetryCount": 4}
    assert host_config(engine, container)["RestartPolicy"] == policy
    docker("update", "--restart=always", "phoenix")
    first = engine.api.inspect(container)["State"]["StartedAt"]
    os.kill(engine.api.inspect(container)["State"]["Pid"], signal.SIGKILL)
    eventually(
        lambda: (
            engine.api.inspect(container)["State"]["StartedAt"] > first
            and engine.api.inspect(container)["State"]["Status"] == "running"
        ),
        "the next start",
    )
    docker("update", "--restart=no", "phoenix")
    os.kill(engine.api.inspect(container)["State"]["Pid"], signal.SIGKILL)
    eventually(
        lambda: engine.api.inspect(container)["State"]["Status"] == "exited", "the end for good"
    )


def test_a_container_that_removes_itself_gets_no_policy(engine: Engine, docker: Cli) -> None:
    running(engine, AutoRemove=True)
    refused = docker.run("update", "--restart=always", "worker")
    assert refused.code == 1
    assert "Restart policy cannot be updated because AutoRemove is enabled" in refused.err


def test_it_is_told(engine: Engine) -> None:
    container = running(engine)
    since = f"{time.time():.9f}"
    update(engine, container, PidsLimit=5)
    reply = engine.api.get(
        "/events", since=since, until=f"{time.time():.9f}", filters='{"event":["update"]}'
    )
    assert b'"update"' in reply.body
    assert container.encode() in reply.body


def test_warnings_and_unknown_containers(engine: Engine) -> None:
    running(engine)
    reply = engine.api.post("/containers/worker/update", {"KernelMemory": 100 * M})
    assert reply.status == 200
    (warning,) = reply.json()["Warnings"]
    assert "deprecated" in warning
    assert update(engine, "nobody", PidsLimit=5) == (
        404,
        {"message": "No such container: nobody"},
    )


@pytest.mark.boxshipd
def test_it_survives_the_daemon(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    engine.start()
    engine.load("busybox")
    container = running(engine)
    assert update(engine, container, PidsLimit=55, RestartPolicy={"Name": "on-failure"})[0] == 200
    engine.kill()
    engine.start()
    told = host_config(engine, container)
    assert (told["PidsLimit"], told["RestartPolicy"]["Name"]) == (55, "on-failure")
    assert pids_max(engine, container) == "55"
