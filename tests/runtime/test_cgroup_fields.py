"""Limits beyond the usual: every field of the specification, on trees of plain files."""

from dataclasses import replace
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.oci import runtime as oci
from boxship.runtime.blueprint import CgroupDirectory, CgroupPlan, CgroupWrite
from boxship.runtime.cgroups import tree
from boxship.runtime.cgroups.layout import Hierarchy, Layout
from boxship.runtime.cgroups.plan import (
    plan_cgroup,
    plan_writes,
    with_resctrl,
)
from boxship.runtime.cgroups.units import bits, limits, plan_scope, slice_path

NAMES = ("memory", "cpu", "cpuset", "pids", "blkio", "hugetlb", "rdma", "net_cls", "net_prio")
V1 = Layout(tuple(Hierarchy(f"/c/{name}", (name,)) for name in NAMES), "/c/unified")
V1 = replace(V1, block_weight_file="blkio.bfq.weight")
V2 = Layout((), "/c", ("memory", "cpu", "cpuset", "pids", "io", "hugetlb", "rdma"))

RESOURCES = oci.Resources(
    memory=oci.Memory(
        limit=100, kernel=50, kernel_tcp=60, swappiness=7, use_hierarchy=True,
        check_before_update=True,
    ),
    cpu=oci.Cpu(
        burst=1000, realtime_runtime=100, realtime_period=1000, idle=1, shares=1024, mems="0"
    ),
    block_io=oci.BlockIo(
        weight=100, leaf_weight=10,
        weight_device=(oci.WeightDevice(8, 0, 200, 20),),
        throttle_write_bps_device=(oci.ThrottleDevice(8, 0, 2),),
        throttle_read_iops_device=(oci.ThrottleDevice(8, 0, 3),),
        throttle_write_iops_device=(oci.ThrottleDevice(8, 0, 4),),
    ),
    hugepage_limits=(oci.HugepageLimit("2MB", 4 << 20),),
    rdma={"mlx5_0": oci.Rdma(2, 2000), "mlx5_1": oci.Rdma(hca_objects=5)},
    network=oci.Network(1048577, (oci.InterfacePriority("eth0", 500),)),
)  # fmt: skip


def words(resources: oci.Resources, layout: Layout) -> set[str]:
    return {f"{write.file}={write.value}" for write in plan_writes(resources, layout)}


@pytest.mark.spec(
    "linux.resources.blockIO",
    "linux.resources.memory.swappiness",
    "linux.resources.memory.useHierarchy",
    "linux.resources.memory.kernel",
    "linux.resources.memory.kernelTCP",
    "linux.resources.cpu.burst",
    "linux.resources.cpu.mems",
    "linux.resources.cpu.idle",
    "linux.resources.cpu.realtimePeriod",
    "linux.resources.cpu.realtimeRuntime",
    "linux.resources.network",
    "linux.resources.hugepageLimits",
    "linux.resources.rdma",
)
def test_v1_has_a_word_for_everything() -> None:
    assert words(RESOURCES, V1) == {
        "memory.use_hierarchy=1",
        "memory.limit_in_bytes=100",
        "memory.kmem.limit_in_bytes=50",
        "memory.kmem.tcp.limit_in_bytes=60",
        "memory.swappiness=7",
        "cpu.shares=1024",
        "cpu.cfs_burst_us=1000",
        "cpu.rt_period_us=1000",
        "cpu.rt_runtime_us=100",
        "cpu.idle=1",
        "cpuset.mems=0",
        "blkio.bfq.weight=100",
        "blkio.leaf_weight=10",
        "blkio.bfq.weight_device=8:0 200",
        "blkio.leaf_weight_device=8:0 20",
        "blkio.throttle.write_bps_device=8:0 2",
        "blkio.throttle.read_iops_device=8:0 3",
        "blkio.throttle.write_iops_device=8:0 4",
        "hugetlb.2MB.limit_in_bytes=4194304",
        "hugetlb.2MB.rsvd.limit_in_bytes=4194304",
        "rdma.max=mlx5_0 hca_handle=2 hca_object=2000",
        "rdma.max=mlx5_1 hca_object=5",
        "net_cls.classid=1048577",
        "net_prio.ifpriomap=eth0 500",
    }


