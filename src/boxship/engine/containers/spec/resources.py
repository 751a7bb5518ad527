"""Limits: from a host config to the spec's resources."""

import os

from msgspec import UNSET

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.spec.devices import device_rules
from boxship.model.container import HostConfig
from boxship.model.container import ThrottleDevice as AskedThrottle
from boxship.oci.runtime import (
    BlockIo,
    Cpu,
    Device,
    Memory,
    Pids,
    Resources,
    ThrottleDevice,
    WeightDevice,
)

_CPU_PERIOD = 100_000


def resources(host: HostConfig, devices: tuple[Device, ...]) -> Resources:
    """Return everything that goes into cgroups."""
    return Resources(
        devices=device_rules(host, devices),
        memory=_memory(host),
        cpu=_cpu(host),
        pids=Pids(host.pids_limit) if host.pids_limit else None,
        block_io=_block_io(host),
    )


def _memory(host: HostConfig) -> Memory | None:
    memory = Memory(
        limit=host.memory or None,
        reservation=host.memory_reservation or None,
        swap=host.memory_swap or None,
        kernel_tcp=None if host.kernel_memory_tcp is UNSET else host.kernel_memory_tcp or None,
        swappiness=host.memory_swappiness if (host.memory_swappiness or 0) >= 0 else None,
        disable_oom_killer=bool(host.oom_kill_disable),
    )
    return None if memory == Memory() else memory


def _cpu(host: HostConfig) -> Cpu | None:
    period, quota = host.cpu_period, host.cpu_quota
    if host.nano_cpus:
        period, quota = _CPU_PERIOD, host.nano_cpus * _CPU_PERIOD // 10**9
    cpu = Cpu(
        shares=host.cpu_shares or None,
        quota=quota or None,
        period=period or None,
        realtime_runtime=host.cpu_realtime_runtime or None,
        realtime_period=host.cpu_realtime_period or None,
        cpus=host.cpuset_cpus,
        mems=host.cpuset_mems,
    )
    return None if cpu == Cpu() else cpu


def _block_io(host: HostConfig) -> BlockIo | None:
    block_io = BlockIo(
        weight=host.blkio_weight or None,
        weight_device=tuple(
            WeightDevice(*_numbers(device.path), weight=device.weight)
            for device in host.blkio_weight_device or ()
        ),
        throttle_read_bps_device=_throttles(host.blkio_device_read_bps),
        throttle_write_bps_device=_throttles(host.blkio_device_write_bps),
        throttle_read_iops_device=_throttles(host.blkio_device_read_iops),
        throttle_write_iops_device=_throttles(host.blkio_device_write_iops),
    )
    return None if block_io == BlockIo() else block_io


def _throttles(asked: tuple[AskedThrottle, ...] | None) -> tuple[ThrottleDevice, ...]:
    return tuple(ThrottleDevice(*_numbers(device.path), rate=device.rate) for device in asked or ())


def _numbers(path: str) -> tuple[int, int]:
    try:
        device = os.stat(path).st_rdev
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InvalidArgumentError(f"stat {path}: {reason}") from error
    return os.major(device), os.minor(device)
