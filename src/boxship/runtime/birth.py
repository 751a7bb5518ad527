"""The child's side of a process's birth, and the handshake with its parent.

::

    parent (shim)                                child
    ─────────────                                ─────
    create cgroups, write limits
    clone3 into cgroup2's ─────────────────────► join the others, namespaces, mounts, pivot_root …
    ◄────────────────────────────────── FIRST    with a user namespace only: the pid of the first
    any byte ──────────────────────────────►     process, of which ours was a stage (``userns.py``)
    ◄──────────────────────────────────── PTY    with the pty's master (SCM_RIGHTS), if asked for
    ◄──────────────────────────────────── ASK    "hooks", before the root is changed; also "maps"
    any byte ──────────────────────────────►     done: hooks in the container's namespaces,
                                                 then pivot_root and the rest of the set-up
                                                 session … command (``enter.PREPARATIONS``)
    ◄─────────────────────────────── LISTENER    the number of seccomp's listener, to be taken
    any byte ──────────────────────────────►     it has been handed on
    ◄────────────────────────────────── READY    warnings, end of each step
    ◄──────────────────────────────────── ASK    "start" (``Gate.PARENT``); or wait for a byte on
                                                 exec.fifo (``Gate`` of descriptors)
                                                 startContainer hooks, seccomp, capabilities, execve
    ◄──────────────────────────────────── EOF    the descriptor is close-on-exec: it has executed
    or ◄─────────────────────────────── FAILED   at any point, as data; then the child exits

A container that joins the pid namespace of another one has a stage, too (``latecomer.py``). An
exec has one more process in between, which ``join`` tells of: it enters the container, forks the
child as its own sibling, says BORN with the child's pid and a pidfd, and is gone.

One SOCK_SEQPACKET pair, so that messages keep their bounds; the first byte says what it is. EOF
without READY means that the child was killed on its way. The parent's death is EOF for the child.
With exec.fifo the parent leaves at READY; what fails later is said on the gate's second descriptor,
where whoever started the container listens (``cli/fifo.py``).
"""

from __future__ import annotations

import os
import select
import time

from boxship.base import jsontext
from boxship.base.frozen import dataclass
from boxship.base.loading import load
from boxship.base.suppress import suppress
from boxship.kernel import namespaces, processes, signals
from boxship.kernel.channel import Channel
from boxship.runtime import enter, steps
from boxship.runtime.apply import Setup, StepError, open_pty, walk
from boxship.runtime.blueprint import CgroupPlan, Plan, ProcessPlan
from boxship.runtime.cgroups import tree
from boxship.runtime.command import CommandError, check_format
from boxship.runtime.kernel import LINUX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from boxship.oci.runtime import Hook
    from boxship.runtime.hooks import HookState

BORN = b"B"
PTY = b"P"
READY = b"R"
FAILED = b"F"
ASK = b"A"
FIRST = b"U"
LISTENER = b"L"

HOOKS = "hooks"
START = "start"

_EXEC_NAMESPACES = ("mnt", "net", "ipc", "uts", "cgroup", "pid")
_EXEC_FLAGS = sum(namespaces.CLONE_FLAGS[kind] for kind in _EXEC_NAMESPACES)

_AFTER_HOOKS = (steps.ReadonlyPaths, steps.MaskPaths, steps.ReadonlyRoot, steps.PivotRoot)
"""Hooks may still mount and write everywhere, so they come before the first of these."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What the child waits for before it executes: a byte from ``fifo``, then word to ``outcome``.

    Both are FIFOs' descriptors. ``outcome`` ends with the command's execution; before it comes
    the reason, if that failed.
    """

    fifo: int
    outcome: int