@pytest.mark.spec("linux.resources.unified", "linux.resources.rdma")
def test_v2_has_one_for_most() -> None:
    resources = replace(
        RESOURCES,
        memory=oci.Memory(limit=100, swap=-1, reservation=-1, use_hierarchy=True),
        cpu=oci.Cpu(period=5000, burst=10, idle=0),
        block_io=replace(
            RESOURCES.block_io or oci.BlockIo(),
            leaf_weight=None,
            weight_device=(oci.WeightDevice(8, 0, 200),),
        ),
        network=None,
        unified={"cgroup.freeze": "0", "memory.high": "9"},
    )
    assert words(resources, V2) == {
        "memory.max=100",
        "memory.swap.max=max",
        "memory.low=max",
        "cpu.max=max 5000",
        "cpu.max.burst=10",
        "cpu.idle=0",
        "io.weight=910",
        "io.weight=8:0 1920",
        "io.max=8:0 wbps=2",
        "io.max=8:0 riops=3",
        "io.max=8:0 wiops=4",
        "hugetlb.2MB.max=4194304",
        "hugetlb.2MB.rsvd.max=4194304",
        "rdma.max=mlx5_0 hca_handle=2 hca_object=2000",
        "rdma.max=mlx5_1 hca_object=5",
        "cgroup.freeze=0",
        "memory.high=9",
    }


@pytest.mark.parametrize(
    ("resources", "field"),
    [
        (oci.Resources(memory=oci.Memory(kernel=1)), "memory.kernel"),
        (oci.Resources(memory=oci.Memory(kernel_tcp=1)), "memory.kernelTCP"),
        (oci.Resources(memory=oci.Memory(swappiness=0)), "memory.swappiness"),
        (oci.Resources(memory=oci.Memory(disable_oom_killer=True)), "memory.disableOOMKiller"),
        (oci.Resources(memory=oci.Memory(swap=5)), "memory.swap"),
        (oci.Resources(memory=oci.Memory(limit=9, swap=5)), "memory.swap"),
        (oci.Resources(cpu=oci.Cpu(realtime_runtime=1)), "cpu.realtimeRuntime"),
        (oci.Resources(cpu=oci.Cpu(realtime_period=1)), "cpu.realtimePeriod"),
        (oci.Resources(block_io=oci.BlockIo(leaf_weight=10)), "blockIO.leafWeight"),
        (oci.Resources(network=oci.Network(1)), "network"),
        (oci.Resources(unified={"../x": "1"}), "unified"),
        (oci.Resources(hugepage_limits=(oci.HugepageLimit("2XB", 1),)), "hugepageLimits"),
    ],
)
def test_what_v2_does_not_have_is_refused_by_name(resources: oci.Resources, field: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"linux.resources.{field}"):
        plan_writes(resources, V2)


@pytest.mark.spec("linux.resources.hugepageLimits")
def test_hugepages_of_a_hybrid_machine_are_v2s() -> None:
    layout = Layout((Hierarchy("/c/cpu", ("cpu",)),), "/c/unified", ("hugetlb",))
    resources = oci.Resources(hugepage_limits=RESOURCES.hugepage_limits)
    plan = plan_cgroup("/x", resources, layout)
    assert [write.file for write in plan.writes] == ["hugetlb.2MB.max", "hugetlb.2MB.rsvd.max"]
    assert plan.directories[-1].controllers == ("hugetlb",)
    assert plan_cgroup("/x", oci.Resources(), layout).directories[-1].controllers == ()
    with pytest.raises(InvalidArgumentError, match=r"linux\.resources\.unified"):
        plan_writes(oci.Resources(unified={"memory.high": "1"}), Layout(layout.hierarchies))


@pytest.mark.spec("linux.resources.memory.checkBeforeUpdate")
def test_a_limit_below_use_is_refused_when_asked_to(tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text("500\n")
    (tmp_path / "memory.max").write_text("max")
    directory = CgroupDirectory(str(tmp_path), str(tmp_path), ("memory",))
    low = CgroupWrite("memory", "memory", "memory.max", "400", "memory.current")
    plan = CgroupPlan((directory,))
    with pytest.raises(tree.CgroupError, match="500 bytes are in use"):
        tree.apply_writes(plan, (low,))
    assert (tmp_path / "memory.max").read_text() == "max"
    tree.apply_writes(plan, (replace(low, value="600"),))
    assert (tmp_path / "memory.max").read_text().startswith("600")


@pytest.mark.spec("linux.intelRdt")
def test_resctrl_is_a_group_to_join(tmp_path: Path) -> None:
    wanted = oci.IntelRdt(
        schemata=("L3:0=f",), l3_cache_schema="L3:1=f", mem_bw_schema="MB:0=50",
        enable_monitoring=True,
    )  # fmt: skip
    plan = with_resctrl(CgroupPlan(), wanted, "c1", str(tmp_path))
    for directory in plan.directories:
        Path(directory.path).mkdir(parents=True)
        Path(directory.path, "tasks").write_text("")
    Path(tmp_path, "c1", "schemata").write_text("")
    tree.create(plan)
    tree.join(plan)
    assert [d.path for d in plan.directories] == [f"{tmp_path}/c1", f"{tmp_path}/c1/mon_groups/c1"]
    assert [w.value for w in plan.writes] == ["L3:0=f\n", "L3:1=f\n", "MB:0=50\n"]
    assert (tmp_path / "c1/mon_groups/c1/tasks").read_text() == "0"
    shared = with_resctrl(CgroupPlan(), oci.IntelRdt("gold"), "c1", str(tmp_path))
    (tmp_path / "gold").mkdir()
    assert tree.remove(shared) == ()
    assert (tmp_path / "gold").is_dir()
    with pytest.raises(InvalidArgumentError, match="closID"):
        with_resctrl(CgroupPlan(), oci.IntelRdt("../x"), "c1", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "path"),
    [("a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice"), ("user.slice", "/user.slice"),
     ("-.slice", "")],
)  # fmt: skip
def test_where_slices_are(name: str, path: str) -> None:
    assert slice_path(name) == path


