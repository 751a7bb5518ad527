"""Making a container: what ``create`` and ``run`` have in common.

::

    guard ── state directory ── [FIFOs] ── cgroups ── init … hooks … ready ── state.json
      └── killed anywhere in between: all of it is undone             pid file, console

An error undoes it as well, and names what failed.
"""

from __future__ import annotations

import errno
import os
import time

from boxship.base.errors import BoxshipError, ConflictError, InvalidArgumentError
from boxship.base.files import write_atomic
from boxship.base.frozen import replace
from boxship.base.loading import load
from boxship.base.suppress import suppress
from boxship.oci.runtime import Hooks, Spec
from boxship.runtime import hooks, process
from boxship.runtime.birth import HOOKS, START, Gate, Manner
from boxship.runtime.blueprint import CgroupPlan, Plan, ProcessPlan, directory_of
from boxship.runtime.cgroups import control
from boxship.runtime.cli import fifo
from boxship.runtime.cli.bundle import load_spec, unknown_in
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.guard import Guard
from boxship.runtime.cli.store import Record, Store, remove_directory, start_time_of
from boxship.runtime.host import Host
from boxship.runtime.plan import plan
from boxship.runtime.steps import PivotRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Creation:
    """One container on its way into being; ``spec`` and ``plan`` are decided, nothing is made."""

    def __init__(self, call: Call) -> None:
        self.call, self.arguments = call, call.arguments
        self.store = Store(call.root)
        self.container_id = call.container_id
        self.directory = self.store.directory(self.container_id)
        self.bundle = os.path.realpath(self.arguments.text("bundle"))
        self.spec: Spec = load_spec(self.bundle)
        if call.common.switch("debug"):
            for name in unknown_in(self.bundle):
                call.debug(f"config.json: {name}: is not in the specification; ignored")
        self.plan: Plan = _plan(call, self.spec, self.bundle)
        self.process = self.plan.process
        """As others executed later take after it: without what was handed to this call."""
        self.plan = replace(self.plan, process=with_sockets(self.process))
        self.preserved = preserved_descriptors(call)
        self.take_along: Callable[[int], None] | None = None
        self.made: Record | None = None
        """What has been written down of it, once there is a process."""

    def make(
        self, *, waits: bool, started: Callable[[process.Spawned], None] | None = None
    ) -> process.Spawned:
        """Make it. With ``waits`` its process waits for ``start``; else it begins after
        ``started``, which may look at it first, and a failure to execute is an error here."""

        def spawn() -> process.Spawned:
            gate = fifo.make_gate(self.directory) if waits else None
            try:
                return self._spawn(gate, started)
            finally:
                if gate:
                    fifo.close_gate(gate)

        return self.make_by(spawn)

    def make_by(self, spawn: Callable[[], process.Spawned]) -> process.Spawned:
        """Make it by ``spawn``; when that fails or we are killed, nothing is left."""
        self.store.check_free(self.container_id)
        _check_cgroup(self.plan.cgroup)
        pid = os.getpid()
        creator = f"{pid}-{start_time_of(pid)}-{os.urandom(4).hex()}"
        guard = Guard(lambda: self._undo_after_death(creator))
        self.take_along = guard.take_along
        try:
            self.store.add(self.container_id, creator, self.plan.cgroup)
        except BaseException:
            guard.dismiss()
            raise
        try:
            return spawn()
        except BaseException:
            self.undo()
            raise
        finally:
            guard.dismiss()

    def _spawn(
        self, gate: Gate | None, started: Callable[[process.Spawned], None] | None
    ) -> process.Spawned:
        answers = self._answers(started)
        wanted = self.spec.hooks
        manner = Manner(
            bound=False,
            gate=gate,
            asks=frozenset(answers),
            preserved=self.preserved,
            native_only=gate is not None and not _has_foreign_formats(),
            create_container=wanted.create_container,
            start_container=wanted.start_container,
            hook_state=self._hook_state(),
        )
        try:
            spawned = process.spawn_init(self.plan, 0, 1, 2, manner=manner, answers=answers)
        except process.StepFailedError as error:
            raise explained(error) from error
        for warning in spawned.warnings:
            self.call.warn(warning)
        if gate:
            self.record(spawned)
            self.announce(spawned)
        return spawned

    def _answers(
        self, started: Callable[[process.Spawned], None] | None
    ) -> Mapping[str, process.Answer]:
        answers: dict[str, process.Answer] = {}
        if self.spec.hooks.prestart or self.spec.hooks.create_runtime:
            answers[HOOKS] = self._run_hooks
        if started is not None:

            def begin(spawned: process.Spawned) -> None:
                self.record(spawned)
                self.announce(spawned)
                started(spawned)

            answers[START] = begin
        return answers

    def _run_hooks(self, spawned: process.Spawned) -> None:
        state = self._hook_state().at(hooks.CREATING, spawned.pid)
        wanted: Hooks = self.spec.hooks
        try:
            hooks.run("prestart", wanted.prestart, state, self.take_along)
            hooks.run("createRuntime", wanted.create_runtime, state, self.take_along)
        except hooks.HookError as error:
            raise process.StepFailedError("hook", 0, str(error)) from None

    def _hook_state(self) -> hooks.HookState:
        spec = self.spec
        return hooks.HookState(spec.oci_version, self.container_id, self.bundle, spec.annotations)

    def record(self, spawned: process.Spawned) -> None:
        """Write the record: from now on the container exists for others."""
        spec = self.spec
        self.made = Record(
            oci_version=spec.oci_version,
            container_id=self.container_id,
            pid=spawned.pid,
            start_time=start_time_of(spawned.pid),
            bundle=self.bundle,
            rootfs=spec.root.path if spec.root else "",
            created=_now(),
            owner="",
            process=self.process,
            cgroup=replace(self.plan.cgroup, writes=()),
            annotations=spec.annotations,
            poststart=spec.hooks.poststart,
            poststop=spec.hooks.poststop,
        )
        self.store.save(self.made)

    def announce(self, spawned: process.Spawned) -> None:
        """Hand out the terminal and the pid."""
        announce(self.call, spawned)

    def undo(self) -> None:
        """Remove what was made."""
        with suppress(BoxshipError, OSError):
            process.destroy(self.plan)
        remove_directory(self.directory)

    def _undo_after_death(self, creator: str) -> None:
        self.store.forget_claim(creator)
        # Who lost a race for the id has nothing to undo, least of all the winner's.
        if self.store.belongs_to(self.container_id, creator):
            self.undo()