@dataclass(frozen=True, slots=True)
class Manner:
    """How a process is born, apart from what it is."""

    bound: bool = True
    """Die with the parent."""
    gate: Gate | None = None
    asks: frozenset[str] = frozenset()
    """What the parent is asked for: HOOKS, START."""
    preserved: int = 0
    """How many descriptors from 3 on the command inherits."""
    native_only: bool = False
    """No other formats than the kernel's own can be executed: find that out beforehand."""
    create_container: tuple[Hook, ...] = ()
    start_container: tuple[Hook, ...] = ()
    hook_state: HookState | None = None


ORDINARY = Manner()


class ChildEnd:
    """The child's end of the handshake."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def send_born(self, pid: int, pidfd: int) -> None:
        self._channel.send_with(BORN + str(pid).encode(), [pidfd])

    def send_pty(self, master: int) -> None:
        self._channel.send_with(PTY, [master])

    def send_ready(self, warnings: list[str], ended: list[int]) -> None:
        body = jsontext.dumps([warnings, ended])
        self._channel.say(READY + body.encode())

    def send_failure(self, failure: StepError) -> None:
        body = [failure.step, failure.errno, failure.message[:4096], failure.exit_code]
        self._channel.say(FAILED + jsontext.dumps(body).encode())

    def ask(self, what: str) -> None:
        """Have the parent do something; return when it is done. Without a parent, end."""
        self._channel.say(ASK + what.encode())
        self.wait()

    def send_first(self, pid: int) -> None:
        self._channel.say(FIRST + str(pid).encode())

    def send_listener(self, number: int) -> None:
        """By ``write(2)``, the one call that a filter with a listener must not hold up."""
        os.write(self._channel.fileno(), LISTENER + str(number).encode())
        self.wait()  # exec would close it

    def wait(self) -> None:
        """Wait for the parent's leave to go on. Without a parent, end."""
        if not self._channel.recv(1):
            os._exit(1)

    def parent_is_gone(self) -> bool:
        """Tell whether the parent died before it could be our death signal's sender."""
        poller = select.poll()
        poller.register(self._channel, 0)
        return bool(poller.poll(0))


def run_init(
    plan: Plan,
    stdio: tuple[int, int, int],
    channel: Channel,
    manner: Manner = ORDINARY,
) -> NoReturn:
    """Become the container's first process."""

    def prepare(end: ChildEnd, ended: list[int]) -> enter.Entry:
        warnings = _take_place(plan.cgroup, plan.process)
        label = -1 if plan.join_pid_namespace else enter.open_label(plan.process)
        ended.append(time.monotonic_ns())
        setup = Setup(LINUX, end.send_pty, ended=ended)
        if plan.join_pid_namespace:
            latecomer = load("boxship.runtime.latecomer")
            setup.pid_namespace = latecomer.open_pid_namespace(plan.join_pid_namespace)
        if plan.user is not None:
            load("boxship.runtime.userns").enter(plan, setup, end, stdio)
        before = _steps_before_hooks(plan.setup)
        walk(plan.setup[:before], setup)
        if HOOKS in manner.asks:
            end.ask(HOOKS)
        _run_hooks("createContainer", manner.create_container, manner, "creating")
        walk(plan.setup[before:], setup)
        enter.refuse_imports()
        if plan.join_pid_namespace:
            gate = (manner.gate.fifo, manner.gate.outcome) if manner.gate else ()
            preserved = range(3, 3 + manner.preserved)
            theirs = {*stdio, setup.peer, *gate, *preserved}
            _keep_only({channel.fileno(), setup.pid_namespace, *theirs})
            # Hooks in the container are the engine's programs, and may need it all.
            process = None if manner.start_container else plan.process
            latecomer.be_born(setup.pid_namespace, end, process)
            label = enter.open_label(plan.process)
        return enter.Entry(plan.process, stdio, setup.peer, label, warnings=warnings)

    _become(channel, prepare, manner)


def _steps_before_hooks(setup: Sequence[steps.Step]) -> int:
    after = (n for n, step in enumerate(setup) if isinstance(step, _AFTER_HOOKS))
    return next(after, len(setup))


