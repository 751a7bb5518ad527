"""Limits in the language of cgroup v2's files. Pure.

Device rules have no file here: v2 wants a BPF program attached to the cgroup (``ebpf.py``). What
v2 has no word for is refused by its name in the specification.
"""

from __future__ import annotations

from boxship.base.errors import InvalidArgumentError
from boxship.oci.runtime import BlockIo, Cpu, HugepageLimit, Memory, Resources
from boxship.runtime.blueprint import CgroupWrite
from boxship.runtime.cgroups.v1 import rdma_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def writes(resources: Resources) -> Iterator[CgroupWrite]:
    """Yield what to write for ``resources``; InvalidArgumentError for what v2 does not have."""
    _refuse_v1_only(resources)
    if resources.memory:
        yield from _memory(resources.memory)
    if resources.cpu:
        yield from _cpu(resources.cpu)
    if resources.pids and resources.pids.limit:
        yield CgroupWrite("pids", "pids", "pids.max", _maximum(resources.pids.limit))
    if resources.block_io:
        yield from _block(resources.block_io)
    for page in resources.hugepage_limits:
        yield from hugepages(page)
    for device, limits in resources.rdma.items():
        yield CgroupWrite("rdma", "rdma", "rdma.max", rdma_line(device, limits))
    yield from unified(resources)


def hugepages(page: HugepageLimit) -> Iterator[CgroupWrite]:
    """Yield the limit for pages in use and for pages set aside."""
    for file in ("max", "rsvd.max"):
        name = f"hugetlb.{page.page_size}.{file}"
        yield CgroupWrite("hugetlb", "hugetlb", name, str(page.limit))


def unified(resources: Resources) -> Iterator[CgroupWrite]:
    """Yield what is given in v2's own words already."""
    for file, value in resources.unified.items():
        controller, dot, _ = file.partition(".")
        if "/" in file or not (controller and dot):
            raise InvalidArgumentError(
                f"linux.resources.unified.{file}: is not the name of a cgroup file"
            )
        yield CgroupWrite(file, "" if controller == "cgroup" else controller, file, value)


def weight_of_shares(shares: int) -> int:
    """Map v1's 2…262144 onto v2's 1…10000, linearly, as every runtime does."""
    return 1 + (max(2, min(shares, 262144)) - 2) * 9999 // 262142


def weight_of_block_weight(weight: int) -> int:
    """Map v1's 10…1000 onto v2's 1…10000, linearly."""
    return 1 + (weight - 10) * 9999 // 990


def _refuse_v1_only(resources: Resources) -> None:
    memory, cpu = resources.memory or Memory(), resources.cpu or Cpu()
    block = resources.block_io or BlockIo()
    leaves = any(each.leaf_weight is not None for each in block.weight_device)
    for field, is_set in (
        ("memory.kernel", memory.kernel),
        ("memory.kernelTCP", memory.kernel_tcp),
        ("memory.swappiness", memory.swappiness is not None),
        ("memory.disableOOMKiller", memory.disable_oom_killer),
        ("cpu.realtimeRuntime", cpu.realtime_runtime),
        ("cpu.realtimePeriod", cpu.realtime_period),
        ("blockIO.leafWeight", block.leaf_weight),
        ("blockIO.weightDevice.leafWeight", leaves),
        ("network", resources.network),
    ):
        if is_set:
            raise InvalidArgumentError(f"linux.resources.{field}: cgroup v2 has nothing like it")


def _maximum(value: int) -> str:
    return "max" if value < 0 else str(value)


def _memory(memory: Memory) -> Iterator[CgroupWrite]:
    if memory.limit:
        usage = "memory.current" if memory.check_before_update else ""
        yield CgroupWrite("memory", "memory", "memory.max", _maximum(memory.limit), usage)
    if memory.swap:
        # v1 and Docker count memory and swap together, v2 counts swap alone.
        if memory.swap > 0 and not memory.limit:
            raise InvalidArgumentError(
                "linux.resources.memory.swap: cannot be told without memory.limit on cgroup v2"
            )
        if 0 < memory.swap < (memory.limit or 0):
            raise InvalidArgumentError("linux.resources.memory.swap: is below memory.limit")
        alone = memory.swap if memory.swap < 0 else max(0, memory.swap - (memory.limit or 0))
        yield CgroupWrite("memory swap", "memory", "memory.swap.max", _maximum(alone))
    if memory.reservation:
        value = _maximum(memory.reservation)
        yield CgroupWrite("memory reservation", "memory", "memory.low", value)


def _cpu(cpu: Cpu) -> Iterator[CgroupWrite]:
    if cpu.shares:
        weight = str(weight_of_shares(cpu.shares))
        yield CgroupWrite("cpu shares", "cpu", "cpu.weight", weight)
    if cpu.quota or cpu.period:
        quota = _maximum(cpu.quota) if cpu.quota else "max"
        value = f"{quota} {cpu.period}" if cpu.period else quota
        yield CgroupWrite("cpu quota", "cpu", "cpu.max", value)
    if cpu.burst:
        yield CgroupWrite("cpu burst", "cpu", "cpu.max.burst", str(cpu.burst))
    if cpu.idle is not None:
        yield CgroupWrite("cpu idle", "cpu", "cpu.idle", str(cpu.idle))
    if cpu.cpus:
        yield CgroupWrite("cpuset cpus", "cpuset", "cpuset.cpus", cpu.cpus)
    if cpu.mems:
        yield CgroupWrite("cpuset mems", "cpuset", "cpuset.mems", cpu.mems)


def _block(block: BlockIo) -> Iterator[CgroupWrite]:
    if block.weight:
        weight = str(weight_of_block_weight(block.weight))
        yield CgroupWrite("blkio weight", "io", "io.weight", weight)
    for each in block.weight_device:
        if each.weight is not None:
            value = f"{each.major}:{each.minor} {weight_of_block_weight(each.weight)}"
            yield CgroupWrite("blkio weight of a device", "io", "io.weight", value)
    tables = (
        ("rbps", block.throttle_read_bps_device),
        ("wbps", block.throttle_write_bps_device),
        ("riops", block.throttle_read_iops_device),
        ("wiops", block.throttle_write_iops_device),
    )
    for kind, devices in tables:
        for device in devices:
            value = f"{device.major}:{device.minor} {kind}={device.rate}"
            yield CgroupWrite("blkio throttle", "io", "io.max", value)
