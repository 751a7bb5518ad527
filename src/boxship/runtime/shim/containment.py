"""What the shim asks of the runtime, behind a Protocol so that tests can run plain processes."""

import resource
from dataclasses import replace
from importlib import import_module
from typing import Any, NamedTuple, Protocol, cast

from boxship.runtime import process
from boxship.runtime.blueprint import CgroupPlan, Plan, ProcessPlan, Rlimit
from boxship.runtime.cgroups import control

Descriptors = tuple[int, int, int]
"""A process's 0, 1 and 2; -1 with a terminal."""


class Init(NamedTuple):
    """A container's first process, and what is still to know of its plan."""

    pid: int
    pidfd: int
    plan: Plan


class Containment(Protocol):
    """Makes containers and processes in them. Failures are StepFailedError."""

    def spawn_init(self, plan: Plan, streams: Descriptors, *, terminal: bool) -> process.Spawned:
        """Create the container; see ``boxship.runtime.process``."""
        ...

    def spawn_exec(
        self,
        init: Init,
        plan: ProcessPlan,
        streams: Descriptors,
        *,
        terminal: bool,
        name: str,
    ) -> process.Spawned:
        """Run one more process in the container of ``init``; ``name`` is the exec's id."""
        ...

    def destroy(self, plan: Plan) -> None:
        """Kill what is left in the container's cgroups and remove them. Raise BoxshipError."""
        ...

    def out_of_memory(self, cgroup: CgroupPlan) -> bool:
        """Tell whether the kernel killed a process of the container for want of memory."""
        ...

    def memory(self, cgroup: CgroupPlan) -> tuple[int, int]:
        """Return the most memory the container has used, and its limit; 0: unknown, or none."""
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
        if plan.restore is not None:
            restored = import_module("boxship.runtime.checkpoint").spawn_init(plan, streams)
            return cast("process.Spawned", restored)
        if plan.foreign is not None:
            spawned = _foreign().spawn_init(plan, streams, terminal=terminal)
            return cast("process.Spawned", spawned)
        if plan.hooks is not None:
            spawned = _hooking().spawn_init(plan, streams, terminal=terminal)
            return cast("process.Spawned", spawned)
        return process.spawn_init(plan, *streams, terminal=terminal, sibling=True)

    def spawn_exec(
        self,
        init: Init,
        plan: ProcessPlan,
        streams: Descriptors,
        *,
        terminal: bool,
        name: str,
    ) -> process.Spawned:
        plan = self._limited(plan)
        if init.plan.foreign is not None:
            spawned = _foreign().spawn_exec(
                init.pid, plan, init.plan, streams, terminal=terminal, name=name
            )
            return cast("process.Spawned", spawned)
        return process.spawn_exec(
            init.pidfd, plan, init.plan.cgroup, *streams, terminal=terminal, sibling=True
        )

    def destroy(self, plan: Plan) -> None:
        if plan.foreign is not None:
            _foreign().destroy(plan)
        else:
            process.destroy(plan)
            if plan.hooks is not None:
                _hooking().stopped(plan)

    def out_of_memory(self, cgroup: CgroupPlan) -> bool:
        return control.oom_kills(cgroup) > 0

    def memory(self, cgroup: CgroupPlan) -> tuple[int, int]:
        return control.memory(cgroup)

    def processes(self, cgroup: CgroupPlan) -> tuple[int, ...]:
        return control.processes(cgroup)

    def _limited(self, plan: ProcessPlan) -> ProcessPlan:
        if any(limit.resource == resource.RLIMIT_NOFILE for limit in plan.rlimits):
            return plan
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        own = Rlimit(resource.RLIMIT_NOFILE, self._open_files, hard, "RLIMIT_NOFILE")
        return replace(plan, rlimits=(*plan.rlimits, own))


def _hooking() -> Any:
    return import_module("boxship.runtime.shim.hooking")


def _foreign() -> Any:
    """Load what another runtime takes: in the process that needs it, not in every shim."""
    return import_module("boxship.runtime.foreign.container")
