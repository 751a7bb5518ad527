"""What a container uses, in the shape that ``events --stats`` of other runtimes has."""

from collections.abc import Iterator
from typing import Any

from boxship.runtime.blueprint import CgroupPlan, directory_of
from boxship.runtime.cgroups.tree import read_file

_USER_HZ = 100
_UNLIMITED = 2**64 - 1


def statistics_of(cgroup: CgroupPlan) -> dict[str, Any]:
    """Return counters of the moment; what the machine does not count is left out."""
    memory = directory_of(cgroup, "memory")
    unified = any(one.unified and one.path == memory for one in cgroup.directories)
    return {
        "cpu": _cpu_v2(cgroup) if unified else _cpu_v1(cgroup),
        "cpuset": {},
        "memory": _memory_v2(memory) if unified else _memory_v1(memory),
        "pids": _pids(cgroup),
        "blkio": {"ioServiceBytesRecursive": list(_block(cgroup))},
        "hugetlb": {},
        "intel_rdt": {},
        "network_interfaces": None,
    }


def _pids(cgroup: CgroupPlan) -> dict[str, int]:
    path = directory_of(cgroup, "pids")
    limit = _text(path, "pids.max").strip()
    found = {"current": _number(path, "pids.current")}
    return found | ({"limit": int(limit)} if limit.isdecimal() else {})


def _cpu_v1(cgroup: CgroupPlan) -> dict[str, Any]:
    accounts, path = directory_of(cgroup, "cpuacct"), directory_of(cgroup, "cpu")
    share, throttle = _table(accounts, "cpuacct.stat"), _table(path, "cpu.stat")
    tick = 10**9 // _USER_HZ
    return {
        "usage": {
            "total": _number(accounts, "cpuacct.usage"),
            "percpu": [int(n) for n in _text(accounts, "cpuacct.usage_percpu").split()],
            "kernel": share.get("system", 0) * tick,
            "user": share.get("user", 0) * tick,
        },
        "throttling": _throttling(throttle, throttle.get("throttled_time", 0)),
    }


def _cpu_v2(cgroup: CgroupPlan) -> dict[str, Any]:
    table = _table(directory_of(cgroup, "cpu") or directory_of(cgroup, ""), "cpu.stat")
    return {
        "usage": {
            "total": table.get("usage_usec", 0) * 1000,
            "kernel": table.get("system_usec", 0) * 1000,
            "user": table.get("user_usec", 0) * 1000,
        },
        "throttling": _throttling(table, table.get("throttled_usec", 0) * 1000),
    }


def _throttling(table: dict[str, int], nanoseconds: int) -> dict[str, int]:
    return {
        "periods": table.get("nr_periods", 0),
        "throttledPeriods": table.get("nr_throttled", 0),
        "throttledTime": nanoseconds,
    }


def _memory_v1(path: str) -> dict[str, Any]:
    raw = _table(path, "memory.stat")
    return {
        "cache": raw.get("cache", 0),
        "usage": _memory_entry(path, "memory"),
        "swap": _memory_entry(path, "memory.memsw"),
        "kernel": _memory_entry(path, "memory.kmem"),
        "kernelTCP": _memory_entry(path, "memory.kmem.tcp"),
        "raw": raw,
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

    def entry(prefix: str) -> dict[str, int]:
        limit = _text(path, f"{prefix}.max").strip()
        return {
            "limit": int(limit) if limit.isdecimal() else _UNLIMITED,
            "usage": _number(path, f"{prefix}.current"),
            "max": _number(path, f"{prefix}.peak"),
            "failcnt": 0,
        }

    return {
        "cache": raw.get("file", 0),
        "usage": entry("memory"),
        "swap": entry("memory.swap"),
        "raw": raw,
    }


def _block(cgroup: CgroupPlan) -> Iterator[dict[str, Any]]:
    if path := directory_of(cgroup, "blkio"):
        for line in _text(path, "blkio.throttle.io_service_bytes_recursive").splitlines():
            device, *rest = line.split()
            if len(rest) == 2 and ":" in device:
                yield _block_entry(device, rest[0], int(rest[1]))
        return
    for line in _text(directory_of(cgroup, "io"), "io.stat").splitlines():
        device, *pairs = line.split()
        for pair in pairs:
            name, _, value = pair.partition("=")
            if name in ("rbytes", "wbytes"):
                yield _block_entry(device, "Read" if name == "rbytes" else "Write", int(value))


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
