"""What is done to the processes of a cgroup as a whole: list, pause, kill, count."""

from __future__ import annotations

import os
import select
import time

from boxship.base.errors import BoxshipError, UnavailableError
from boxship.base.loading import load
from boxship.base.suppress import suppress
from boxship.kernel import signals
from boxship.runtime.blueprint import CgroupPlan, directory_of
from boxship.runtime.cgroups.tree import read_file, remove, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_KILL_ROUNDS = 100
_MEMORY_V1 = ("memory.max_usage_in_bytes", "memory.limit_in_bytes")
_NO_LIMIT = 1 << 62
"""What the kernel of cgroup v1 says for none is near 2**63."""


def processes(plan: CgroupPlan) -> tuple[int, ...]:
    """Return the pids inside, those in cgroups below included, in ascending order."""
    found: set[int] = set()
    for directory in _walk(_main_directory(plan)):
        with suppress(FileNotFoundError, OSError):
            found.update(map(int, read_file(f"{directory}/cgroup.procs").split()))
    return tuple(sorted(found))


def pause(plan: CgroupPlan, timeout: float = 10.0) -> None:
    """Stop every process where it is; return when all have stopped."""
    freezer = directory_of(plan, "freezer")
    if freezer:
        _freeze_v1(f"{freezer}/freezer.state", timeout)
    elif unified := directory_of(plan, ""):
        _freeze_v2(unified, frozen=True, timeout=timeout)
    else:
        raise UnavailableError("the container is in no cgroup that could freeze its processes")


def resume(plan: CgroupPlan, timeout: float = 10.0) -> None:
    """Let the processes go on."""
    freezer = directory_of(plan, "freezer")
    if freezer:
        write_file(f"{freezer}/freezer.state", "THAWED")
    else:
        _freeze_v2(directory_of(plan, ""), frozen=False, timeout=timeout)


def is_paused(plan: CgroupPlan) -> bool:
    """Tell whether the processes are stopped by ``pause``."""
    freezer = directory_of(plan, "freezer")
    if freezer:
        return read_file(f"{freezer}/freezer.state").strip() == "FROZEN"
    return "frozen 1" in read_file(f"{directory_of(plan, '')}/cgroup.events")


def kill(plan: CgroupPlan) -> None:
    """Kill every process inside and return when none is left, or after a bounded wait."""
    unified = directory_of(plan, "")
    one_go = bool(unified) and _write_if_there(f"{unified}/cgroup.kill", "1")
    for _ in range(_KILL_ROUNDS):
        try:
            pids = processes(plan)
        except FileNotFoundError:
            return
        if not pids:
            return
        if not one_go:
            _signal_all(pids)
        # A frozen v1 cgroup keeps even killed processes; a thawed one takes no harm.
        if freezer := directory_of(plan, "freezer"):
            _write_if_there(f"{freezer}/freezer.state", "THAWED")
        _wait_for_any_end(pids)
    raise UnavailableError(f"processes {pids} cannot be killed")


def kill_and_remove(plan: CgroupPlan) -> None:
    """Kill what is inside and remove the directories; missing ones are no error."""
    if not plan.directories:
        return
    for pause_ms in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500):
        busy = remove(plan)
        if not busy:
            if plan.scope:
                with suppress(BoxshipError):  # there is nothing left that it would keep
                    load("boxship.runtime.cgroups.systemd").stop_scope(plan.scope.unit)
            return
        kill(plan)
        # A process that has been reaped may still hold its cgroup for a moment; v1 has no event
        # to tell when it lets go.
        select.select((), (), (), pause_ms / 1000)
    raise UnavailableError(f"cgroup {busy[0]} stays busy")


def oom_kills(plan: CgroupPlan) -> int:
    """Return how many processes inside the kernel has killed for want of memory."""
    memory = directory_of(plan, "memory")
    if not memory:
        return 0
    unified = any(d.unified and d.path == memory for d in plan.directories)
    file = "memory.events" if unified else "memory.oom_control"
    try:
        text = read_file(f"{memory}/{file}")
    except OSError:  # removed by somebody, before we could open it (ENOENT) or after (ENODEV)
        return 0
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill":
            return int(value)
    return 0


def memory(plan: CgroupPlan) -> tuple[int, int]:
    """Return the most memory used at once, and the limit, in bytes; 0: the kernel tells none."""
    directory = directory_of(plan, "memory")
    if not directory:
        return 0, 0
    unified = any(d.unified and d.path == directory for d in plan.directories)
    # memory.peak is Linux 5.19's.
    names = ("memory.peak", "memory.max") if unified else _MEMORY_V1
    peak, limit = (_number(f"{directory}/{name}") for name in names)
    return peak, limit if limit < _NO_LIMIT else 0


def _number(path: str) -> int:
    try:
        text = read_file(path).strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0


def pids_current(plan: CgroupPlan) -> int:
    """Return how many tasks are inside, threads included; 0 without the pids controller."""
    directory = directory_of(plan, "pids")
    return int(read_file(f"{directory}/pids.current")) if directory else 0


def _main_directory(plan: CgroupPlan) -> str:
    """Prefer a hierarchy the container cannot rearrange: v1's pids, memory or freezer."""
    for controller in ("pids", "memory", "freezer", ""):
        if directory := directory_of(plan, controller):
            return directory
    return plan.directories[0].path if plan.directories else ""


def _walk(directory: str) -> Iterator[str]:
    yield directory
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        children = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        for child in children:
            yield from _walk(child)


def _freeze_v1(path: str, timeout: float) -> None:
    """Write FROZEN until it is so: a process that forks just then leaves it at FREEZING."""
    deadline = time.monotonic() + timeout
    write_file(path, "FROZEN")
    delay = 0.0001
    while read_file(path).strip() != "FROZEN":
        if time.monotonic() > deadline:
            write_file(path, "THAWED")
            raise UnavailableError("the container's processes could not all be frozen")
        select.select((), (), (), delay)
        delay = min(delay * 2, 0.02)
        write_file(path, "FROZEN")


def _freeze_v2(directory: str, *, frozen: bool, timeout: float) -> None:
    wanted = f"frozen {int(frozen)}"
    with open(f"{directory}/cgroup.events", "rb", buffering=0) as events:
        poller = select.poll()
        poller.register(events, select.POLLPRI)
        write_file(f"{directory}/cgroup.freeze", str(int(frozen)))
        deadline = time.monotonic() + timeout
        while wanted not in os.pread(events.fileno(), 4096, 0).decode():
            left = deadline - time.monotonic()
            if left <= 0:
                write_file(f"{directory}/cgroup.freeze", "0")
                raise UnavailableError("the container's processes could not all be frozen")
            poller.poll(left * 1000)


def _write_if_there(path: str, value: str) -> bool:
    try:
        write_file(path, value)
    except FileNotFoundError:
        return False
    return True


def _signal_all(pids: tuple[int, ...]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signals.SIGKILL)


def _wait_for_any_end(pids: tuple[int, ...], timeout_ms: int = 100) -> None:
    """Wait until one of ``pids`` has ended."""
    try:
        fd = os.pidfd_open(pids[-1])
    except ProcessLookupError:
        return
    try:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        poller.poll(timeout_ms)
    finally:
        os.close(fd)
