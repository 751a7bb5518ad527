"""Where and when a process runs, carried out by the process itself before it enters anything.

Loaded only for a plan that asks for it.
"""

import os
from collections.abc import Callable

from boxship.kernel import scheduling
from boxship.runtime.apply import StepError
from boxship.runtime.blueprint import Placement


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
    if scheduler is not None:
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
    if placement.personality >= 0:
        _set("linux.personality", lambda: scheduling.personality(placement.personality))


def _set(field: str, call: Callable[[], None]) -> None:
    try:
        call()
    except OSError as error:
        number = error.errno or 0
        raise StepError("placement", number, f"{field}: {os.strerror(number)}") from error