@pytest.mark.spec("linux.cgroupsPath")
def test_a_scope_has_the_limits_as_properties() -> None:
    resources = oci.Resources(
        memory=oci.Memory(limit=100), cpu=oci.Cpu(shares=1024, quota=50_000, period=100_000),
        pids=oci.Pids(-1),
    )  # fmt: skip
    plan = plan_scope("pod-x.slice:cri:abc", "abc", resources, V2)
    assert plan.directories[0].path == "/c/pod.slice/pod-x.slice/cri-abc.scope"
    assert plan.scope is not None
    assert (plan.scope.unit, plan.scope.parent) == ("cri-abc.scope", "pod-x.slice")
    properties = {name: text for name, _, text in plan.scope.properties}
    assert properties["MemoryMax"] == "100"
    assert properties["CPUWeight"] == "39"
    assert properties["CPUQuotaPerSecUSec"] == "500000"
    assert properties["TasksMax"] == str(2**64 - 1)
    assert properties["Delegate"] == "true"
    assert "DevicePolicy" not in properties
    assert (
        plan_scope("", "abc", oci.Resources(), V2)
        .directories[0]
        .path.endswith("/system.slice/boxship-abc.scope")
    )


def test_a_scope_has_the_devices_that_are_left_after_all_rules() -> None:
    rules = (
        oci.DeviceRule(allow=False, access="rwm"),
        oci.DeviceRule(allow=True, type="c", access="m"),
        oci.DeviceRule(allow=True, type="c", major=136, access="rwm"),
        oci.DeviceRule(allow=True, type="c", major=1, minor=3, access="rwm"),
        oci.DeviceRule(allow=True, type="b", major=8, minor=0, access="rw"),
        oci.DeviceRule(allow=False, type="b", major=8, minor=0, access="w"),
    )
    scope = plan_scope("", "abc", oci.Resources(devices=rules), V2).scope
    assert scope is not None
    properties = {name: (kind, text) for name, kind, text in scope.properties}
    assert properties["DevicePolicy"] == ("s", "strict")
    lines = "c * * m\nc 136 * rwm\nc 1 3 rwm\nb 8 0 r"
    assert properties["DeviceAllow"] == ("a(ss)", lines)


def test_systemd_is_told_of_what_v2_counts_otherwise() -> None:
    resources = oci.Resources(
        memory=oci.Memory(limit=100, swap=150, reservation=50), cpu=oci.Cpu(cpus="0-2,8", mems="0"),
        unified={"memory.high": "77", "pids.max": "max", "io.max": "8:0 rbps=1"},
    )  # fmt: skip
    assert {name: text for name, _, text in limits(resources, V2)} == {
        "MemoryMax": "100", "MemoryLow": "50", "MemorySwapMax": "50",
        "AllowedCPUs": "0701", "AllowedMemoryNodes": "01",
        "MemoryHigh": "77", "TasksMax": str(2**64 - 1),
    }  # fmt: skip
    assert bits("9") == b"\0\x02"
    with pytest.raises(InvalidArgumentError, match=r"resources\.cpu"):
        bits("3-1")


@pytest.mark.parametrize("path", ["/a/b", "a:b", "a:b:c", "a--b.slice:x:y"])
def test_a_path_that_systemd_cannot_have(path: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"linux\.cgroupsPath"):
        plan_scope(path, "abc", oci.Resources(), V2)
