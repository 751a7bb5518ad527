"""From a record to what the shim is told: spec and plan, and the cgroups that go with them.

The plan is computed at each start, because it depends on the record alone and on facts of the
machine looked up once; the costly part of it, the compiled seccomp filter, is cached by its rules.
"""

import asyncio
import contextlib
import errno
import json
import os
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from msgspec import structs

from boxship.base.errors import BoxshipError, ConflictError, NotFoundError
from boxship.base.files import write_atomic
from boxship.engine.containers import mountsources, propagation, realtime, users
from boxship.engine.containers.cdi.edits import inject
from boxship.engine.containers.cdi.registry import look
from boxship.engine.containers.cdi.requests import names_of
from boxship.engine.containers.checks.modes import check_mapped, joined_container
from boxship.engine.containers.paths import Paths
from boxship.engine.containers.record import ContainerRecord, Status
from boxship.engine.containers.requests import ExecConfig
from boxship.engine.containers.runtimes import Runtimes
from boxship.engine.containers.sharedmemory import shm_directory
from boxship.engine.containers.spec import assembly, filesystems
from boxship.engine.containers.spec.resources import resources
from boxship.engine.containers.spec.seccomp import profile_of
from boxship.engine.containers.spec.surroundings import Surroundings
from boxship.engine.networks.plug import NOTHING_MADE, NamespacePaths, owner
from boxship.engine.settings import BUILT_IN_RUNTIME, Configured, EngineSettings, RuntimeProgram
from boxship.net.owned import Users
from boxship.oci.runtime import Hooks, Resources, Root, Spec
from boxship.runtime import plan as runtime
from boxship.runtime.blueprint import CgroupPlan, ForeignPlan, HookPlan, ProcessPlan
from boxship.runtime.capabilities import CAPABILITIES
from boxship.runtime.cgroups import control
from boxship.runtime.cgroups.change import Writes, change
from boxship.runtime.cgroups.plan import plan_cgroup, plan_writes
from boxship.runtime.cgroups.tree import CgroupError
from boxship.runtime.cgroups.units import limits as unit_limits
from boxship.runtime.cgroups.units import plan_scope
from boxship.runtime.foreign import plan as foreign
from boxship.runtime.host import Host
from boxship.runtime.messages import Json
from boxship.runtime.pid1 import init_program
from boxship.runtime.steps import MountDirectory, MountedRoot, MountOverlay
from boxship.storage.snapshots import DirectoryMount, Mount

if TYPE_CHECKING:
    from boxship.engine.containers.shelf import Shelf

_FORGET_SECONDS = 10.0

_BUNDLE = "bundle"


