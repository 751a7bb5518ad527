"""What an update makes of a host config, and which values it has the kernel write."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from boxship.base.errors import (
    BoxshipError,
    ConflictError,
    InvalidArgumentError,
    UnavailableError,
)
from boxship.engine.containers.paths import Paths
from boxship.engine.containers.planner import Planner
from boxship.engine.containers.record import ContainerRecord, ContainerState
from boxship.engine.containers.runtimes import Runtimes
from boxship.engine.containers.update import changed, merge
from boxship.engine.settings import Configured, EngineSettings
from boxship.model.container import ContainerConfig, HostConfig, RestartPolicy
from boxship.oci.runtime import Pids, Resources
from boxship.runtime.cgroups.layout import Hierarchy, Layout
from boxship.runtime.cgroups.plan import plan_writes
from boxship.runtime.cgroups.tree import CgroupError
from boxship.runtime.host import Host
from support.opened import engine_of_its_own, make

M = 1 << 20
V1 = Layout(
    tuple(
        Hierarchy(f"/c/{name}", (name,)) for name in ("memory", "cpu", "cpuset", "pids", "blkio")
    ),
    block_weight_file="blkio.bfq.weight",
)
V2 = Layout((), "/c", ("memory", "cpu", "cpuset", "pids", "io"))


def written(before: HostConfig, wanted: HostConfig, layout: Layout) -> list[str]:
    limits = changed(wanted, merge("c", before, wanted))
    return [f"{write.file}={write.value}" for write in plan_writes(limits, layout)]


CASES: list[tuple[dict[str, Any], dict[str, Any], list[str], list[str]]] = [
    ({}, {}, [], []),
    (
        {"memory": 64 * M, "memory_swap": 128 * M},
        {"memory": 32 * M},
        [f"memory.limit_in_bytes={32 * M}", f"memory.memsw.limit_in_bytes={128 * M}"],
        # v2 counts swap alone: with less memory there is more of it.
        [f"memory.max={32 * M}", f"memory.swap.max={96 * M}"],
    ),
    (
        {"memory": 64 * M, "memory_swap": 128 * M},
        {"memory_swap": -1},
        [f"memory.limit_in_bytes={64 * M}", "memory.memsw.limit_in_bytes=-1"],
        [f"memory.max={64 * M}", "memory.swap.max=max"],
    ),
    (
        {"memory": 64 * M, "memory_swap": 128 * M},
        {"memory_reservation": 20 * M},
        [f"memory.soft_limit_in_bytes={20 * M}"],
        [f"memory.low={20 * M}"],
    ),
    (
        {"cpu_period": 50_000, "cpu_quota": 25_000, "cpu_shares": 2},
        {"cpu_quota": 10_000},
        ["cpu.cfs_period_us=50000", "cpu.cfs_quota_us=10000"],
        ["cpu.max=10000 50000"],
    ),
    (
        {"nano_cpus": 10**9},
        {"nano_cpus": 5 * 10**8},
        ["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=50000"],
        ["cpu.max=50000 100000"],
    ),
    ({}, {"cpu_shares": 512}, ["cpu.shares=512"], ["cpu.weight=20"]),
    (
        {"cpuset_mems": "0"},
        {"cpuset_cpus": "0-1"},
        ["cpuset.cpus=0-1"],
        ["cpuset.cpus=0-1"],
    ),
    ({"pids_limit": 10}, {"pids_limit": 20}, ["pids.max=20"], ["pids.max=20"]),
    ({"pids_limit": 10}, {"pids_limit": 0}, ["pids.max=max"], ["pids.max=max"]),
    ({"pids_limit": 10}, {"pids_limit": -1}, ["pids.max=max"], ["pids.max=max"]),
    ({}, {"blkio_weight": 10}, ["blkio.bfq.weight=10"], ["io.weight=1"]),
    ({}, {"restart_policy": RestartPolicy("always")}, [], []),
]


@pytest.mark.parametrize(("before", "wanted", "v1", "v2"), CASES)
def test_what_is_written(
    before: dict[str, Any], wanted: dict[str, Any], v1: list[str], v2: list[str]
) -> None:
    assert written(HostConfig(**before), HostConfig(**wanted), V1) == v1
    assert written(HostConfig(**before), HostConfig(**wanted), V2) == v2


def test_what_is_not_said_stays() -> None:
    before = HostConfig(
        memory=64 * M,
        memory_swap=-1,
        cpu_shares=7,
        cpuset_cpus="0",
        pids_limit=5,
        restart_policy=RestartPolicy("on-failure", 3),
        binds=("/a:/b",),
    )
    assert merge("c", before, HostConfig()) == before
    after = merge("c", before, HostConfig(pids_limit=0, restart_policy=RestartPolicy("no")))
    expected = {"pids_limit": 0, "restart_policy": RestartPolicy("no")}
    assert after == msgspec.structs.replace(before, **expected)


REFUSED: list[tuple[dict[str, Any], dict[str, Any], type[BoxshipError], str]] = [
    (
        {"memory": 32 * M, "memory_swap": 64 * M},
        {"memory": 65 * M},
        ConflictError,
        "Cannot update container c: Memory limit should be smaller than already set memoryswap "
        "limit, update the memoryswap at the same time",
    ),
    (
        {"memory": 32 * M, "memory_swap": 64 * M},
        {"memory_swap": 31 * M},
        InvalidArgumentError,
        "Minimum memoryswap limit should be larger than memory limit, see usage",
    ),
    (
        {"cpu_period": 50_000},
        {"nano_cpus": 10**9},
        ConflictError,
        "Cannot update container c: Conflicting options: Nano CPUs cannot be updated as CPU Period "
        "has already been set",
    ),
    (
        {"cpu_quota": 50_000},
        {"nano_cpus": 10**9},
        ConflictError,
        "Cannot update container c: Conflicting options: Nano CPUs cannot be updated as CPU Quota "
        "has already been set",
    ),
    (
        {"nano_cpus": 10**9},
        {"cpu_period": 50_000},
        ConflictError,
        "Cannot update container c: Conflicting options: CPU Period cannot be updated as NanoCPUs "
        "has already been set",
    ),
    (
        {"nano_cpus": 10**9},
        {"cpu_quota": 50_000},
        ConflictError,
        "Cannot update container c: Conflicting options: CPU Quota cannot be updated as NanoCPUs "
        "has already been set",
    ),
    (
        {"auto_remove": True},
        {"restart_policy": RestartPolicy("always")},
        ConflictError,
        "Cannot update container c: Restart policy cannot be updated because AutoRemove is enabled "
        "for the container",
    ),
]


@pytest.mark.parametrize(("before", "wanted", "kind", "message"), REFUSED)
def test_what_does_not_go_with_what_is_set(
    before: dict[str, Any], wanted: dict[str, Any], kind: type[BoxshipError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        merge("c", HostConfig(**before), HostConfig(**wanted))
    assert str(caught.value) == message


def test_a_container_that_removes_itself_may_have_no_policy() -> None:
    before = HostConfig(auto_remove=True)
    assert merge("c", before, HostConfig(restart_policy=RestartPolicy("no"))).auto_remove


@pytest.mark.privileged
def test_a_record_that_cannot_be_written_takes_the_limits_back() -> None:
    async def scene() -> None:
        async with engine_of_its_own() as (engine, _), asyncio.timeout(60):
            container = await make(engine, "sleep", "1000", host=HostConfig(pids_limit=10))
            await engine.containers.start(container)
            try:
                before = limit_of(engine.containers.get(container).state.pid)
                shelf = engine.containers._context.shelf

                async def refuse(*_: object) -> None:
                    assert limit_of(engine.containers.get(container).state.pid) == "99"
                    raise UnavailableError("the disk is full")

                shelf.save_durable = refuse  # type: ignore[method-assign]
                with pytest.raises(UnavailableError):
                    await engine.containers.update(container, HostConfig(pids_limit=99))
                del shelf.save_durable
                assert limit_of(engine.containers.get(container).state.pid) == before == "10"
                assert engine.containers.get(container).host.pids_limit == 10
            finally:
                await engine.containers.remove(container, force=True)

    asyncio.run(scene())


def limit_of(pid: int) -> str:
    """Read the limit of processes from the container's cgroup."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for root in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup"):
            file = Path(f"{root}{path}/pids.max")
            if controllers in ("pids", "") and file.exists():
                return file.read_text().strip()
    raise AssertionError("no limit of processes")


def test_systemd_must_know_of_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for session in ("SYSTEM", "SESSION"):
        monkeypatch.setenv(f"DBUS_{session}_BUS_ADDRESS", "unix:path=/nosuch/bus")
    limit = tmp_path / "system.slice" / "boxship-c.scope" / "pids.max"
    limit.parent.mkdir(parents=True)
    limit.write_text("10")
    planner = Planner(
        Configured(EngineSettings(systemd_cgroups=True)),
        Paths("/nosuch", "/nosuch"),
        Host(Layout((Hierarchy(str(tmp_path), ("pids",)),))),
        Runtimes("boxship", {}),
    )
    record = ContainerRecord(
        id="c",
        name="c",
        created_ns=1,
        image_id="",
        path="true",
        args=(),
        config=ContainerConfig(),
        host=HostConfig(pids_limit=10),
        state=ContainerState(),
    )
    with pytest.raises(CgroupError, match=r"cannot change the unit boxship-c\.scope"):
        asyncio.run(planner.change_limits(record, Resources(pids=Pids(99))))
    assert limit.read_text().strip() == "10"
