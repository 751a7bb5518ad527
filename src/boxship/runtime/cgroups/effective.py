"""What the kernel holds a container to, and what it counts, as its cgroup files say it."""

from collections.abc import Iterator

from boxship.base.frozen import dataclass
from boxship.runtime.blueprint import CgroupPlan, directory_of
from boxship.runtime.cgroups.tree import read_file


@dataclass(frozen=True, slots=True)
class Value:
    """A file's path and its text, of one line or in one line."""

    name: str
    file: str
    text: str


_LIMITS_V1 = (
    ("memory", "memory", "memory.limit_in_bytes"),
    ("memory and swap", "memory", "memory.memsw.limit_in_bytes"),
    ("memory reservation", "memory", "memory.soft_limit_in_bytes"),
    ("cpu shares", "cpu", "cpu.shares"),
    ("cpu quota", "cpu", "cpu.cfs_quota_us"),
    ("cpu period", "cpu", "cpu.cfs_period_us"),
    ("cpus", "cpuset", "cpuset.effective_cpus"),
    ("memory nodes", "cpuset", "cpuset.effective_mems"),
    ("processes", "pids", "pids.max"),
    ("devices", "devices", "devices.list"),
    ("state", "freezer", "freezer.state"),
)
_USAGE_V1 = (
    ("memory", "memory", "memory.usage_in_bytes"),
    ("memory at most", "memory", "memory.max_usage_in_bytes"),
    ("cpu time, ns", "cpuacct", "cpuacct.usage"),
    ("processes", "pids", "pids.current"),
)
_LIMITS_V2 = (
    ("memory", "memory", "memory.max"),
    ("swap", "memory", "memory.swap.max"),
    ("memory reservation", "memory", "memory.low"),
    ("cpu weight", "cpu", "cpu.weight"),
    ("cpu quota and period", "cpu", "cpu.max"),
    ("cpus", "cpuset", "cpuset.cpus.effective"),
    ("memory nodes", "cpuset", "cpuset.mems.effective"),
    ("processes", "pids", "pids.max"),
    ("frozen", "", "cgroup.freeze"),
)
_USAGE_V2 = (
    ("memory", "memory", "memory.current"),
    ("memory at most", "memory", "memory.peak"),
    ("cpu time", "", "cpu.stat"),
    ("processes", "pids", "pids.current"),
)

Rows = tuple[tuple[str, str, str], ...]


def limits(plan: CgroupPlan, version: int) -> tuple[Value, ...]:
    """Return what holds, whoever set it; files that are not there are left out."""
    return tuple(_values(plan, _LIMITS_V2 if version == 2 else _LIMITS_V1))


def usage(plan: CgroupPlan, version: int) -> tuple[Value, ...]:
    """Return what is in use now."""
    return tuple(_values(plan, _USAGE_V2 if version == 2 else _USAGE_V1))


def _values(plan: CgroupPlan, rows: Rows) -> Iterator[Value]:
    for name, controller, file in rows:
        directory = directory_of(plan, controller)
        if not directory:
            continue
        path = f"{directory}/{file}"
        try:
            lines = read_file(path).splitlines()
        except OSError:
            continue
        # cpu.stat goes on with parts of the first line's sum.
        yield Value(name, path, lines[0] if file == "cpu.stat" and lines else ", ".join(lines))
