"""A container's cgroup as a unit of systemd's: its name, its place, its properties. Pure.

systemd writes its units' cgroup files itself, whenever it likes (``daemon-reload``): a limit it has
not been told of is undone then. Properties are text until they are sent, because a plan is kept as
JSON; ``systemd.py`` gives them their types.
"""

from __future__ import annotations

from boxship.base.errors import InvalidArgumentError
from boxship.base.frozen import replace
from boxship.oci.runtime import Cpu, DeviceRule, Memory, Resources
from boxship.runtime.blueprint import CgroupPlan, Scope
from boxship.runtime.cgroups import v2
from boxship.runtime.cgroups.ebpf import state_after
from boxship.runtime.cgroups.layout import Layout
from boxship.runtime.cgroups.plan import plan_cgroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Property = tuple[str, str, str]

_UNLIMITED = 2**64 - 1
_UNIFIED = {
    "cpu.weight": "CPUWeight",
    "memory.high": "MemoryHigh",
    "memory.low": "MemoryLow",
    "memory.max": "MemoryMax",
    "memory.min": "MemoryMin",
    "memory.swap.max": "MemorySwapMax",
    "pids.max": "TasksMax",
}


def plan_scope(path: str, container_id: str, resources: Resources, layout: Layout) -> CgroupPlan:
    """Plan a scope of systemd's; ``path`` is ``slice:prefix:name``, each of which may be empty."""
    parts = path.split(":") if path else ["", "boxship", container_id]
    if len(parts) != 3:
        raise InvalidArgumentError(
            f"linux.cgroupsPath: {path!r} is not slice:prefix:name, as systemd's driver wants it"
        )
    parent, prefix, name = parts[0] or "system.slice", parts[1], parts[2] or container_id
    if not parent.endswith(".slice") or "/" in path:
        raise InvalidArgumentError(f"linux.cgroupsPath: {parent!r} is not the name of a slice")
    unit = f"{prefix}-{name}.scope" if prefix else f"{name}.scope"
    made = plan_cgroup(f"{slice_path(parent)}/{unit}", resources, layout)
    properties = (
        ("Description", "s", f"boxship container {container_id}"),
        ("Slice", "s", parent),
        ("Delegate", "b", "true"),
        ("DefaultDependencies", "b", "false"),
        ("CollectMode", "s", "inactive-or-failed"),
        ("MemoryAccounting", "b", "true"),
        ("CPUAccounting", "b", "true"),
        ("TasksAccounting", "b", "true"),
        *limits(resources, layout),
        *_devices(resources.devices),
    )
    return replace(made, scope=Scope(unit, parent, properties))


def slice_path(name: str) -> str:
    """Return where a slice is: ``a-b.slice`` is ``/a.slice/a-b.slice``."""
    if name == "-.slice":
        return ""
    words = name.removesuffix(".slice").split("-")
    if not all(words):
        raise InvalidArgumentError(f"linux.cgroupsPath: {name!r} is not the name of a slice")
    return "".join(f"/{'-'.join(words[: n + 1])}.slice" for n in range(len(words)))


def limits(resources: Resources, layout: Layout) -> Iterator[Property]:
    """Yield what systemd has to know of ``resources``, when they are set and when they change."""
    unified = layout.version == 2
    if resources.memory:
        yield from _memory(resources.memory, unified=unified)
    if resources.cpu:
        yield from _cpu(resources.cpu, unified=unified)
    if resources.pids and resources.pids.limit:
        yield "TasksMax", "t", _bound(resources.pids.limit)
    for file, value in resources.unified.items():
        if file in _UNIFIED and (value == "max" or value.isdecimal()):
            yield _UNIFIED[file], "t", str(_UNLIMITED) if value == "max" else value


def _memory(memory: Memory, *, unified: bool) -> Iterator[Property]:
    if memory.limit:
        yield "MemoryMax" if unified else "MemoryLimit", "t", _bound(memory.limit)
    if memory.reservation and unified:
        yield "MemoryLow", "t", _bound(memory.reservation)
    if memory.swap and unified:
        alone = memory.swap if memory.swap < 0 else max(0, memory.swap - (memory.limit or 0))
        yield "MemorySwapMax", "t", _bound(alone)


def _cpu(cpu: Cpu, *, unified: bool) -> Iterator[Property]:
    if cpu.shares and unified:
        yield "CPUWeight", "t", str(v2.weight_of_shares(cpu.shares))
    elif cpu.shares:
        yield "CPUShares", "t", str(cpu.shares)
    if cpu.period:
        yield "CPUQuotaPeriodUSec", "t", str(cpu.period)
    if cpu.quota and cpu.quota > 0:
        per_second = cpu.quota * 1_000_000 // (cpu.period or 100_000)
        yield "CPUQuotaPerSecUSec", "t", str(-(-per_second // 10_000) * 10_000)
    elif cpu.quota:
        yield "CPUQuotaPerSecUSec", "t", str(_UNLIMITED)
    for name, members in (("AllowedCPUs", cpu.cpus), ("AllowedMemoryNodes", cpu.mems)):
        if members and unified:
            yield name, "ay", bits(members).hex()


def bits(members: str) -> bytes:
    """Return a list of numbers such as ``0-2,8`` as a bit for each, the lowest first."""
    mask = 0
    for part in members.split(","):
        first, _, last = part.strip().partition("-")
        try:
            low, high = int(first), int(last or first)
        except ValueError:
            low, high = 1, 0
        if not 0 <= low <= high < 1 << 16:
            raise InvalidArgumentError(f"linux.resources.cpu: {members!r} is not a list like 0-3,5")
        mask |= (1 << high + 1) - (1 << low)
    return mask.to_bytes(-(-mask.bit_length() // 8), "little")


def _devices(rules: tuple[DeviceRule, ...]) -> Iterator[Property]:
    """Say what v1 would have after all rules; systemd knows no exceptions from "all"."""
    state = state_after(rules)
    if not rules or state.allow:
        return
    yield "DevicePolicy", "s", "strict"
    lines = []
    for (kind, major, minor), access in state.exceptions.items():
        letters = "".join(letter for letter, bit in (("r", 2), ("w", 4), ("m", 1)) if access & bit)
        numbers = "".join(f" {'*' if one < 0 else one}" for one in (major, minor))
        if letters and (major >= 0 or minor < 0):
            lines.append(f"{kind}{numbers} {letters}")
    yield "DeviceAllow", "a(ss)", "\n".join(lines)


def _bound(value: int) -> str:
    return str(_UNLIMITED if value < 0 else value)
