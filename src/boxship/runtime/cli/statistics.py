"""What a container uses, in the shape that ``events --stats`` of other runtimes has.

Version 2 of cgroups is told in the words of version 1 where there are any: times are nanoseconds,
``swap`` is memory and swap together. What is new there has keys of its own (``psi``).
"""

import os
from collections.abc import Iterable, Iterator
from typing import Any

from boxship.runtime.blueprint import CgroupPlan, directory_of
from boxship.runtime.cgroups.tree import read_file

_USER_HZ = 100
_UNLIMITED = 2**64 - 1

_CPUSET = (
    "cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
    "memory_spread_slab", "memory_pressure", "sched_load_balance", "sched_relax_domain_level",
)  # fmt: skip
_BLOCK_V1 = (
    ("ioServiceBytesRecursive", "io_service_bytes"),
    ("ioServicedRecursive", "io_serviced"),
    ("ioQueueRecursive", "io_queued"),
    ("ioServiceTimeRecursive", "io_service_time"),
    ("ioWaitTimeRecursive", "io_wait_time"),
    ("ioMergedRecursive", "io_merged"),
    ("ioTimeRecursive", "time"),
    ("sectorsRecursive", "sectors"),
)
_SCHEDULERS = ("bfq.", "", "throttle.")
"""Who counts: a scheduler, if the device has one, else the throttle."""
_BLOCK_V2 = {
    "rbytes": ("ioServiceBytesRecursive", "Read"),
    "wbytes": ("ioServiceBytesRecursive", "Write"),
    "dbytes": ("ioServiceBytesRecursive", "Discard"),
    "rios": ("ioServicedRecursive", "Read"),
    "wios": ("ioServicedRecursive", "Write"),
    "dios": ("ioServicedRecursive", "Discard"),
}


def statistics_of(cgroup: CgroupPlan) -> dict[str, Any]:
    """Return counters of the moment; what the machine does not count is left out."""
    memory = directory_of(cgroup, "memory")
    unified = any(one.unified and one.path == memory for one in cgroup.directories)
    return {
        "cpu": _cpu_v2(cgroup) if unified else _cpu_v1(cgroup, whole=True),
        "cpuset": _cpuset(directory_of(cgroup, "cpuset"), unified=unified),
        "memory": _memory_v2(memory) if unified else _memory_v1(memory, whole=True),
        "pids": _pids(cgroup),
        "blkio": _block(cgroup),
        "hugetlb": _huge_pages(directory_of(cgroup, "hugetlb"), unified=unified),
        "intel_rdt": {},
        "network_interfaces": None,
    }


def counters_of(cgroup: CgroupPlan) -> dict[str, Any]:
    """Return the part of it that a daemon samples every second: not half of the files are read."""
    memory = directory_of(cgroup, "memory")
    unified = any(one.unified and one.path == memory for one in cgroup.directories)
    return {
        "cpu": _cpu_v2(cgroup) if unified else _cpu_v1(cgroup, whole=False),
        "memory": _memory_v2(memory) if unified else _memory_v1(memory, whole=False),
        "pids": _pids(cgroup),
        "blkio": _block(cgroup),
    }


def _pids(cgroup: CgroupPlan) -> dict[str, int]:
    path = directory_of(cgroup, "pids")
    limit = _text(path, "pids.max").strip()
    found = {"current": _number(path, "pids.current")}
    return found | ({"limit": int(limit)} if limit.isdecimal() else {})


def _cpu_v1(cgroup: CgroupPlan, *, whole: bool) -> dict[str, Any]:
    accounts, path = directory_of(cgroup, "cpuacct"), directory_of(cgroup, "cpu")
    share, throttle = _table(accounts, "cpuacct.stat"), _table(path, "cpu.stat")
    tick = 10**9 // _USER_HZ
    return {
        "usage": {
            "total": _number(accounts, "cpuacct.usage"),
            "percpu": [int(n) for n in _text(accounts, "cpuacct.usage_percpu").split()],
            "kernel": share.get("system", 0) * tick,
            "user": share.get("user", 0) * tick,
        }
        | (_each_cpu(accounts) if whole else {}),
        "throttling": _throttling(throttle, throttle.get("throttled_time", 0)),
    }


def _each_cpu(path: str) -> dict[str, list[int]]:
    each = [line.split() for line in _text(path, "cpuacct.usage_all").splitlines()[1:]]
    return {
        "percpu_kernel": [int(kernel) for _, _, kernel in each],
        "percpu_user": [int(user) for _, user, _ in each],
    }


def _cpu_v2(cgroup: CgroupPlan) -> dict[str, Any]:
    path = directory_of(cgroup, "cpu") or directory_of(cgroup, "")
    table = _table(path, "cpu.stat")
    return {
        "usage": {
            "total": table.get("usage_usec", 0) * 1000,
            "kernel": table.get("system_usec", 0) * 1000,
            "user": table.get("user_usec", 0) * 1000,
        },
        "throttling": _throttling(table, table.get("throttled_usec", 0) * 1000),
    } | _pressure(path, "cpu")


def _throttling(table: dict[str, int], nanoseconds: int) -> dict[str, int]:
    return {
        "periods": table.get("nr_periods", 0),
        "throttledPeriods": table.get("nr_throttled", 0),
        "throttledTime": nanoseconds,
    }


def _memory_v1(path: str, *, whole: bool) -> dict[str, Any]:
    raw = _table(path, "memory.stat")
    used = {"usage": _memory_entry(path, "memory"), "raw": raw}
    if not whole:
        return used
    return used | {
        "cache": raw.get("cache", 0),
        "swap": _memory_entry(path, "memory.memsw"),
        "kernel": _memory_entry(path, "memory.kmem"),
        "kernelTCP": _memory_entry(path, "memory.kmem.tcp"),
    }


