"""What the shim asks of the runtime, behind a Protocol so that tests can run plain processes."""

import resource
from dataclasses import replace
from typing import Protocol

from boxship.runtime import process
from boxship.runtime.blueprint import CgroupPlan, Plan, ProcessPlan, Rlimit
from boxship.runtime.cgroups import control

Descriptors = tuple[int, int, int]
"""A process's 0, 1 and 2; -1 with a terminal."""


class Containment(Protocol):
    """Makes containers and processes in them. Failures are StepFailedError."""

    def spawn_init(self, plan: Plan, streams: Descriptors, *, terminal: bool) -> process.Spawned:
        """Create the container; see ``boxship.runtime.process``."""
        ...

    def spawn_exec(
        self,
        pidfd: int,
        plan: ProcessPlan,
        cgroup: CgroupPlan,
        streams: Descriptors,
        *,
        terminal: bool,
    ) -> process.Spawned:
        """Run one more process in the container of ``pidfd``."""
        ...

    def destroy(self, plan: Plan) -> None:
        """Kill what is left in the container's cgroups and remove them. Raise BoxshipError."""
        ...

    def out_of_memory(self, cgroup: CgroupPlan) -> bool:
        """Tell whether the kernel killed a process of the container for want of memory."""
        ...

    def processes(self, cgroup: CgroupPlan) -> tuple[int, ...]:
        """Return the container's processes, as the host numbers them."""
        ...


class LinuxContainment:
    """The real one. Called in the starter, whose parent, the shim, shall be the parent.

    ``open_files``: the soft limit that containers get unless their plan has one. The shims' own is
    higher: each attached client takes a descriptor.
    """

    def __init__(self, open_files: int) -> None:
        self._open_files = open_files

    def spawn_init(self, plan: Plan, streams: Descriptors, *, terminal: bool) -> process.Spawned:
        plan = replace(plan, process=self._limited(plan.process))
        return process.spawn_init(plan, *streams, terminal=terminal, sibling=True)

    def spawn_exec(
        self,
        pidfd: int,
        plan: ProcessPlan,
        cgroup: CgroupPlan,
        streams: Descriptors,
        *,
        terminal: bool,
    ) -> process.Spawned:
        plan = self._limited(plan)
        return process.spawn_exec(pidfd, plan, cgroup, *streams, terminal=terminal, sibling=True)

    def destroy(self, plan: Plan) -> None:
        process.destroy(plan)

    def out_of_memory(self, cgroup: CgroupPlan) -> bool:
        return control.oom_kills(cgroup) > 0

    def processes(self, cgroup: CgroupPlan) -> tuple[int, ...]:
        return control.processes(cgroup)

    def _limited(self, plan: ProcessPlan) -> ProcessPlan:
        if any(limit.resource == resource.RLIMIT_NOFILE for limit in plan.rlimits):
            return plan
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        own = Rlimit(resource.RLIMIT_NOFILE, self._open_files, hard, "RLIMIT_NOFILE")
        return replace(plan, rlimits=(*plan.rlimits, own))
