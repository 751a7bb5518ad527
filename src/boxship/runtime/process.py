"""Bring processes of a container to life, and end what is left. Called by the shim.

The shim must be single-threaded: ``spawn_init`` changes the pid namespace its children are born
into, and a process in that state cannot create threads.
"""

from dataclasses import dataclass

from boxship.base.errors import BoxshipError
from boxship.runtime.blueprint import CgroupPlan, Plan, ProcessPlan


class StepFailedError(BoxshipError):
    """A step failed, in the parent or in the child. ``str()`` is the message alone, for a person.

    ``exit_code`` is what Docker's client exits with: 125 the container could not be set up,
    126 the command cannot be executed, 127 it was not found. ``errno`` is 0 when no system call
    was to blame.
    """

    def __init__(self, step: str, errno: int, message: str, exit_code: int = 125) -> None:
        super().__init__(message)
        self.step = step
        self.errno = errno
        self.message = message
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Timing:
    """``started`` and ``ended`` in ns of CLOCK_MONOTONIC, comparable between processes."""

    step: str
    started: int
    ended: int


@dataclass(frozen=True, slots=True)
class Spawned:
    """A process that has executed its command. The caller owns and closes the descriptors.

    ``pid`` is as the caller's pid namespace sees it; the caller is its parent and reaps it.
    ``master`` is the pty's master side (close-on-exec, blocking) when a terminal was asked for,
    else -1; resize it with ``boxship.kernel.terminal.set_window_size(master, height, width)``.
    """

    pid: int
    pidfd: int
    master: int
    warnings: tuple[str, ...]
    timings: tuple[Timing, ...]


def spawn_init(
    plan: Plan, stdin: int, stdout: int, stderr: int, *, terminal: bool | None = None
) -> Spawned:
    """Create the container that ``plan`` describes and return once its command is executing.

    ``stdin``, ``stdout``, ``stderr`` become the process's 0, 1, 2 (the caller keeps and closes its
    own copies; the same number may be given more than once). With ``terminal`` (default:
    ``plan.process.terminal``) they are ignored, pass -1: the child opens a pty in the container's
    own devpts and its master comes back in ``Spawned.master``.

    On failure nothing is left (child reaped, cgroups removed) and StepFailedError is raised.
    """
    raise NotImplementedError


def spawn_exec(  # noqa: PLR0917 - three descriptors in their usual order
    pidfd: int,
    process: ProcessPlan,
    cgroup: CgroupPlan,
    stdin: int,
    stdout: int,
    stderr: int,
    *,
    terminal: bool | None = None,
) -> Spawned:
    """Run one more process in the container whose init ``pidfd`` refers to.

    ``cgroup`` is the container's (``plan.cgroup``); its values are not written again. Everything
    else is as in ``spawn_init``. The new process dies with the caller (PR_SET_PDEATHSIG).
    """
    raise NotImplementedError


def destroy(plan: Plan) -> None:
    """Kill what is left in the container's cgroups and remove them; done twice is no error."""
    raise NotImplementedError
