"""Cgroups: planning for every kind of machine, trees of plain files, and limits that bind."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.oci import runtime as oci
from boxship.runtime.blueprint import CgroupDirectory, CgroupPlan, CgroupWrite, directory_of
from boxship.runtime.cgroups import control, tree, v2
from boxship.runtime.cgroups.layout import Hierarchy, Layout, find_layout, parse_layout
from boxship.runtime.cgroups.plan import plan_cgroup, plan_writes
from support.boxes import Box, Container, Outcome

HYBRID = """\
30 23 0:27 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
32 30 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
34 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
35 30 0:29 / /elsewhere/memory rw - cgroup cgroup rw,memory
"""
V2 = "31 30 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"


def test_a_hybrid_machine_is_read_from_mountinfo() -> None:
    layout = parse_layout(HYBRID)
    assert layout.version == 1
    assert layout.unified == "/sys/fs/cgroup/unified"
    assert layout.hierarchies == (
        Hierarchy("/sys/fs/cgroup/cpu,cpuacct", ("cpu", "cpuacct")),
        Hierarchy("/sys/fs/cgroup/memory", ("memory",)),
        Hierarchy("/sys/fs/cgroup/systemd", ()),
    )


def test_v2_alone_and_nothing_at_all() -> None:
    assert parse_layout(V2) == Layout((), "/sys/fs/cgroup")
    assert parse_layout(V2).version == 2
    assert parse_layout("") == Layout()


def test_a_plan_has_a_directory_everywhere() -> None:
    plan = plan_cgroup("/boxship/c1", oci.Resources(), parse_layout(HYBRID))
    assert [d.path for d in plan.directories] == [
        "/sys/fs/cgroup/cpu,cpuacct/boxship/c1",
        "/sys/fs/cgroup/memory/boxship/c1",
        "/sys/fs/cgroup/systemd/boxship/c1",
        "/sys/fs/cgroup/unified/boxship/c1",
    ]
    assert directory_of(plan, "cpuacct") == "/sys/fs/cgroup/cpu,cpuacct/boxship/c1"
    assert directory_of(plan, "") == "/sys/fs/cgroup/unified/boxship/c1"
    assert directory_of(plan, "pids") == ""


def test_a_limit_without_its_controller_is_refused() -> None:
    resources = oci.Resources(pids=oci.Pids(5), devices=(oci.DeviceRule(False),))
    message = "cannot set pids limit: container could not join or create cgroup"
    with pytest.raises(InvalidArgumentError, match=message):
        plan_cgroup("/x", resources, parse_layout(HYBRID))
    # Device rules are everybody's, so a machine that cannot have them is taken as it is.
    assert plan_writes(oci.Resources(devices=resources.devices), parse_layout(HYBRID)) == ()


RESOURCES = oci.Resources(
    devices=(oci.DeviceRule(False, access="rwm"), oci.DeviceRule(True, "c", 1, 3, "rw")),
    memory=oci.Memory(limit=100, swap=150, reservation=50, disable_oom_killer=True),
    cpu=oci.Cpu(shares=512, quota=50000, period=100000, cpus="0-1", mems="0"),
    pids=oci.Pids(-1),
    block_io=oci.BlockIo(weight=500, throttle_read_bps_device=(oci.ThrottleDevice(8, 0, 1024),)),
)
CONTROLLERS = ("memory", "cpu", "cpuset", "pids", "blkio", "devices", "io")


@pytest.mark.spec("linux.resources.memory.disableOOMKiller")
def test_limits_in_the_words_of_v1() -> None:
    layout = Layout(tuple(Hierarchy(f"/c/{name}", (name,)) for name in CONTROLLERS))
    layout = replace(layout, block_weight_file="blkio.weight")
    assert {f"{w.file}={w.value}" for w in plan_writes(RESOURCES, layout)} == {
        "devices.deny=a *:* rwm",
        "devices.allow=c 1:3 rw",
        "memory.limit_in_bytes=100",
        "memory.memsw.limit_in_bytes=150",
        "memory.soft_limit_in_bytes=50",
        "memory.oom_control=1",
        "cpu.shares=512",
        "cpu.cfs_period_us=100000",
        "cpu.cfs_quota_us=50000",
        "cpuset.cpus=0-1",
        "cpuset.mems=0",
        "pids.max=max",
        "blkio.weight=500",
        "blkio.throttle.read_bps_device=8:0 1024",
    }


@pytest.mark.spec("linux.resources.memory.reservation")
def test_limits_in_the_words_of_v2() -> None:
    layout = Layout((), "/c", CONTROLLERS)
    memory = oci.Memory(limit=100, swap=150, reservation=50)
    resources = replace(RESOURCES, unified={"memory.high": "90"}, memory=memory)
    assert {f"{w.file}={w.value}" for w in plan_writes(resources, layout)} == {
        "memory.max=100",
        "memory.swap.max=50",
        "memory.low=50",
        "cpu.weight=20",
        "cpu.max=50000 100000",
        "cpuset.cpus=0-1",
        "cpuset.mems=0",
        "pids.max=max",
        "io.weight=4950",
        "io.max=8:0 rbps=1024",
        "memory.high=90",
    }


@pytest.mark.parametrize(
    ("shares", "weight"), [(2, 1), (1024, 39), (262144, 10000), (1, 1), (10**7, 10000)]
)
def test_shares_become_weights(shares: int, weight: int) -> None:
    assert v2.weight_of_shares(shares) == weight


def test_v2_controllers_are_enabled_down_to_the_parent(tmp_path: Path) -> None:
    """On a tree of plain files, which keep the last of what is written to them."""
    (tmp_path / "a/b").mkdir(parents=True)
    for directory in (tmp_path, tmp_path / "a", tmp_path / "a/b"):
        (directory / "cgroup.subtree_control").write_text("")
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory")
    wanted = CgroupDirectory(str(tmp_path), f"{tmp_path}/a/b/c", ("memory", "pids"), unified=True)
    tree.create(CgroupPlan((wanted,)))
    assert (tmp_path / "a/b/c").is_dir()
    for directory in (tmp_path, tmp_path / "a", tmp_path / "a/b"):
        assert "+pids" in (directory / "cgroup.subtree_control").read_text()


def test_a_v1_cpuset_is_seeded_from_above(tmp_path: Path) -> None:
    def fill(directory: Path, value: str) -> None:
        for name in ("cpuset.cpus", "cpuset.mems", "cgroup.clone_children"):
            (directory / name).write_text(value)

    (tmp_path / "a/b").mkdir(parents=True)
    fill(tmp_path, "0-3")
    fill(tmp_path / "a", "")
    fill(tmp_path / "a/b", "")
    tree.create(CgroupPlan((CgroupDirectory(str(tmp_path), f"{tmp_path}/a/b", ("cpuset",)),)))
    assert (tmp_path / "a/cpuset.cpus").read_text() == "0-3"
    assert (tmp_path / "a/b/cpuset.mems").read_text() == "0-3"
    assert (tmp_path / "a/cgroup.clone_children").read_text() == "1"


def test_a_limit_the_kernel_refuses_is_named(tmp_path: Path) -> None:
    directory = CgroupDirectory(str(tmp_path), str(tmp_path), ("pids",))
    write = CgroupWrite("pids", "pids", "pids.max", "5")
    with pytest.raises(tree.CgroupError, match="cannot set pids limit"):
        tree.create(CgroupPlan((directory,), (write,)))


@pytest.mark.privileged
def test_this_machine() -> None:
    layout = find_layout()
    assert layout.hierarchies or layout.unified
    for hierarchy in layout.hierarchies:
        assert os.path.exists(f"{hierarchy.mount}/cgroup.procs")


@pytest.mark.spec("linux.resources.memory.limit", "linux.resources.memory.swap")
@pytest.mark.privileged
def test_a_memory_limit_kills_and_is_counted(box: Box) -> None:
    memory = oci.Memory(limit=8 << 20, swap=8 << 20)
    box.change_linux(resources=replace(box.spec.linux.resources, memory=memory))

    def work(container: Container) -> tuple[Outcome, int]:
        hungry = container.execute("sh", "-c", "x=a; while :; do x=$x$x; done")
        return hungry, control.oom_kills(container.plan.cgroup)

    hungry, kills = box.with_running(work)
    assert hungry.status == -9
    assert kills == 1


@pytest.mark.spec("linux.resources.pids.limit")
@pytest.mark.privileged
def test_a_pids_limit_binds(box: Box) -> None:
    box.change_linux(resources=replace(box.spec.linux.resources, pids=oci.Pids(3)))
    result = box.run("sh", "-c", "sleep 1000 & sleep 1000 & sleep 1000 & echo not reached")
    assert "can't fork" in result.errors
    assert "not reached" not in result.output


@pytest.mark.spec(
    "linux.resources.cpu.cpus",
    "linux.resources.cpu.quota",
    "linux.resources.cpu.period",
    "linux.resources.cpu.shares",
)
@pytest.mark.privileged
def test_a_cpuset_and_cpu_limits_bind(box: Box) -> None:
    cpu = oci.Cpu(shares=512, quota=20000, period=100000, cpus="0")
    box.change_linux(resources=replace(box.spec.linux.resources, cpu=cpu))

    def work(container: Container) -> tuple[str, dict[str, str]]:
        cpus = container.execute("grep", "Cpus_allowed_list", "/proc/self/status").output
        cgroup = container.plan.cgroup
        values = {
            file: tree.read_file(f"{directory_of(cgroup, 'cpu')}/{file}").strip()
            for file in ("cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us")
            if box.host.layout.version == 1
        }
        return cpus, values

    cpus, values = box.with_running(work)
    assert cpus.split()[-1] == "0"
    if box.host.layout.version == 1:
        assert list(values.values()) == ["512", "20000", "100000"]


@pytest.mark.privileged
@pytest.mark.skipif(find_layout().version == 2, reason="needs a BPF program on v2")
def test_device_rules_bind_even_for_a_node_of_ones_own_making(box: Box) -> None:
    result = box.run(
        "sh",
        "-c",
        "mknod /tmp/loop c 10 237 && echo made; head -c 1 /tmp/loop; head -c 1 /dev/zero | wc -c",
    )
    assert result.output == "made\n1\n"
    assert "/tmp/loop: Operation not permitted" in result.errors


@pytest.mark.privileged
def test_limits_can_be_moved_both_ways(box: Box) -> None:
    first = oci.Memory(limit=16 << 20, swap=32 << 20)
    box.change_linux(resources=replace(box.spec.linux.resources, memory=first))

    def work(container: Container) -> list[str]:
        cgroup, layout, seen = container.plan.cgroup, box.host.layout, []
        for limit in (64 << 20, 8 << 20):
            wanted = oci.Resources(memory=oci.Memory(limit=limit, swap=limit))
            writes = plan_writes(wanted, layout)
            tree.apply_writes(cgroup, writes)
            seen += [
                tree.read_file(f"{directory_of(cgroup, w.controller)}/{w.file}") for w in writes
            ]
        return [text.strip() for text in seen]

    seen = box.with_running(work)
    if find_layout().version == 1:
        assert seen == [str(64 << 20)] * 2 + [str(8 << 20)] * 2


@pytest.mark.privileged
def test_pause_and_resume(box: Box) -> None:
    def work(container: Container) -> tuple[bool, bool, int, int]:
        cgroup = container.plan.cgroup
        control.pause(cgroup)
        paused = control.is_paused(cgroup)
        state = Path(f"/proc/{container.spawned.pid}/wchan").read_text()
        control.resume(cgroup)
        return paused, control.is_paused(cgroup), len(control.processes(cgroup)), len(state)

    assert box.with_running(work)[:3] == (True, False, 1)


@pytest.mark.privileged
def test_even_a_paused_container_is_destroyed_with_all_below_it(box: Box) -> None:
    """With processes outside of its pid namespace's reach, and cgroups it has made itself."""
    kept = tuple(n for n in box.spec.linux.namespaces if n.type != "pid")
    box.change_linux(namespaces=kept)

    def work(container: Container) -> tuple[CgroupPlan, tuple[int, ...]]:
        cgroup = container.plan.cgroup
        container.execute("sh", "-c", "for i in 1 2 3; do setsid sleep 1000 >/dev/null 2>&1 & done")
        for directory in cgroup.directories:
            os.makedirs(f"{directory.path}/made/inside", exist_ok=True)
        control.pause(cgroup)
        inside = control.processes(cgroup)
        control.kill_and_remove(cgroup)
        control.kill_and_remove(cgroup)
        return cgroup, inside

    cgroup, inside = box.with_running(work)
    assert len(inside) == 4
    assert not [d.path for d in cgroup.directories if os.path.exists(d.path)]


@pytest.mark.privileged
def test_a_failed_start_leaves_no_cgroup(box: Box) -> None:
    before = {name for d in box.planned("true").cgroup.directories for name in os.listdir(d.mount)}
    assert box.run("nosuch").failure is not None
    after = {name for d in box.planned("true").cgroup.directories for name in os.listdir(d.mount)}
    assert not [name for name in after - before if name.startswith(box.name)]