def announce(call: Call, spawned: process.Spawned) -> None:
    """Send the terminal to ``--console-socket``, write the pid to ``--pid-file``."""
    if spawned.master >= 0:
        from boxship.runtime.cli import console

        if path := call.arguments.text("console-socket"):
            try:
                console.send_master(path, spawned.master)
            except OSError as error:
                raise _naming("--console-socket", path, error) from None
        else:
            console.be_our_terminal(spawned.master)
    if path := call.arguments.text("pid-file"):
        try:
            write_atomic(path, str(spawned.pid).encode(), durable=False)
        except OSError as error:
            raise _naming("--pid-file", path, error) from None


def _naming(flag: str, path: str, error: OSError) -> InvalidArgumentError:
    """Have an error say what was asked for, not what we made of it."""
    return InvalidArgumentError(f"{flag}: {path}: {error.strerror}")


def check_terminal(call: Call, *, terminal: bool, detached: bool) -> None:
    """Refuse a terminal that nobody would have, and a socket for one that there is not."""
    given = bool(call.arguments.text("console-socket"))
    if terminal and detached and not given:
        raise InvalidArgumentError("process.terminal: --console-socket is needed to detach")
    if given and not (terminal and detached):
        raise InvalidArgumentError("--console-socket is of no use without a terminal and detaching")


def preserved_descriptors(call: Call) -> int:
    """Return how many descriptors from 3 on are handed over, having seen that they are there."""
    count = call.arguments.number("preserve-fds")
    count += _listening()
    for fd in range(3, 3 + count):
        try:
            os.fstat(fd)
        except OSError:
            raise InvalidArgumentError(f"--preserve-fds: descriptor {fd} is not open") from None
    return count


