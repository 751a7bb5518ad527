"""Where and when a process runs, carried out by the process itself before it enters anything.

Loaded only for a plan that asks for it.
"""

import os
from collections.abc import Callable

from boxship.kernel import scheduling
from boxship.runtime.apply import StepError
from boxship.runtime.blueprint import Placement, SchedulerPlan

_DEADLINE = 6
_RESET_ON_FORK = 1


def before_cgroups(placement: Placement) -> None:
    """Take the processors that hold until the container's own cpuset does."""
    if placement.initial_cpus:
        _set(
            "process.execCPUAffinity.initial",
            lambda: os.sched_setaffinity(0, placement.initial_cpus),
        )


def after_cgroups(placement: Placement) -> None:
    """Take the rest; what is taken here, exec keeps."""
    scheduler = placement.scheduler
    if placement.final_cpus:
        _set("process.execCPUAffinity.final", lambda: os.sched_setaffinity(0, placement.final_cpus))
    if placement.memory_mode >= 0:
        _set(
            "linux.memoryPolicy",
            lambda: scheduling.set_mempolicy(placement.memory_mode, placement.memory_nodes),
        )
    if placement.io_priority >= 0:
        _set("process.ioPriority", lambda: scheduling.ioprio_set(placement.io_priority))
    if scheduler is not None and not _is_lost_by_forking(scheduler):
        _take(scheduler)
    if placement.personality >= 0:
        _set("linux.personality", lambda: scheduling.personality(placement.personality))


def before_exec(placement: Placement) -> None:
    """Take what only the process itself can have, which forks no more; it is inside already."""
    if placement.scheduler is not None and _is_lost_by_forking(placement.scheduler):
        _take(placement.scheduler)


def _is_lost_by_forking(scheduler: SchedulerPlan) -> bool:
    """Tell whether a child would not have it: an exec's, and that of a user namespace's stage.

    Who has a deadline cannot fork at all (sched(7)).
    """
    return scheduler.policy == _DEADLINE or bool(scheduler.flags & _RESET_ON_FORK)


def _take(scheduler: SchedulerPlan) -> None:
    _set(
        "process.scheduler",
        lambda: scheduling.sched_setattr(
            scheduler.policy,
            scheduler.flags,
            scheduler.nice,
            scheduler.priority,
            scheduler.runtime,
            scheduler.deadline,
            scheduler.period,
        ),
    )


def _set(field: str, call: Callable[[], None]) -> None:
    try:
        call()
    except OSError as error:
        number = error.errno or 0
        raise StepError("placement", number, f"{field}: {os.strerror(number)}") from error
