"""The first process of a container that joins another one's pid namespace (``--pid container:X``).

::

    parent                         stage, of the host's pids          init
    fork ────────────────────────► join cgroups, all set-up steps,
                                   pivot_root
                                   join the pid namespace,
                                   close what is the host's
                                   clone3(PARENT) ──────────────────► wait
    ◄──────────── BORN, pid, pidfd
                                   a byte ──────────────────────────► session … command
                                   exit

Who is in that namespace sees every process of it, and with CAP_SYS_PTRACE looks into it, dumpable
or not: /proc/PID/root, its descriptors, its memory. So the set-up, which has the host's root and
files in hands, is done by a process that is never in the namespace, and the one that is born there
is in its own root already. What is left is a mount of /proc: it shows the pids of whoever makes it.
Since Linux 6.18 it can be told otherwise. Before that a process must go there for this one call; it
goes with nothing but the new root, a socket and CAP_SYS_ADMIN.

With a user namespace that both are in, the stage of ``userns.py`` is good enough: until execve its
memory belongs to the host's user namespace, so nobody's capabilities inside count against its being
not dumpable. Loaded only for a plan that asks for it.
"""

import errno
import os
import signal

from boxship.kernel import credentials, namespaces, processes
from boxship.kernel.channel import Channel, channel_pair
from boxship.runtime import enter
from boxship.runtime.apply import Setup, StepError
from boxship.runtime.capabilities import CAPABILITIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from boxship.runtime.birth import ChildEnd
    from boxship.runtime.blueprint import ProcessPlan

_PID = namespaces.CLONE_FLAGS["pid"]
_PATIENCE = 10.0
"""Seconds for the process that goes there: who is there can stop it."""
_SYS_ADMIN = 1 << CAPABILITIES["CAP_SYS_ADMIN"]


def open_pid_namespace(path: str) -> int:
    """Open the namespace to be born into, while the host's /proc is there. Raise StepError."""
    try:
        return namespaces.open_namespace(path)
    except OSError as error:
        raise StepError("pid namespace", error.errno or 0, str(error)) from error


def be_born(namespace: int, end: "ChildEnd", process: "ProcessPlan | None") -> None:
    """Be the stage; return in the container's first process alone. What is open, it has open.

    With ``process`` it has no more capabilities than it takes to become that one.
    """
    ready, go = os.pipe()
    try:
        namespaces.setns(namespace, _PID)
        os.close(namespace)
        if process is not None:
            enter.shed(process)
        pid, held = processes.fork_held(sibling=True)
    except OSError as error:
        raise StepError("pid namespace", error.errno or 0, str(error)) from error
    if pid:
        end.send_born(pid, held)
        os.write(go, b"\0")
        os._exit(0)
    os.close(go)
    processes.set_parent_death_signal(signal.SIGKILL)
    # The parent must know us before we speak to it.
    if not os.read(ready, 1):
        os._exit(1)
    os.close(ready)


def new_procfs(setup: Setup, source: str, options: tuple[str, ...], attributes: int) -> int:
    """Return a detached procfs that shows the pids of ``setup.pid_namespace``."""
    there = f"pidns=/proc/self/fd/{setup.pid_namespace}"
    try:
        return setup.kernel.new_filesystem("proc", source, (*options, there), attributes)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    ours, theirs = channel_pair()
    ours.settimeout(_PATIENCE)
    with ours:
        with theirs:
            pid = processes.fork_into()
            if pid == 0:
                _send_procfs(setup, theirs, source, options, attributes)
        message, descriptors = ours.receive(256)
    os.waitpid(pid, 0)
    if not descriptors:
        raise OSError(int(message or errno.EIO), "no procfs of the other pid namespace")
    return descriptors[0]


def _send_procfs(
    setup: Setup, channel: Channel, source: str, options: tuple[str, ...], attributes: int
) -> "NoReturn":
    """Shed what is the host's, then fork the one that goes there, and wait for it."""
    answer, found = str(errno.EIO), -1
    try:
        enter.refuse_imports()
        os.fchdir(setup.root)
        os.chroot(".")
        namespaces.setns(setup.pid_namespace, _PID)
        os.dup2(channel.fileno(), 0)
        processes.close_from(1)
        channel = Channel(fileno=0)
        credentials.capset(_SYS_ADMIN, _SYS_ADMIN, 0)
        processes.set_dumpable(False)
        pid = processes.fork_into()
        if pid:
            os.waitpid(pid, 0)
            os._exit(0)
        found = setup.kernel.new_filesystem("proc", source, options, attributes)
    except OSError as error:
        answer = str(error.errno)
    finally:
        channel.send_with(answer.encode(), [found] if found >= 0 else [])
        os._exit(0)