class Planner:
    """Plans starts and execs, and acts on cgroups."""

    def __init__(
        self, configured: Configured, paths: Paths, host: Host, runtimes: Runtimes
    ) -> None:
        self._configured = configured
        self._paths = paths
        self._host = host
        self._runtimes = runtimes

    def at(self, paths: Paths) -> "Planner":
        """Return a planner for containers that lie elsewhere."""
        return Planner(self._configured, paths, self._host, self._runtimes)

    @property
    def _settings(self) -> EngineSettings:
        return self._configured.now

    @property
    def unified_cgroups(self) -> bool:
        """Tell whether the machine has cgroup v2 alone."""
        return self._host.layout.version == 2

    # ── plans ────────────────────────────────────────────────────────────────────────────────

    def plan(
        self,
        record: ContainerRecord,
        mount: Mount,
        shelf: "Shelf",
        made: NamespacePaths = NOTHING_MADE,
    ) -> Json:
        """Return the plan of a start, as the shim takes it.

        ``made`` are namespaces that were made for it.
        ConflictError: a container whose namespace is shared doesn't run; InvalidArgumentError: a
        device is missing and the like.
        """
        if users.maps_of(record.host, self._settings) is not None:
            check_mapped(record.host)  # it may be older than the setting
        around = replace(self._surroundings(record, shelf), made=made)
        record = self._with_settled_mounts(record)
        spec = self._with_requested_devices(record, assembly.assemble(record, around))
        devices = record.host.privileged or self._device_rules_hold
        root = _root(mount, self._paths.mountpoint, spec, devices=devices)
        program, systemd = self._program(record), self._settings.systemd_cgroups
        if not systemd:
            realtime.allow(spec.linux.cgroups_path, self._host.layout, self._settings)
        if program is None:
            planned = runtime.plan(spec, record.id, self._host, root, systemd=systemd)
            if spec.hooks != Hooks():
                planned = replace(planned, hooks=self._hooks(record, spec))
        else:
            arguments = (*program.arguments, *(("--systemd-cgroup",) if systemd else ()))
            other = ForeignPlan(program.path, arguments, self._paths.bundle(record.id))
            planned = foreign.plan(spec, record.id, self.cgroup(record), root, other)
        has_init = bool(around.init_path) and around.init_is_ours
        process = self._completed(planned.process, record, is_init=has_init)
        plain: Json = replace(planned, process=process).to_plain()
        return plain

    def users_of(self, record: ContainerRecord, shelf: "Shelf") -> Users:
        """Return to whom a network namespace that is made for a container has to belong.

        ConflictError: a container whose namespaces it shares doesn't run.
        """
        maps = users.maps_of(record.host, self._settings)
        if maps is None:
            return None
        pids = _joined_pids(record, shelf)
        return users.shared_namespace(tuple(filter(None, pids)), maps) or owner(maps)

    def _with_requested_devices(self, record: ContainerRecord, spec: Spec) -> Spec:
        requests = record.host.device_requests
        if not requests:
            return spec
        registry = look(self._settings.cdi_spec_dirs)
        return inject(spec, registry.resolve(names_of(requests, registry)))

    def _hooks(self, record: ContainerRecord, spec: Spec) -> HookPlan:
        """Write the bundle that hooks look into; it goes with the container's directory."""
        bundle = f"{self._paths.of(record.id).directory}/{_BUNDLE}"
        os.makedirs(bundle, 0o700, exist_ok=True)
        spec = replace(spec, root=replace(spec.root or Root(""), path=self._paths.mountpoint))
        document = spec.to_json()
        text = json.dumps(document).encode()
        write_atomic(f"{bundle}/config.json", text, mode=0o600, durable=False)
        hooks = json.dumps(document["hooks"])
        return HookPlan(hooks, spec.oci_version, bundle, spec.annotations)

    def _with_settled_mounts(self, record: ContainerRecord) -> ContainerRecord:
        record = mountsources.settled(record, self._paths)
        if not propagation.asks(record.mounts):
            return record
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            points = propagation.settle(record.mounts, file.read(), self._settings.data_root)
        return structs.replace(record, mounts=points)

    def plan_exec(self, record: ContainerRecord, wanted: ExecConfig, shelf: "Shelf") -> Json:
        """Return the plan of one more process."""
        around = self._surroundings(record, shelf, is_exec=True)
        if wanted.privileged:
            around = replace(around, seccomp=None)
        process = assembly.exec_process(record, wanted, around)
        # By the name alone: what the container was started with, the shim knows.
        if record.host.runtime in (None, "", BUILT_IN_RUNTIME):
            planned = runtime.plan_process(process, self._host, around.seccomp, record.id)
        else:
            planned = foreign.plan_process(process)
        plain: Json = self._completed(planned, record, is_init=False).to_plain()
        return plain

    def _program(self, record: ContainerRecord) -> RuntimeProgram | None:
        return self._runtimes.program(record.host.runtime or BUILT_IN_RUNTIME)

    def _completed(
        self, process: ProcessPlan, record: ContainerRecord, *, is_init: bool
    ) -> ProcessPlan:
        groups = assembly.supplementary_groups(record.host)
        return replace(
            process,
            groups=(*process.groups, *(int(group) for group in groups if group.isdigit())),
            group_names=tuple(group for group in groups if not group.isdigit()),
            init=filesystems.INIT_TARGET if is_init else "",
        )

    def _surroundings(
        self, record: ContainerRecord, shelf: "Shelf", *, is_exec: bool = False
    ) -> Surroundings:
        host = record.host
        pids = (0, 0, 0) if is_exec else _joined_pids(record, shelf)
        network = _owner_of_network(record, shelf)
        maps = users.maps_of(host, self._settings)
        return Surroundings(
            files=self._paths.of(network.id),
            hostname=network.config.hostname,
            cgroup_parent=self._settings.cgroup_parent,
            unified_cgroups=self.unified_cgroups,
            systemd_cgroups=self._settings.systemd_cgroups,
            security_modules=self._host.security_modules,
            default_no_new_privileges=self._settings.no_new_privileges,
            network_pid=pids[0],
            pid_pid=pids[1],
            ipc_pid=pids[2],
            user_pid=users.shared_namespace(tuple(filter(None, pids)), maps),
            user_maps=maps,
            shm_path=shm_directory(record, self._paths),
            seccomp=profile_of(
                host,
                self._settings.seccomp_profile,
                assembly.capabilities(host, self._capabilities(record)),
                self._host,
            ),
            init_path=self._init(record) if not is_exec else "",
            init_is_ours=not self._settings.init_path,
            capabilities=self._capabilities(record),
        )

    @property
    def _device_rules_hold(self) -> bool:
        """Device rules are a v1 controller; with cgroup2 alone they become a BPF program."""
        layout = self._host.layout
        return layout.version == 2 or layout.hierarchy_of("devices") is not None

    def _capabilities(self, record: ContainerRecord) -> int:
        """Return what may be given at all.

        Where device rules do not hold, whoever can make a node can open the host's disks: there
        nobody can, and nodes that an image brings along cannot be opened (``devices`` above).
        """
        available = self._host.capabilities
        if record.host.privileged or self._device_rules_hold:
            return available
        return available & ~(1 << CAPABILITIES["CAP_MKNOD"])

    def _init(self, record: ContainerRecord) -> str:
        if not assembly.wants_init(record.host):
            return ""
        if self._settings.init_path:
            return self._settings.init_path
        path = self._paths.init
        program = init_program()
        try:
            current = os.stat(path).st_size == len(program)
        except FileNotFoundError:
            current = False
        if not current:
            write_atomic(path, program, mode=0o755, durable=False)
        return path

    # ── cgroups ──────────────────────────────────────────────────────────────────────────────

    def cgroup(self, record: ContainerRecord, *, with_limits: bool = False) -> CgroupPlan:
        """Return the container's cgroups: their directories, and on request what is in them."""
        settings, systemd = self._settings, self._settings.systemd_cgroups
        path = assembly.cgroup_path(record.host, record.id, settings.cgroup_parent, systemd=systemd)
        limits = resources(record.host, ()) if with_limits else Resources()
        if systemd:
            return plan_scope(path, record.id, limits, self._host.layout)
        return plan_cgroup(path, limits, self._host.layout)

    async def change_limits(
        self, record: ContainerRecord, limits: Resources
    ) -> Callable[[], Awaitable[object]]:
        """Set limits of one that runs, all or none; return what takes that back.

        InvalidArgumentError: cgroups here have nothing like it; CgroupError: the kernel refused.
        """
        cgroup, writes = self.cgroup(record), plan_writes(limits, self._host.layout)
        before = await asyncio.to_thread(self._change, cgroup, writes, limits)
        old = resources(record.host, ())
        return lambda: asyncio.to_thread(self._change, cgroup, before, old)

    def _change(self, cgroup: CgroupPlan, writes: Writes, limits: Resources) -> Writes:
        """Write, and tell systemd, which would write its own values again; blocking."""
        before = change(cgroup, writes)
        if cgroup.scope is None or not before:
            return before
        # Few daemons need it, so it is loaded for them alone.
        systemd = import_module("boxship.runtime.cgroups.systemd")
        try:
            systemd.change_scope(cgroup.scope.unit, unit_limits(limits, self._host.layout))
        except CgroupError:
            change(cgroup, before)
            raise
        return before

    async def freeze(self, record: ContainerRecord) -> bool:
        """Stop every process; False: all have ended. UnavailableError: it can't be done."""
        return await _while_there(control.pause, self.cgroup(record))

    async def thaw(self, record: ContainerRecord) -> None:
        """Let them go on, if they have not ended."""
        await _while_there(control.resume, self.cgroup(record))

    def is_frozen(self, record: ContainerRecord) -> bool:
        """Tell whether they are stopped."""
        with contextlib.suppress(OSError):
            return control.is_paused(self.cgroup(record))
        return False

    async def kill(self, record: ContainerRecord) -> None:
        """Kill every process. UnavailableError: it can't be done."""
        await asyncio.to_thread(control.kill, self.cgroup(record))

    def pids(self, record: ContainerRecord) -> tuple[int, ...]:
        """Return its processes as the host sees them."""
        return control.processes(self.cgroup(record))

    def remove_cgroups(self, record: ContainerRecord) -> None:
        """Kill what is left and remove the directories; blocking."""
        control.kill_and_remove(self.cgroup(record))

    def forget(self, record: ContainerRecord, bundle: str) -> None:
        """Have another runtime forget a container that its shim left behind; blocking.

        It is the runtime that made it, whatever is configured by now. If it cannot, its processes
        are ended and its files removed without it.
        """
        with contextlib.suppress(BoxshipError):
            control.kill(self.cgroup(record))
        command = import_module("boxship.runtime.foreign.container").deletion(bundle)
        if command is not None:
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=_FORGET_SECONDS,
                    check=False,
                )


