"""Limits of memory, processors, processes, block devices: their ranges and how they go together."""

from msgspec import UNSET

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.checks.machine import Machine, format_list, parse_list
from boxship.model.container import HostConfig

MINIMUM_MEMORY = 6 * 2**20
_MILLISECOND, _SECOND = 1000, 1_000_000  # as CFS counts, in microseconds


def check(host: HostConfig, machine: Machine, *, update: bool = False) -> list[str]:
    """Raise InvalidArgumentError, or return warnings.

    An ``update`` says only what changes: what it leaves out may have been set before.
    """
    _check_memory(host, update=update)
    warnings = _check_kernel_memory(host)
    warnings += _check_oom(host)
    _check_processors(host, machine)
    _check_sets(host, machine)
    _check_block_devices(host)
    _check_elsewhere(host)
    if host.shm_size < 0:
        raise InvalidArgumentError("SHM size can not be less than 0")
    return warnings


def _check_memory(host: HostConfig, *, update: bool) -> None:
    memory, swap, reservation = host.memory, host.memory_swap, host.memory_reservation
    if memory and memory < MINIMUM_MEMORY:
        raise InvalidArgumentError("Minimum memory limit allowed is 6MB")
    if memory > 0 and 0 < swap < memory:
        raise InvalidArgumentError(
            "Minimum memoryswap limit should be larger than memory limit, see usage"
        )
    if memory == 0 and swap > 0 and not update:
        raise InvalidArgumentError(
            "You should always set the Memory limit when using Memoryswap limit, see usage"
        )
    swappiness = host.memory_swappiness
    if swappiness is not None and not -1 <= swappiness <= 100:
        raise InvalidArgumentError(
            f"Invalid value: {swappiness}, valid memory swappiness range is 0-100"
        )
    if 0 < reservation < MINIMUM_MEMORY:
        raise InvalidArgumentError("Minimum memory reservation allowed is 6MB")
    if memory > 0 and reservation > memory:
        raise InvalidArgumentError(
            "Minimum memory limit can not be less than memory reservation limit, see usage"
        )


def _check_kernel_memory(host: HostConfig) -> list[str]:
    """Limits of kernel memory went with API 1.42, and no kernel since 5.16 keeps them."""
    kernel = host.kernel_memory
    if kernel is UNSET or kernel <= 0:
        return []
    if kernel < MINIMUM_MEMORY:
        raise InvalidArgumentError("Minimum kernel memory limit allowed is 6MB")
    return [
        "Specifying a kernel memory limit is deprecated and will be removed in a future release."
    ]


def _check_oom(host: HostConfig) -> list[str]:
    if not -1000 <= host.oom_score_adj <= 1000:
        raise InvalidArgumentError(
            f"Invalid value {host.oom_score_adj}, range for oom score adj is [-1000, 1000]"
        )
    if host.oom_kill_disable and not host.memory:
        return [
            "OOM killer is disabled for the container, but no memory limit is set, this can result "
            "in the system running out of resources."
        ]
    return []


def _check_processors(host: HostConfig, machine: Machine) -> None:
    if host.nano_cpus:
        for value, name in ((host.cpu_period, "Period"), (host.cpu_quota, "Quota")):
            if value > 0:
                raise InvalidArgumentError(
                    f"Conflicting options: Nano CPUs and CPU {name} cannot both be set"
                )
        if not 10_000_000 <= host.nano_cpus <= machine.cpu_count * 10**9:
            raise InvalidArgumentError(
                f"Range of CPUs is from 0.01 to {machine.cpu_count}.00, "
                f"as there are only {machine.cpu_count} CPUs available"
            )
    if host.cpu_period and not _MILLISECOND <= host.cpu_period <= _SECOND:
        raise InvalidArgumentError(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
        )
    if 0 < host.cpu_quota < _MILLISECOND:
        raise InvalidArgumentError("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if host.cpu_shares < 0:
        raise InvalidArgumentError(f"invalid CPU shares ({host.cpu_shares}): must not be negative")
    period, runtime = host.cpu_realtime_period, host.cpu_realtime_runtime
    if period and runtime and runtime > period:
        raise InvalidArgumentError(
            "cpu real-time runtime cannot be higher than cpu real-time period"
        )


def _check_sets(host: HostConfig, machine: Machine) -> None:
    for text, available, kind, thing in (
        (host.cpuset_cpus, machine.cpus, "cpus", "CPUs"),
        (host.cpuset_mems, machine.memory_nodes, "mems", "memory nodes"),
    ):
        if not text:
            continue
        try:
            wanted = parse_list(text)
        except ValueError as error:
            raise InvalidArgumentError(f"Invalid value {text} for cpuset {kind}: {error}") from None
        if not wanted <= available:
            raise InvalidArgumentError(
                f"Requested {thing} are not available - requested {text}, "
                f"available: {format_list(available)}"
            )


def _check_block_devices(host: HostConfig) -> None:
    if host.blkio_weight and not 10 <= host.blkio_weight <= 1000:
        raise InvalidArgumentError("Range of blkio weight is from 10 to 1000")
    for weighted in host.blkio_weight_device or ():
        if weighted.weight and not 10 <= weighted.weight <= 1000:
            raise InvalidArgumentError(f"Range of blkio weight is from 10 to 1000: {weighted.path}")


def _check_elsewhere(host: HostConfig) -> None:
    """Refuse what only Windows can limit."""
    for value, what in ((host.io_maximum_bandwidth, "bandwidth"), (host.io_maximum_iops, "IOPs")):
        if value:
            raise InvalidArgumentError(
                f"Invalid QoS settings: linux does not support configuration of maximum {what}"
            )


def check_cgroup_parent(host: HostConfig, *, systemd: bool) -> None:
    """Raise InvalidArgumentError: systemd makes scopes below slices only."""
    parent = host.cgroup_parent
    if systemd and parent and (not parent.endswith(".slice") or parent == ".slice"):
        raise InvalidArgumentError(
            'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"'
        )