def _memory_entry(path: str, prefix: str) -> dict[str, int]:
    return {
        "limit": _number(path, f"{prefix}.limit_in_bytes"),
        "usage": _number(path, f"{prefix}.usage_in_bytes"),
        "max": _number(path, f"{prefix}.max_usage_in_bytes"),
        "failcnt": _number(path, f"{prefix}.failcnt"),
    }


def _memory_v2(path: str) -> dict[str, Any]:
    raw = _table(path, "memory.stat")
    used, own = _number(path, "memory.current"), _number(path, "memory.swap.current")
    limit, more = _limit(path, "memory.max"), _limit(path, "memory.swap.max")
    bounded = _UNLIMITED not in (limit, more)
    return {
        "cache": raw.get("file", 0),
        "usage": {
            "limit": limit,
            "usage": used,
            "max": _number(path, "memory.peak"),
            "failcnt": _table(path, "memory.events").get("max", 0),
        },
        "swap": {
            "limit": limit + more if bounded else _UNLIMITED,
            "usage": used + own,
            "max": 0,
            "failcnt": _table(path, "memory.swap.events").get("fail", 0),
        },
        "raw": raw,
    } | _pressure(path, "memory")


def _limit(path: str, name: str) -> int:
    text = _text(path, name).strip()
    return int(text) if text.isdecimal() else _UNLIMITED


def _pressure(path: str, kind: str) -> dict[str, Any]:
    """Return how long tasks waited for something, if the kernel counts that."""
    found: dict[str, dict[str, float]] = {}
    for line in _text(path, f"{kind}.pressure").splitlines():
        name, *pairs = line.split()
        values = {key: float(value) for key, _, value in (pair.partition("=") for pair in pairs)}
        found[name] = values | {"total": int(values["total"])}
    return {"psi": found} if found else {}


def _cpuset(path: str, *, unified: bool) -> dict[str, Any]:
    suffix = ".effective" if unified else ""
    sets = {name: _numbers(_text(path, f"cpuset.{name}{suffix}")) for name in ("cpus", "mems")}
    if unified or not path:
        return {name: numbers for name, numbers in sets.items() if numbers}
    return sets | {name: int(_text(path, f"cpuset.{name}") or 0) for name in _CPUSET}


def _numbers(text: str) -> list[int]:
    """Read ``0-2,4``."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first:
            found += range(int(first), int(last or first) + 1)
    return found


def _huge_pages(path: str, *, unified: bool) -> dict[str, dict[str, int]]:
    found = {}
    for size in _huge_page_sizes() if path else ():
        prefix = f"hugetlb.{size}"
        if unified:
            found[size] = {
                "usage": _number(path, f"{prefix}.current"),
                "failcnt": _table(path, f"{prefix}.events").get("max", 0),
            }
        else:
            found[size] = {
                "usage": _number(path, f"{prefix}.usage_in_bytes"),
                "max": _number(path, f"{prefix}.max_usage_in_bytes"),
                "failcnt": _number(path, f"{prefix}.failcnt"),
            }
    return found


def _huge_page_sizes() -> Iterator[str]:
    """Yield the sizes of this machine as cgroups name them: 2MB, 1GB."""
    try:
        names = sorted(os.listdir("/sys/kernel/mm/hugepages"))
    except FileNotFoundError:
        return
    for name in names:
        kilobytes = int(name.removeprefix("hugepages-").removesuffix("kB"))
        for unit, size in (("GB", 1 << 20), ("MB", 1 << 10), ("KB", 1)):
            if kilobytes >= size:
                yield f"{kilobytes // size}{unit}"
                break


def _block(cgroup: CgroupPlan) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if path := directory_of(cgroup, "blkio"):
        there = _names(path)
        for key, name in _BLOCK_V1:
            if entries := _block_v1(path, name, there):
                found[key] = entries
        return found
    path = directory_of(cgroup, "io")
    for line in _text(path, "io.stat").splitlines():
        device, *pairs = line.split()
        for name, _, value in (pair.partition("=") for pair in pairs):
            if name in _BLOCK_V2:
                key, operation = _BLOCK_V2[name]
                found.setdefault(key, []).append(_block_entry(device, operation, int(value)))
    return found | _pressure(path, "io")


def _names(path: str) -> frozenset[str]:
    """Return the files of a cgroup: to try them all would cost more than all else."""
    try:
        return frozenset(os.listdir(path))
    except OSError:
        return frozenset()


def _block_v1(path: str, name: str, there: frozenset[str]) -> list[dict[str, Any]]:
    for scheduler in _SCHEDULERS:
        file = f"blkio.{scheduler}{name}_recursive"
        text = _text(path, file) if file in there else ""
        if entries := list(_block_entries(text.splitlines())):
            return entries
    return []


def _block_entries(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Read ``8:0 Read 4096`` and ``8:0 4096``; the totals below them are left out."""
    for line in lines:
        device, *rest = line.split()
        if ":" in device and rest:
            yield _block_entry(device, rest[0] if len(rest) > 1 else "", int(rest[-1]))


def _block_entry(device: str, operation: str, value: int) -> dict[str, Any]:
    major, _, minor = device.partition(":")
    return {"major": int(major), "minor": int(minor), "op": operation, "value": value}


def _text(directory: str, name: str) -> str:
    try:
        return read_file(f"{directory}/{name}") if directory else ""
    except OSError:
        return ""


def _number(directory: str, name: str) -> int:
    text = _text(directory, name).strip()
    return int(text) if text.isdecimal() else 0


def _table(directory: str, name: str) -> dict[str, int]:
    pairs = (line.split() for line in _text(directory, name).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}
