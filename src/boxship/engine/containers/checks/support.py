"""Limits that this kernel cannot set: they are discarded, and the answer to the create says so.

Docker's words, because programs look for them. Two are no warnings but errors: whoever asks for
real-time processor time or for ``--cpus`` counts on it.

=============  ===================================  =====================
limit          cgroup v1 needs                      cgroup v2 needs
=============  ===================================  =====================
memory         memory/memory.limit_in_bytes         memory
swap           memory/memory.memsw.limit_in_bytes   memory
swappiness     memory/memory.swappiness             (there is none)
reservation    memory/memory.soft_limit_in_bytes    memory
oom            memory/memory.oom_control            (there is none)
pids           pids                                 pids
shares         cpu/cpu.shares                       cpu
quota          cpu/cpu.cfs_quota_us                 cpu
realtime       cpu/cpu.rt_runtime_us                (there is none)
cpuset         cpuset                               cpuset
weight         blkio/blkio.weight, blkio.bfq.weight io
throttle       blkio/blkio.throttle.*               io
=============  ===================================  =====================
"""

import os
from collections.abc import Iterator
from typing import Any

import msgspec

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.checks.machine import Machine
from boxship.model.container import HostConfig
from boxship.runtime.cgroups.layout import Layout

# Limit, v1 controller, its file there (empty: the controller is enough), v2 controller.
_NEEDS = (
    ("memory", "memory", "memory.limit_in_bytes", "memory"),
    ("swap", "memory", "memory.memsw.limit_in_bytes", "memory"),
    ("swappiness", "memory", "memory.swappiness", ""),
    ("reservation", "memory", "memory.soft_limit_in_bytes", "memory"),
    ("oom", "memory", "memory.oom_control", ""),
    ("pids", "pids", "", "pids"),
    ("shares", "cpu", "cpu.shares", "cpu"),
    ("quota", "cpu", "cpu.cfs_quota_us", "cpu"),
    ("realtime", "cpu", "cpu.rt_runtime_us", ""),
    ("cpuset", "cpuset", "", "cpuset"),
    ("read-bps", "blkio", "blkio.throttle.read_bps_device", "io"),
    ("write-bps", "blkio", "blkio.throttle.write_bps_device", "io"),
    ("read-iops", "blkio", "blkio.throttle.read_iops_device", "io"),
    ("write-iops", "blkio", "blkio.throttle.write_iops_device", "io"),
)
_UNMOUNTED = "or the cgroup is not mounted."

