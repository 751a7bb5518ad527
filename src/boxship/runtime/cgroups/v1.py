"""Limits in the language of cgroup v1's files. Pure."""

from __future__ import annotations

from boxship.oci.runtime import (
    BlockIo,
    Cpu,
    DeviceRule,
    Memory,
    Network,
    Rdma,
    Resources,
    ThrottleDevice,
)
from boxship.runtime.blueprint import CgroupWrite
from boxship.runtime.cgroups.layout import Layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def writes(resources: Resources, layout: Layout) -> Iterator[CgroupWrite]:
    """Yield what to write for ``resources``, in the order the kernel needs."""
    yield from _devices(resources.devices)
    if resources.memory:
        yield from _memory(resources.memory, layout)
    if resources.cpu:
        yield from _cpu(resources.cpu)
    if resources.pids and resources.pids.limit:
        value = "max" if resources.pids.limit < 0 else str(resources.pids.limit)
        yield CgroupWrite("pids", "pids", "pids.max", value)
    if resources.block_io:
        yield from _block(resources.block_io, layout)
    for page in resources.hugepage_limits:
        for file in ("limit_in_bytes", "rsvd.limit_in_bytes"):
            name = f"hugetlb.{page.page_size}.{file}"
            yield CgroupWrite("hugetlb", "hugetlb", name, str(page.limit))
    for device, limits in resources.rdma.items():
        yield CgroupWrite("rdma", "rdma", "rdma.max", rdma_line(device, limits))
    if resources.network:
        yield from _network(resources.network)


def rdma_line(device: str, limits: Rdma) -> str:
    """Write limits as ``mlx4_0 hca_handle=2 hca_object=2000``, the same in both versions."""
    pairs = (("hca_handle", limits.hca_handles), ("hca_object", limits.hca_objects))
    return " ".join([device, *(f"{name}={value}" for name, value in pairs if value is not None)])


def device_rule(rule: DeviceRule) -> str:
    """Write a rule as ``c 1:3 rwm``."""
    major = "*" if rule.major is None or rule.major < 0 else str(rule.major)
    minor = "*" if rule.minor is None or rule.minor < 0 else str(rule.minor)
    return f"{rule.type} {major}:{minor} {rule.access or 'rwm'}"


def _devices(rules: tuple[DeviceRule, ...]) -> Iterator[CgroupWrite]:
    for rule in rules:
        file = "devices.allow" if rule.allow else "devices.deny"
        yield CgroupWrite("devices", "devices", file, device_rule(rule))


def _network(network: Network) -> Iterator[CgroupWrite]:
    if network.class_id is not None:
        yield CgroupWrite("net_cls", "net_cls", "net_cls.classid", str(network.class_id))
    for each in network.priorities:
        line = f"{each.name} {each.priority}"
        yield CgroupWrite("net_prio", "net_prio", "net_prio.ifpriomap", line)


def _memory(memory: Memory, layout: Layout) -> Iterator[CgroupWrite]:
    if memory.use_hierarchy:
        yield CgroupWrite("memory hierarchy", "memory", "memory.use_hierarchy", "1")
    if memory.limit:
        usage = "memory.usage_in_bytes" if memory.check_before_update else ""
        yield CgroupWrite("memory", "memory", "memory.limit_in_bytes", str(memory.limit), usage)
    for name, file, value in (
        ("kernel memory", "memory.kmem.limit_in_bytes", memory.kernel),
        ("kernel TCP memory", "memory.kmem.tcp.limit_in_bytes", memory.kernel_tcp),
    ):
        if value:
            yield CgroupWrite(name, "memory", file, str(value))
    if memory.swap and layout.swap_accounting:
        file = "memory.memsw.limit_in_bytes"
        yield CgroupWrite("memory swap", "memory", file, str(memory.swap))
    if memory.reservation:
        file = "memory.soft_limit_in_bytes"
        yield CgroupWrite("memory reservation", "memory", file, str(memory.reservation))
    if memory.swappiness is not None:
        file = "memory.swappiness"
        yield CgroupWrite("memory swappiness", "memory", file, str(memory.swappiness))
    if memory.disable_oom_killer:
        yield CgroupWrite("oom killer", "memory", "memory.oom_control", "1")


def _cpu(cpu: Cpu) -> Iterator[CgroupWrite]:
    times = (
        ("cpu shares", "cpu.shares", cpu.shares),
        ("cpu period", "cpu.cfs_period_us", cpu.period),
        ("cpu quota", "cpu.cfs_quota_us", cpu.quota),
        ("cpu burst", "cpu.cfs_burst_us", cpu.burst),
        ("cpu realtime period", "cpu.rt_period_us", cpu.realtime_period),
        ("cpu realtime runtime", "cpu.rt_runtime_us", cpu.realtime_runtime),
    )
    for limit, file, value in times:
        if value:
            yield CgroupWrite(limit, "cpu", file, str(value))
    if cpu.idle is not None:
        yield CgroupWrite("cpu idle", "cpu", "cpu.idle", str(cpu.idle))
    if cpu.cpus:
        yield CgroupWrite("cpuset cpus", "cpuset", "cpuset.cpus", cpu.cpus)
    if cpu.mems:
        yield CgroupWrite("cpuset mems", "cpuset", "cpuset.mems", cpu.mems)


def _block(block: BlockIo, layout: Layout) -> Iterator[CgroupWrite]:
    # The weight files come with the CFQ or BFQ scheduler; without them weights mean nothing.
    if block.weight and layout.block_weight_file:
        yield CgroupWrite("blkio weight", "blkio", layout.block_weight_file, str(block.weight))
    if block.leaf_weight:
        weight = str(block.leaf_weight)
        yield CgroupWrite("blkio leaf weight", "blkio", "blkio.leaf_weight", weight)
    for each in block.weight_device:
        node = f"{each.major}:{each.minor}"
        if each.weight is not None:
            file = f"{layout.block_weight_file or 'blkio.weight'}_device"
            yield CgroupWrite("blkio weight of a device", "blkio", file, f"{node} {each.weight}")
        if each.leaf_weight is not None:
            file, value = "blkio.leaf_weight_device", f"{node} {each.leaf_weight}"
            yield CgroupWrite("blkio leaf weight of a device", "blkio", file, value)
    tables: tuple[tuple[str, tuple[ThrottleDevice, ...]], ...] = (
        ("read_bps", block.throttle_read_bps_device),
        ("write_bps", block.throttle_write_bps_device),
        ("read_iops", block.throttle_read_iops_device),
        ("write_iops", block.throttle_write_iops_device),
    )
    for kind, devices in tables:
        for device in devices:
            value = f"{device.major}:{device.minor} {device.rate}"
            yield CgroupWrite("blkio throttle", "blkio", f"blkio.throttle.{kind}_device", value)
