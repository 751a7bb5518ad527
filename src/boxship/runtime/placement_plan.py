"""From a spec's scheduler, priorities, affinity, personality, memory policy to numbers. Pure."""

from boxship.base.errors import InvalidArgumentError
from boxship.oci import runtime as oci
from boxship.runtime.blueprint import Placement, SchedulerPlan

_POLICIES = {"OTHER": 0, "FIFO": 1, "RR": 2, "BATCH": 3, "ISO": 4, "IDLE": 5, "DEADLINE": 6}
_SCHEDULER_FLAGS = {
    f"SCHED_FLAG_{name}": 1 << bit
    for bit, name in enumerate(
        ("RESET_ON_FORK", "RECLAIM", "DL_OVERRUN", "KEEP_POLICY", "KEEP_PARAMS",
         "UTIL_CLAMP_MIN", "UTIL_CLAMP_MAX")
    )
}  # fmt: skip
_IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
_PERSONALITIES = {"LINUX": 0, "LINUX32": 8}
_MEMORY_MODES = {
    "MPOL_DEFAULT": 0, "MPOL_PREFERRED": 1, "MPOL_BIND": 2, "MPOL_INTERLEAVE": 3, "MPOL_LOCAL": 4,
    "MPOL_PREFERRED_MANY": 5, "MPOL_WEIGHTED_INTERLEAVE": 6,
}  # fmt: skip
_MEMORY_FLAGS = {
    "MPOL_F_NUMA_BALANCING": 1 << 13,
    "MPOL_F_RELATIVE_NODES": 1 << 14,
    "MPOL_F_STATIC_NODES": 1 << 15,
}
_MOST_NUMBERS = 8192
_ONLY_DEADLINE = ("runtime", "deadline", "period")


def placement_of(
    process: oci.Process, linux: oci.Linux | None, *, is_exec: bool
) -> Placement | None:
    """Return what a process asks for; None when that is nothing.

    ``linux`` gives the container's personality and memory policy. ``execCPUAffinity`` is for an
    exec alone, as the specification has it.
    """
    affinity = process.exec_cpu_affinity if is_exec else None
    persona = linux.personality if linux else None
    memory = linux.memory_policy if linux else None
    if not (process.scheduler or process.io_priority or affinity or persona or memory):
        return None
    mode, nodes = _memory(memory)
    return Placement(
        scheduler=_scheduler(process.scheduler),
        io_priority=_io_priority(process.io_priority),
        initial_cpus=_cpus(affinity.initial, "initial") if affinity else (),
        final_cpus=_cpus(affinity.final, "final") if affinity else (),
        personality=_personality(persona),
        memory_mode=mode,
        memory_nodes=nodes,
    )


def parse_list(text: str, field: str) -> tuple[int, ...]:
    """Read ``0-2,5`` as the kernel does; raise InvalidArgumentError naming ``field``."""
    numbers: set[int] = set()
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise InvalidArgumentError(f"{field}: {part!r} is not a number or a range")
        low, high = int(first), int(last if dash else first)
        if low > high or high >= _MOST_NUMBERS:
            raise InvalidArgumentError(f"{field}: {part!r} is not a range of numbers")
        numbers.update(range(low, high + 1))
    return tuple(sorted(numbers))


def _cpus(text: str, which: str) -> tuple[int, ...]:
    return parse_list(text, f"process.execCPUAffinity.{which}")


def _scheduler(scheduler: oci.Scheduler | None) -> SchedulerPlan | None:
    if scheduler is None:
        return None
    policy = scheduler.policy.removeprefix("SCHED_")
    if policy == "ISO":
        raise InvalidArgumentError("process.scheduler.policy: Linux has no SCHED_ISO")
    if policy not in ("FIFO", "RR") and scheduler.priority:
        raise InvalidArgumentError(
            f"process.scheduler.priority: only for SCHED_FIFO and SCHED_RR, not {scheduler.policy}"
        )
    if policy not in ("OTHER", "BATCH") and scheduler.nice:
        raise InvalidArgumentError(
            f"process.scheduler.nice: only for SCHED_OTHER and SCHED_BATCH, not {scheduler.policy}"
        )
    for name in _ONLY_DEADLINE:
        if policy != "DEADLINE" and getattr(scheduler, name):
            raise InvalidArgumentError(f"process.scheduler.{name}: only for SCHED_DEADLINE")
    return SchedulerPlan(
        policy=_POLICIES[policy],
        nice=scheduler.nice,
        priority=scheduler.priority,
        flags=sum(_SCHEDULER_FLAGS[flag] for flag in set(scheduler.flags)),
        runtime=scheduler.runtime,
        deadline=scheduler.deadline,
        period=scheduler.period,
    )


def _io_priority(priority: oci.IoPriority | None) -> int:
    if priority is None:
        return -1
    return _IO_CLASSES[priority.io_class] << 13 | priority.priority


def _personality(personality: oci.Personality | None) -> int:
    if personality is None:
        return -1
    if personality.flags:
        raise InvalidArgumentError(
            "linux.personality.flags: the specification defines none, so none is supported"
        )
    return _PERSONALITIES[personality.domain]


def _memory(policy: oci.MemoryPolicy | None) -> tuple[int, tuple[int, ...]]:
    if policy is None:
        return -1, ()
    nodes = parse_list(policy.nodes, "linux.memoryPolicy.nodes")
    if nodes and policy.mode in ("MPOL_DEFAULT", "MPOL_LOCAL"):
        raise InvalidArgumentError(f"linux.memoryPolicy.nodes: none allowed with {policy.mode}")
    if not nodes and policy.mode not in ("MPOL_DEFAULT", "MPOL_LOCAL", "MPOL_PREFERRED"):
        raise InvalidArgumentError(f"linux.memoryPolicy.nodes: missing with {policy.mode}")
    flags = sum(_MEMORY_FLAGS[flag] for flag in set(policy.flags))
    return _MEMORY_MODES[policy.mode] | flags, nodes
