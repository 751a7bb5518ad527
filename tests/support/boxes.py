"""Containers of the runtime alone, without a daemon, on a root made of busybox.

``spawn_init`` changes the pid namespace its caller's children are born into, which would be the
end of pytest's own; so a container is always started by a fork that plays the shim.
"""

import os
import pickle
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from boxship.oci.runtime import Mount, Spec
from boxship.runtime import steps
from boxship.runtime.blueprint import Plan, ProcessPlan
from boxship.runtime.defaults import CAPABILITIES, default_spec
from boxship.runtime.host import Host
from boxship.runtime.plan import plan
from boxship.runtime.process import Spawned, StepFailedError, destroy, spawn_exec, spawn_init
from boxship.runtime.seccomp.profile import default_profile

T = TypeVar("T")
_PATIENCE = 60
"""Seconds after which a fork that hangs is ended, and its containers with it."""

PASSWD = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1001:u:/home/user:/bin/sh\n"
GROUP = "root:x:0:\nwheel:x:10:root,user\nusers:x:1001:\nextra:x:77:\n"


@dataclass(frozen=True)
class Outcome:
    """How a container ended; ``failure`` is there when it never began."""

    output: str = ""
    errors: str = ""
    status: int = -1
    failure: tuple[str, int, str, int] | None = None
    warnings: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()


def in_a_shim(work: Callable[[], T]) -> T:
    """Run ``work`` in a fork and return what it returns, or raise what it raises."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            signal.signal(signal.SIGALRM, _give_up)  # pytest's would speak of its own time limit
            signal.alarm(_PATIENCE)
            try:
                answer: tuple[bool, Any] = (True, work())
            except BaseException:  # noqa: BLE001 - carried to the test
                answer = (False, traceback.format_exc())
            with open(writing, "wb") as stream:
                pickle.dump(answer, stream)
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as stream:
        raw = stream.read()
    os.waitpid(pid, 0)
    assert raw, "the shim died"
    good, value = pickle.loads(raw)
    assert good, value
    return value  # type: ignore[no-any-return]


def _give_up(*_: object) -> NoReturn:
    raise TimeoutError(f"the container was not done after {_PATIENCE} s")


@dataclass(frozen=True)
class Container:
    """A running container, seen from within its shim."""

    plan: Plan
    spawned: Spawned

    def execute(self, *args: str, terminal: bool = False, **changes: Any) -> Outcome:
        """Run one more process inside and wait for it."""
        process: ProcessPlan = replace(self.plan.process, args=args, terminal=terminal, **changes)
        return captured(
            lambda out, err: spawn_exec(
                self.spawned.pidfd, process, self.plan.cgroup, *_stdio(out, err)
            )
        )


def _stdio(out: int, err: int) -> tuple[int, int, int]:
    return os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC), out, err


def captured(spawn: Callable[[int, int], Spawned]) -> Outcome:
    """Start a process on pipes and return all it says until it ends."""
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    try:
        spawned = spawn(out_write, err_write)
    except StepFailedError as error:
        failure = (error.step, error.errno, error.message, error.exit_code)
        return Outcome(failure=failure)
    finally:
        os.close(out_write)
        os.close(err_write)
    source = spawned.master if spawned.master >= 0 else out_read
    output, errors = _read(source), _read(err_read)
    _, status = os.waitpid(spawned.pid, 0)
    for fd in (out_read, err_read, spawned.pidfd):
        os.close(fd)
    return Outcome(
        output,
        errors,
        os.waitstatus_to_exitcode(status),
        warnings=spawned.warnings,
        steps=tuple(timing.step for timing in spawned.timings),
    )


def _read(fd: int) -> str:
    chunks = []
    while True:
        try:
            chunk = os.read(fd, 65536)
        except OSError:  # EIO: the last user of the pty has gone
            break
        if not chunk:
            break
        chunks.append(chunk)
    return b"".join(chunks).decode()


class Box:
    """Makes containers on one root; ``spec`` is what the next ones are made of."""

    def __init__(self, place: Path, name: str) -> None:
        self.place, self.name, self.count = place, name, 0
        self.rootfs = place / "rootfs"
        self.host = Host.look()
        spec = default_spec(("true",))
        seccomp = default_profile(CAPABILITIES, self.host.machine, self.host.kernel)
        self.spec: Spec = replace(spec, linux=replace(spec.linux, seccomp=seccomp))

    def change_linux(self, **changes: Any) -> None:
        """Change fields of ``spec.linux`` for the containers to come."""
        self.spec = replace(self.spec, linux=replace(self.spec.linux, **changes))

    def add_mount(self, *arguments: Any) -> None:
        """Add a mount to the containers to come."""
        self.spec = replace(self.spec, mounts=(*self.spec.mounts, Mount(*arguments)))

    def planned(self, *args: str, **changes: Any) -> Plan:
        """Plan a container of ``args``; ``changes`` are fields of its process."""
        assert self.spec.process is not None
        self.count += 1
        process = replace(self.spec.process, args=args, **changes)
        identifier = f"{self.name}-{self.count}"
        # Directly below the hierarchies' roots, so that no parent directory stays behind.
        linux = replace(self.spec.linux, cgroups_path=f"/{identifier}")
        spec = replace(self.spec, process=process, linux=linux)
        for name in ("upper", "work", "mountpoint"):
            (self.place / name).mkdir(exist_ok=True)
        (self.place / "l").mkdir(exist_ok=True)
        link = self.place / "l" / "a"
        if not link.is_symlink():
            link.symlink_to(self.rootfs)
        root = steps.MountOverlay(
            str(self.place),
            ("l/a",),
            str(self.place / "upper"),
            str(self.place / "work"),
            str(self.place / "mountpoint"),
        )
        made = plan(spec, identifier, self.host, root)
        return Plan.from_json(made.to_json())

    def run(self, *args: str, **changes: Any) -> Outcome:
        """Run a container to its end."""
        made = self.planned(*args, **changes)

        def work() -> Outcome:
            try:
                return captured(lambda out, err: spawn_init(made, *_stdio(out, err)))
            finally:
                destroy(made)

        return in_a_shim(work)

    def with_running(self, work: Callable[[Container], T], *args: str, **changes: Any) -> T:
        """Call ``work`` beside a running container, in its shim; then end the container."""
        made = self.planned(*(args or ("sleep", "1000")), **changes)

        def inner() -> T:
            null = os.open("/dev/null", os.O_RDWR)
            spawned = spawn_init(made, null, null, null)
            try:
                return work(Container(made, spawned))
            finally:
                destroy(made)
                os.waitpid(spawned.pid, 0)

        return in_a_shim(inner)