def _run_hooks(kind: str, wanted: Sequence[Hook], manner: Manner, status: str) -> None:
    """Run hooks that belong into the container's namespaces, where our pid is another one."""
    if not wanted or manner.hook_state is None:
        return
    from boxship.runtime import hooks

    try:
        hooks.run(kind, wanted, manner.hook_state.at(status, os.getpid()))
    except hooks.HookError as error:
        raise StepError("hook", 0, str(error)) from None


def join(
    pidfd: int,
    process: ProcessPlan,
    cgroup: CgroupPlan,
    stdio: tuple[int, int, int],
    channel: Channel,
    *,
    terminal: bool,
    manner: Manner = ORDINARY,
) -> NoReturn:
    """Enter the container whose init is ``pidfd``, and fork the process that executes there.

    That one must be the container's in every respect from its first moment: it is visible in the
    container, where somebody with CAP_SYS_PTRACE could look at what is left of the host in it: its
    root, its working directory, its descriptors. This process is not visible: its own pid namespace
    stays the host's. What it keeps open is what the other may have.
    """
    end = ChildEnd(channel)
    status = 1
    try:
        _keep_only({channel.fileno(), pidfd, *stdio, *range(3, 3 + manner.preserved)})
        warnings = _take_place(cgroup, process)
        mapped = namespaces.differs(pidfd, "user")
        if mapped:
            load("boxship.runtime.userns").give_streams(pidfd, stdio, process)
        enter.refuse_imports()
        _enter_namespaces(pidfd, mapped=mapped)
        os.close(pidfd)
        enter.shed(process)
        pid, held = processes.fork_held(sibling=True)
        if pid == 0:
            entry = enter.Entry(process, stdio, warnings=warnings)
            _run_exec(entry, channel, manner, terminal=terminal)
        end.send_born(pid, held)
        status = 0
    except StepError as failure:
        _report(end, failure, manner)
    except OSError as error:
        message = f"cannot join the container: {error}"
        _report(end, StepError("join", error.errno or 0, message), manner)
    except BaseException as error:  # noqa: BLE001 - nobody else to tell
        _report(end, StepError("internal", 0, f"{type(error).__name__}: {error}"), manner)
    finally:
        os._exit(status)


def _keep_only(wanted: set[int]) -> None:
    """Close every descriptor but standard error and these."""
    first = 0
    for fd in sorted({2, *wanted} - {-1}):
        if first < fd:  # an empty range would be taken for all
            os.closerange(first, fd)
        first = fd + 1
    processes.close_from(first)


def _enter_namespaces(pidfd: int, *, mapped: bool) -> None:
    """Enter all namespaces of a process in one call.

    A user namespace that we are in already cannot be joined again, and not every kernel has time
    namespaces, so these two are asked for where they are others than ours; ``mapped``: the user
    namespace is.
    """
    flags = _EXEC_FLAGS | (namespaces.CLONE_FLAGS["user"] if mapped else 0)
    if namespaces.differs(pidfd, "time"):
        flags |= namespaces.CLONE_FLAGS["time"]
    namespaces.setns(pidfd, flags)
    if mapped:
        with suppress(OSError):  # there may be no user 0
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
        processes.set_dumpable(False)


def _run_exec(entry: enter.Entry, channel: Channel, manner: Manner, *, terminal: bool) -> NoReturn:
    """Become one more process of the container; we are inside already."""

    def prepare(end: ChildEnd, ended: list[int]) -> enter.Entry:
        entry.label = enter.open_label(entry.plan)
        ended.append(time.monotonic_ns())
        entry.peer = _own_terminal(end, entry.plan) if terminal else -1
        ended.append(time.monotonic_ns())
        return entry

    _become(channel, prepare, manner)


def _own_terminal(end: ChildEnd, process: ProcessPlan) -> int:
    try:
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        master, peer = open_pty(LINUX, root, process.height, process.width)
        end.send_pty(master)
        os.close(master)
        os.close(root)
    except OSError as error:
        raise StepError("pty", error.errno or 0, f"cannot open a terminal: {error}") from error
    return peer


