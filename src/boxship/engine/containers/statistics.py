"""What containers use, sampled every second for whoever asks, from their cgroups' counters."""

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from boxship.base.clock import format_ns
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.model.statistics import (
    BlockEntry,
    BlockStatistics,
    CpuStatistics,
    CpuUsage,
    InterfaceStatistics,
    MemoryStatistics,
    PidsStatistics,
    Statistics,
    Throttling,
)
from boxship.runtime.cli.statistics import counters_of

_INTERVAL = 1.0
_USER_HZ = 100
_COUNTED = 8
"""Of the first line of ``/proc/stat``: user … steal. Guests' time is in the user's already."""
_BLOCK = {
    "io_service_bytes_recursive": "ioServiceBytesRecursive",
    "io_serviced_recursive": "ioServicedRecursive",
    "io_queue_recursive": "ioQueueRecursive",
    "io_service_time_recursive": "ioServiceTimeRecursive",
    "io_wait_time_recursive": "ioWaitTimeRecursive",
    "io_merged_recursive": "ioMergedRecursive",
    "io_time_recursive": "ioTimeRecursive",
    "sectors_recursive": "sectorsRecursive",
}


async def follow(context: Context, container: Container) -> AsyncGenerator[Statistics, None]:
    """Yield a sample every second, until the container is removed. Zeros while it does not run."""
    before: Statistics | None = None
    while not container.gone.is_set():
        before = await _next(context, container, before)
        yield before
        try:
            await asyncio.wait_for(container.gone.wait(), _INTERVAL)
        except TimeoutError:
            continue


async def once(context: Context, container: Container, *, at_once: bool) -> Statistics:
    """Return one sample; unless ``at_once``, with another from a second before it."""
    first = await _next(context, container, None)
    if at_once or not container.record.state.alive:
        return first
    await asyncio.sleep(_INTERVAL)
    return await _next(context, container, first)


async def _next(context: Context, container: Container, before: Statistics | None) -> Statistics:
    now = await asyncio.to_thread(sample, context, container)
    if before is None or not container.record.state.alive:
        return now
    return msgspec.structs.replace(now, preread=before.read, precpu_stats=before.cpu_stats)


def sample(context: Context, container: Container) -> Statistics:
    """Read the counters; blocking, shortly."""
    record = container.record
    if not record.state.alive:
        return Statistics(f"/{record.name}", record.id)
    found = counters_of(context.planner.cgroup(record))
    unified = context.planner.unified_cgroups
    return Statistics(
        f"/{record.name}",
        record.id,
        read=format_ns(context.clock.now_ns()),
        pids_stats=PidsStatistics(found["pids"]["current"], found["pids"].get("limit", UNSET)),
        blkio_stats=_block(found["blkio"], unified=unified),
        cpu_stats=_cpu(found["cpu"]),
        memory_stats=_memory(found["memory"], unified=unified),
        networks=_networks(record.state.pid) if record.host.network_mode != "host" else UNSET,
    )


def _cpu(found: dict[str, Any]) -> CpuStatistics:
    usage, throttling = found["usage"], found["throttling"]
    each = usage.get("percpu")
    return CpuStatistics(
        CpuUsage(
            total_usage=usage["total"],
            percpu_usage=UNSET if each is None else tuple(each),
            usage_in_kernelmode=usage["kernel"],
            usage_in_usermode=usage["user"],
        ),
        _system_time(),
        os.cpu_count() or 1,
        Throttling(
            throttling["periods"], throttling["throttledPeriods"], throttling["throttledTime"]
        ),
    )


def _system_time() -> int:
    with open("/proc/stat") as file:
        fields = file.readline().split()[1 : 1 + _COUNTED]
    return sum(map(int, fields)) * (10**9 // _USER_HZ)


def _memory(found: dict[str, Any], *, unified: bool) -> MemoryStatistics:
    usage = found["usage"]
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return MemoryStatistics(
        usage=usage["usage"],
        max_usage=UNSET if unified else usage["max"],
        stats=found["raw"],
        failcnt=usage["failcnt"] if usage["failcnt"] and not unified else UNSET,
        limit=min(usage["limit"], machine),
    )


def _block(found: dict[str, Any], *, unified: bool) -> BlockStatistics:
    lists = {
        name: tuple(_entry(each, unified=unified) for each in found.get(key, ()))
        for name, key in _BLOCK.items()
        if key in found or not unified
    }
    return BlockStatistics(**lists)


def _entry(found: dict[str, Any], *, unified: bool) -> BlockEntry:
    operation = found["op"].lower() if unified else found["op"]  # so Docker's clients know them
    return BlockEntry(found["major"], found["minor"], operation, found["value"])


def _networks(pid: int) -> dict[str, InterfaceStatistics] | UnsetType:
    try:
        with open(f"/proc/{pid}/net/dev") as file:
            lines = file.read().splitlines()[2:]
    except OSError:
        return UNSET
    found = {}
    for line in lines:
        name, _, numbers = line.partition(":")
        n = [int(number) for number in numbers.split()]
        found[name.strip()] = InterfaceStatistics(*n[:4], *n[8:12])
    found.pop("lo", None)
    return found or UNSET