# Limit, the fields it is asked for by, their values when it is discarded, the warning.
_DISCARDS: tuple[tuple[str, dict[str, Any], str], ...] = (
    (
        "memory",
        {"memory": 0, "memory_swap": -1},
        f"Your kernel does not support memory limit capabilities {_UNMOUNTED} "
        "Limitation discarded.",
    ),
    (
        "swappiness",
        {"memory_swappiness": None},
        f"Your kernel does not support memory swappiness capabilities {_UNMOUNTED} "
        "Memory swappiness discarded.",
    ),
    (
        "reservation",
        {"memory_reservation": 0},
        f"Your kernel does not support memory soft limit capabilities {_UNMOUNTED} "
        "Limitation discarded.",
    ),
    (
        "oom",
        {"oom_kill_disable": None},
        "Your kernel does not support OomKillDisable. OomKillDisable discarded.",
    ),
    (
        "pids",
        {"pids_limit": None},
        f"Your kernel does not support PIDs limit capabilities {_UNMOUNTED} PIDs limit discarded.",
    ),
    (
        "shares",
        {"cpu_shares": 0},
        f"Your kernel does not support CPU shares {_UNMOUNTED} Shares discarded.",
    ),
    (
        "quota",
        {"cpu_period": 0, "cpu_quota": 0},
        "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.",
    ),
    ("percent", {"cpu_percent": 0}, "linux does not support CPU percent. Percent discarded."),
    (
        "cpuset",
        {"cpuset_cpus": "", "cpuset_mems": ""},
        f"Your kernel does not support cpuset {_UNMOUNTED} Cpuset discarded.",
    ),
    (
        "weight",
        {"blkio_weight": 0},
        f"Your kernel does not support Block I/O weight {_UNMOUNTED} Weight discarded.",
    ),
    (
        "weight",
        {"blkio_weight_device": ()},
        f"Your kernel does not support Block I/O weight_device {_UNMOUNTED} "
        "Weight-device discarded.",
    ),
    (
        "read-bps",
        {"blkio_device_read_bps": ()},
        f"Your kernel does not support BPS Block I/O read limit {_UNMOUNTED} "
        "Block I/O BPS read limit discarded.",
    ),
    (
        "write-bps",
        {"blkio_device_write_bps": ()},
        f"Your kernel does not support BPS Block I/O write limit {_UNMOUNTED} "
        "Block I/O BPS write limit discarded.",
    ),
    (
        "read-iops",
        {"blkio_device_read_iops": ()},
        f"Your kernel does not support IOPS Block read limit {_UNMOUNTED} "
        "Block I/O IOPS read limit discarded.",
    ),
    (
        "write-iops",
        {"blkio_device_write_iops": ()},
        f"Your kernel does not support IOPS Block write limit {_UNMOUNTED} "
        "Block I/O IOPS write limit discarded.",
    ),
)


def missing_limits(layout: Layout) -> frozenset[str]:
    """Return the limits of the table above that the hierarchies of ``layout`` do not have."""
    return frozenset(_missing(layout))


def _missing(layout: Layout) -> Iterator[str]:
    yield "percent"
    for limit, controller, file, unified in _NEEDS:
        if layout.version == 2:
            has = unified in layout.unified_controllers
        else:
            hierarchy = layout.hierarchy_of(controller)
            has = hierarchy is not None and os.path.exists(f"{hierarchy.mount}/{file}")
        if not has:
            yield limit
    weighted = layout.block_weight_file or (
        layout.version == 2 and "io" in layout.unified_controllers
    )
    if not weighted:
        yield "weight"


def discard(host: HostConfig, machine: Machine) -> tuple[HostConfig, list[str]]:
    """Return what can be done of ``host``, and a warning for each limit that cannot.

    InvalidArgumentError: a limit that may not be left out is missing.
    """
    _refuse(host, machine.missing)
    changes: dict[str, Any] = {}
    warnings = []
    for limit, without, warning in _DISCARDS:
        if limit not in machine.missing:
            continue
        asked = [name for name in without if name != "memory_swap" and _is_set(host, name)]
        if asked:
            changes |= without
            warnings.append(warning)
        elif limit in ("oom", "pids"):
            changes |= without  # asked not to have it
    swap = host.memory > 0 and host.memory_swap != -1 and "swap" in machine.missing
    if swap and "memory" not in machine.missing:
        changes["memory_swap"] = -1
        warnings.append(
            f"Your kernel does not support swap limit capabilities {_UNMOUNTED} "
            "Memory limited without swap."
        )
    return (msgspec.structs.replace(host, **changes) if changes else host), warnings


def _is_set(host: HostConfig, name: str) -> bool:
    value = getattr(host, name)
    if name == "memory_swappiness":
        return value is not None and value != -1
    if name == "cpu_quota" or isinstance(value, (str, tuple, bool)):
        return bool(value)
    return value is not None and value > 0


def _refuse(host: HostConfig, missing: frozenset[str]) -> None:
    if "realtime" in missing and (host.cpu_realtime_period or host.cpu_realtime_runtime):
        raise InvalidArgumentError("Your kernel does not support CPU real-time scheduler")
    if "quota" in missing and host.nano_cpus > 0:
        raise InvalidArgumentError(
            "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler "
            "or the cgroup is not mounted"
        )
