"""Run the hooks of a bundle: programs of the engine's that are told of a container's life.

========================  =========================  ==================  =====================
kind                      when                       runs in             a failure
========================  =========================  ==================  =====================
prestart, createRuntime   root and mounts are made,  runtime's           undoes the creation
                          before pivot_root          namespaces
createContainer           after those                container's, path   undoes the creation
                                                     as the runtime's
startContainer            at start, before execve    the container       ends the container
poststart                 after execve               runtime's           ends the container
poststop                  after the container's end  runtime's           is a warning
========================  =========================  ==================  =====================

A hook reads the container's state on its stdin. Nothing but ``posix_spawn`` is needed for that,
and files in memory, which cannot block whatever a hook does with them.
"""

from __future__ import annotations

import os
import select
import time

from boxship.base import jsontext
from boxship.base.frozen import dataclass
from boxship.kernel import signals
from boxship.oci.runtime import Hook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CREATING = "creating"
CREATED = "created"
RUNNING = "running"
STOPPED = "stopped"

_SAID = 512


class HookError(Exception):
    """A hook failed or took too long; ``str()`` names its kind and its number."""


@dataclass(frozen=True, slots=True)
class HookState:
    """What a hook is told, but for what changes."""

    oci_version: str
    container_id: str
    bundle: str
    annotations: dict[str, str]

    def at(self, status: str, pid: int) -> bytes:
        """Return the state's JSON."""
        document = {
            "ociVersion": self.oci_version,
            "id": self.container_id,
            "status": status,
            "pid": pid,
            "bundle": self.bundle,
        }
        if not pid:
            del document["pid"]
        if self.annotations:
            document |= {"annotations": self.annotations}
        return jsontext.dumps(document).encode()


def run(
    kind: str, hooks: Sequence[Hook], state: bytes, tell: Callable[[int], None] | None = None
) -> None:
    """Run hooks in their order; raise HookError at the first that fails.

    ``tell`` is told the pid of each, which leads a process group, and 0 when it has ended.
    """
    for number, hook in enumerate(hooks):
        try:
            _run_one(hook, state, tell)
        except (HookError, OSError) as error:
            reason = f"{hook.path}: {error.strerror}" if isinstance(error, OSError) else str(error)
            raise HookError(f"error running {kind} hook #{number}: {reason}") from None


def _run_one(hook: Hook, state: bytes, tell: Callable[[int], None] | None) -> None:
    told, said = os.memfd_create("state"), os.memfd_create("said")
    try:
        os.write(told, state)
        os.lseek(told, 0, os.SEEK_SET)
        pid = _spawn(hook, told, said)
        if tell:
            tell(pid)
        status = _wait(pid, hook.timeout)
        if tell:
            tell(0)
        if status is None:
            raise HookError(f"{hook.path} did not end within {hook.timeout} s")
        if status:
            words = os.pread(said, _SAID, 0).decode("utf-8", "replace").strip()
            how = f"signal {-status}" if status < 0 else f"exit status {status}"
            raise HookError(f"{hook.path}: {how}" + (f": {words}" if words else ""))
    finally:
        os.close(told)
        os.close(said)


def _spawn(hook: Hook, told: int, said: int) -> int:
    environment: dict[str, str] = dict(os.environ)
    if hook.env:
        pairs = (item.partition("=") for item in hook.env)
        environment = {name: value for name, _, value in pairs}
    return os.posix_spawn(
        hook.path,
        hook.args or (hook.path,),
        environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, told, 0)]
        + [(os.POSIX_SPAWN_DUP2, said, number) for number in (1, 2)],
        setpgroup=0,
        setsigmask=[],
        setsigdef=[signals.SIGPIPE, signals.SIGINT, signals.SIGTERM, signals.SIGHUP],
    )


def _wait(pid: int, timeout: int | None) -> int | None:
    """Return the exit status, negative for a signal; None when time was up, and the hook killed."""
    if timeout:
        pidfd = os.pidfd_open(pid)
        try:
            poller = select.poll()
            poller.register(pidfd, select.POLLIN)
            deadline = time.monotonic() + timeout
            while not poller.poll(max(0, deadline - time.monotonic()) * 1000):
                if time.monotonic() >= deadline:
                    os.killpg(pid, signals.SIGKILL)
                    os.waitpid(pid, 0)
                    return None
        finally:
            os.close(pidfd)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)