def _listening() -> int:
    """Return how many sockets systemd has handed to this very process, sd_listen_fds(3)."""
    if os.environ.get("LISTEN_PID", "") != str(os.getpid()):
        return 0
    count = os.environ.get("LISTEN_FDS", "")
    return int(count) if count.isdecimal() else 0


def with_sockets(process: ProcessPlan) -> ProcessPlan:
    """Tell the process of the sockets that it inherits; as it sees it, its pid is 1."""
    if not (count := _listening()):
        return process
    names = os.environ.get("LISTEN_FDNAMES", "")
    told = [f"LISTEN_FDS={count}", "LISTEN_PID=1", *([f"LISTEN_FDNAMES={names}"] if names else [])]
    return replace(process, env=(*process.env, *told))


def _is_rootless(call: Call) -> bool:
    wanted = call.common.text("rootless")
    return os.geteuid() != 0 if wanted == "auto" else wanted == "true"


def _writable_part(cgroup: CgroupPlan) -> CgroupPlan:
    """Do without the hierarchies that are not ours, unless a limit needs one of them."""
    ours = tuple(one for one in cgroup.directories if _can_make(one.path))
    kept = replace(cgroup, directories=ours)
    lost = [one for one in cgroup.writes if not directory_of(kept, one.controller)]
    missed = next((one for one in lost if one.controller != "devices"), None)
    if missed:
        raise InvalidArgumentError(f"rootless: no cgroup of ours can limit {missed.limit}")
    return replace(kept, writes=tuple(one for one in cgroup.writes if one not in lost))


def _check_cgroup(cgroup: CgroupPlan) -> None:
    """Refuse a cgroup that others live in, for they would end with the container, or one that is
    frozen, in which creation would never end."""
    if not any(os.path.isdir(one.path) for one in cgroup.directories if not one.keep):
        return
    if found := control.processes(cgroup):
        raise ConflictError(f"container's cgroup is not empty: {len(found)} process(es) found")
    with suppress(OSError):
        if control.is_paused(cgroup):
            raise ConflictError("container's cgroup unexpectedly frozen")


def _can_make(path: str) -> bool:
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return os.access(path, os.W_OK)


def _has_foreign_formats() -> bool:
    """Tell whether binfmt_misc has the kernel execute more than its own formats."""
    try:
        return bool(set(os.listdir("/proc/sys/fs/binfmt_misc")) - {"register", "status"})
    except OSError:
        return False


def _plan(call: Call, spec: Spec, bundle: str) -> Plan:
    systemd = call.common.switch("systemd-cgroup")
    if not spec.linux.cgroups_path and not systemd:
        spec = replace(spec, linux=replace(spec.linux, cgroups_path=f"/{call.container_id}"))
    compiler = None
    if spec.linux.seccomp:
        compiler = load("boxship.runtime.seccomp.stored").compiled_filter
    host = Host.look()
    made = plan(spec, call.container_id, host, bundle=bundle, systemd=systemd, compiler=compiler)
    if _is_rootless(call):
        made = replace(made, cgroup=_writable_part(made.cgroup))
    if call.arguments.switch("no-pivot"):
        moved = (PivotRoot(by_move=True) if step == PivotRoot() else step for step in made.setup)
        made = replace(made, setup=tuple(moved))
    if call.arguments.switch("no-new-keyring"):
        made = replace(made, process=replace(made.process, keyring=""))
    return made


def explained(error: process.StepFailedError) -> BoxshipError:
    """Say where it failed in the words engines look for."""
    where = "" if error.step in ("command", "exec", "hook") else "error during container init: "
    # By these words they tell what cannot be executed (exit status 126) from other failures.
    more = ": permission denied" if error.errno == errno.EISDIR else ""
    return BoxshipError(f"unable to start container process: {where}{error.message}{more}")


def _now() -> str:
    nanoseconds = time.time_ns()
    seconds, rest = divmod(nanoseconds, 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"
