"""The child's side of a process's birth, and the handshake with its parent.

::

    parent (shim)                                child
    ─────────────                                ─────
    create cgroups, write limits
    clone3 into cgroup2's ─────────────────────► join the others, namespaces, mounts, pivot_root …
    ◄──────────────────────────────────── PTY    with the pty's master (SCM_RIGHTS), if asked for
                                                 session … command (``enter.PREPARATIONS``)
    ◄────────────────────────────────── READY    warnings, end of each step
                                                 seccomp, capabilities, execve
    ◄──────────────────────────────────── EOF    the descriptor is close-on-exec: it has executed
    or ◄─────────────────────────────── FAILED   at any point, as data; then the child exits

An exec has one more process in between, which ``join`` tells of: it enters the container, forks the
child as its own sibling, says BORN with the child's pid and a pidfd, and is gone.

One SOCK_SEQPACKET pair, so that messages keep their bounds; the first byte says what it is. EOF
without READY means that the child was killed on its way. The parent's death is EOF for the child.
"""

import contextlib
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import NoReturn

from boxship.kernel import namespaces, processes
from boxship.runtime import enter
from boxship.runtime.apply import Setup, StepError, open_pty, walk
from boxship.runtime.blueprint import CgroupPlan, Plan, ProcessPlan
from boxship.runtime.cgroups import tree
from boxship.runtime.kernel import LINUX

BORN = b"B"
PTY = b"P"
READY = b"R"
FAILED = b"F"

_EXEC_NAMESPACES = ("mnt", "net", "ipc", "uts", "cgroup", "pid")
_EXEC_FLAGS = sum(namespaces.CLONE_FLAGS[kind] for kind in _EXEC_NAMESPACES)


class ChildEnd:
    """The child's end of the handshake."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def send_born(self, pid: int, pidfd: int) -> None:
        socket.send_fds(self._channel, [BORN, str(pid).encode()], [pidfd])

    def send_pty(self, master: int) -> None:
        socket.send_fds(self._channel, [PTY], [master])

    def send_ready(self, warnings: list[str], ended: list[int]) -> None:
        body = json.dumps([warnings, ended])
        self._channel.send(READY + body.encode())

    def send_failure(self, failure: StepError) -> None:
        body = [failure.step, failure.errno, failure.message[:4096], failure.exit_code]
        self._channel.send(FAILED + json.dumps(body).encode())

    def parent_is_gone(self) -> bool:
        """Tell whether the parent died before it could be our death signal's sender."""
        poller = select.poll()
        poller.register(self._channel, 0)
        return bool(poller.poll(0))


def run_init(plan: Plan, stdio: tuple[int, int, int], channel: socket.socket) -> NoReturn:
    """Become the container's first process."""

    def prepare(end: ChildEnd, ended: list[int]) -> enter.Entry:
        warnings = _take_place(plan.cgroup, plan.process)
        ended.append(time.monotonic_ns())
        setup = Setup(LINUX, end.send_pty, ended=ended)
        walk(plan.setup, setup)
        return enter.Entry(plan.process, stdio, setup.peer, warnings=warnings)

    _become(channel, prepare)


def join(
    pidfd: int,
    process: ProcessPlan,
    cgroup: CgroupPlan,
    stdio: tuple[int, int, int],
    channel: socket.socket,
    *,
    terminal: bool,
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
        _keep_only({channel.fileno(), pidfd, *stdio})
        warnings = _take_place(cgroup, process)
        namespaces.setns(pidfd, _EXEC_FLAGS)
        os.close(pidfd)
        pid, held = processes.fork_held(sibling=True)
        if pid == 0:
            _run_exec(process, stdio, channel, terminal, warnings)
        end.send_born(pid, held)
        status = 0
    except StepError as failure:
        _report(end, failure)
    except OSError as error:
        message = f"cannot join the container: {error}"
        _report(end, StepError("join", error.errno or 0, message))
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


def _run_exec(
    process: ProcessPlan,
    stdio: tuple[int, int, int],
    channel: socket.socket,
    terminal: bool,
    warnings: list[str],
) -> NoReturn:
    """Become one more process of the container; we are inside already."""

    def prepare(end: ChildEnd, ended: list[int]) -> enter.Entry:
        ended.append(time.monotonic_ns())
        peer = _own_terminal(end, process) if terminal else -1
        ended.append(time.monotonic_ns())
        return enter.Entry(process, stdio, peer, warnings=warnings)

    _become(channel, prepare)


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
    try:
        tree.join(cgroup)
    except tree.CgroupError as error:
        raise StepError("cgroup", error.errno, str(error)) from error
    # Until exec nobody in the container may look into us: our memory holds the shim's.
    processes.set_dumpable(False)
    return warnings


def _become(
    channel: socket.socket, prepare: Callable[[ChildEnd, list[int]], enter.Entry]
) -> NoReturn:
    """Prepare, enter and execute; whatever goes wrong reaches the parent and ends this process.

    Nothing of the parent's Python must run on from here: no ``finally``, no ``atexit``.
    """
    end = ChildEnd(channel)
    try:
        os.umask(0)
        enter.reset_signals()
        ended: list[int] = []
        _finish(end, prepare(end, ended), ended)
    except StepError as failure:
        _report(end, failure)
    except BaseException as error:  # noqa: BLE001 - a child has nobody else to tell
        _report(end, StepError("internal", 0, f"{type(error).__name__}: {error}"))
    finally:
        os._exit(1)


def _finish(end: ChildEnd, entry: enter.Entry, ended: list[int]) -> None:
    for name, prepare in enter.PREPARATIONS:
        try:
            prepare(entry)
        except OSError as error:
            raise StepError(name, error.errno or 0, f"{name}: {error}") from error
        ended.append(time.monotonic_ns())
    end.send_ready(entry.warnings, ended)
    processes.set_parent_death_signal(signal.SIGKILL)
    if end.parent_is_gone():
        return
    try:
        enter.seccomp(entry)
    except OSError as error:
        raise StepError("seccomp", error.errno or 0, f"seccomp: {error}") from error
    enter.execute(entry)


def _report(end: ChildEnd, failure: StepError) -> None:
    with contextlib.suppress(OSError):
        end.send_failure(failure)