async def _while_there(act: Callable[[CgroupPlan], None], cgroup: CgroupPlan) -> bool:
    """Do it; False if the cgroup is gone.

    A shim takes it away at the end of a container, which it tells us after that.
    """
    try:
        await asyncio.to_thread(act, cgroup)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENODEV):  # before it was opened, and after
            raise
        return False
    return True


def _root(mount: Mount, mountpoint: str, spec: Spec, *, devices: bool) -> MountedRoot:
    uid_map = runtime.triples(spec.linux.uid_mappings)
    gid_map = runtime.triples(spec.linux.gid_mappings)
    if isinstance(mount, DirectoryMount):
        return MountDirectory(mount.path, mountpoint, devices, uid_map, gid_map)
    return MountOverlay(
        mount.cwd,
        mount.lower,
        mount.upper,
        mount.work,
        mountpoint,
        mount.options,
        devices,
        uid_map,
        gid_map,
    )


def _joined_pids(record: ContainerRecord, shelf: "Shelf") -> tuple[int, int, int]:
    """Return the processes whose network, pid and ipc namespaces it shares; 0: nobody's."""
    host = record.host
    others = map(joined_container, (host.network_mode, host.pid_mode, host.ipc_mode))
    network, pid, ipc = (0 if other is None else _running_pid(shelf, other) for other in others)
    return network, pid, ipc


def _running_pid(shelf: "Shelf", reference: str) -> int:
    try:
        state = shelf.find(reference).record.state
    except NotFoundError as error:
        raise ConflictError(f"cannot join a namespace: {error}") from None
    if state.status is Status.RESTARTING:
        raise ConflictError(
            f"Container {reference} is restarting, wait until the container is running"
        )
    if not state.alive:
        raise ConflictError(
            f"cannot join the namespace of a non running container: container {reference} is "
            f"{state.status}"
        )
    return state.pid


def _owner_of_network(record: ContainerRecord, shelf: "Shelf") -> ContainerRecord:
    """Return the container whose name and hosts the network goes by: often the container itself."""
    other = joined_container(record.host.network_mode)
    if other is None:
        return record
    try:
        return shelf.find(other).record
    except NotFoundError:
        return record
