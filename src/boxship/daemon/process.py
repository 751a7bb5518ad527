"""The daemon's own process, as the kernel has it."""

import os
import time
from collections.abc import Iterator

from boxship.base.metrics import Family, Sample, gauge


def families() -> Iterator[Family]:
    """Yield what Prometheus expects of every process."""
    yield Family(
        "process_cpu_seconds_total", "counter", "Processor time of the daemon",
        samples=(Sample((), time.process_time()),),
    )  # fmt: skip
    yield gauge("process_resident_memory_bytes", "Memory of the daemon", resident())
    yield gauge("process_start_time_seconds", "When it was started, since 1970", started())
    yield gauge("process_open_fds", "Descriptors that it has open", descriptors())


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def resident() -> int:
    """Return the bytes of memory it has."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def started() -> float:
    """Return when it was started, in seconds since 1970 (proc_pid_stat(5), field 22)."""
    with open("/proc/self/stat", "rb") as file:
        ticks = int(file.read().rpartition(b")")[2].split()[19])
    with open("/proc/uptime", "rb") as file:
        up = float(file.read().split()[0])
    return time.time() - up + ticks / os.sysconf("SC_CLK_TCK")