def _take_place(cgroup: CgroupPlan, process: ProcessPlan) -> list[str]:
    """Do what needs the host's own view of /proc and /sys; return the warnings."""
    warnings = []
    score = process.oom_score_adj
    if score is not None:
        try:
            tree.write_file("/proc/self/oom_score_adj", str(score))
        except PermissionError:
            warnings.append(f"oom_score_adj: {score} cannot be set without CAP_SYS_RESOURCE")
    placement = process.placement and load("boxship.runtime.placement")
    if placement:
        placement.before_cgroups(process.placement)
    try:
        tree.join(cgroup)
    except tree.CgroupError as error:
        raise StepError("cgroup", error.errno, str(error)) from error
    if placement:
        placement.after_cgroups(process.placement)
    # Until exec nobody in the container may look into us: our memory holds the shim's.
    processes.set_dumpable(False)
    return warnings


def _become(
    channel: Channel,
    prepare: Callable[[ChildEnd, list[int]], enter.Entry],
    manner: Manner,
) -> NoReturn:
    """Prepare, enter and execute; whatever goes wrong reaches the parent and ends this process.

    Nothing of the parent's Python must run on from here: no ``finally``, no ``atexit``.
    """
    end = ChildEnd(channel)
    try:
        os.umask(0)
        enter.reset_signals()
        processes.set_parent_death_signal(signals.SIGKILL)
        ended: list[int] = []
        _finish(end, prepare(end, ended), ended, manner)
    except StepError as failure:
        _report(end, failure, manner)
    except BaseException as error:  # noqa: BLE001 - a child has nobody else to tell
        _report(end, StepError("internal", 0, f"{type(error).__name__}: {error}"), manner)
    finally:
        os._exit(1)


def _finish(end: ChildEnd, entry: enter.Entry, ended: list[int], manner: Manner) -> None:
    for name, prepare in enter.PREPARATIONS:
        try:
            prepare(entry)
        except OSError as error:
            raise StepError(name, error.errno or 0, f"{name}: {error}") from error
        ended.append(time.monotonic_ns())
    if manner.native_only:
        _check_format(entry)
    for fd in range(3, 3 + manner.preserved):
        os.set_inheritable(fd, True)
    listening = entry.plan.seccomp is not None and entry.plan.seccomp.listener is not None
    if listening:
        # While the parent is still there to hand the listener on.
        end.send_listener(_filter(entry))
    _be_ready(end, entry, ended, manner)
    _run_hooks("startContainer", manner.start_container, manner, "created")
    if not listening:
        _filter(entry)
    if manner.bound:
        # Last, because new credentials undo it.
        processes.set_parent_death_signal(signals.SIGKILL)
    enter.execute(entry)


def _check_format(entry: enter.Entry) -> None:
    try:
        check_format(entry.plan.init or entry.executable)
    except CommandError as error:
        raise StepError("command", error.errno, str(error), error.exit_code) from None


def _filter(entry: enter.Entry) -> int:
    try:
        return enter.seccomp(entry)
    except OSError as error:
        raise StepError("seccomp", error.errno or 0, f"seccomp: {error}") from error


def _be_ready(end: ChildEnd, entry: enter.Entry, ended: list[int], manner: Manner) -> None:
    """Tell the parent, and wait for leave to go on."""
    processes.set_parent_death_signal(signals.SIGKILL if manner.bound else 0)
    if end.parent_is_gone():
        os._exit(1)
    end.send_ready(entry.warnings, ended)
    if START in manner.asks:
        end.ask(START)
    if manner.gate:
        poller = select.poll()
        poller.register(manner.gate.fifo, select.POLLIN)
        poller.poll()


def _report(end: ChildEnd, failure: StepError, manner: Manner) -> None:
    with suppress(OSError):
        if manner.gate:
            text = jsontext.dumps(failure.message[:2048])
            os.write(manner.gate.outcome, text.encode())
        end.send_failure(failure)
