"""Limits in the language of cgroup v1's files. Pure."""

from collections.abc import Iterator

from boxship.oci.runtime import BlockIo, Cpu, DeviceRule, Memory, Resources, ThrottleDevice
from boxship.runtime.blueprint import CgroupWrite
from boxship.runtime.cgroups.layout import Layout


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
        file = f"hugetlb.{page.page_size}.limit_in_bytes"
        yield CgroupWrite("hugetlb", "hugetlb", file, str(page.limit))


def device_rule(rule: DeviceRule) -> str:
    """Write a rule as ``c 1:3 rwm``."""
    major = "*" if rule.major is None or rule.major < 0 else str(rule.major)
    minor = "*" if rule.minor is None or rule.minor < 0 else str(rule.minor)
    return f"{rule.type} {major}:{minor} {rule.access or 'rwm'}"


def _devices(rules: tuple[DeviceRule, ...]) -> Iterator[CgroupWrite]:
    for rule in rules:
        file = "devices.allow" if rule.allow else "devices.deny"
        yield CgroupWrite("devices", "devices", file, device_rule(rule))


def _memory(memory: Memory, layout: Layout) -> Iterator[CgroupWrite]:
    if memory.limit:
        yield CgroupWrite("memory", "memory", "memory.limit_in_bytes", str(memory.limit))
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
