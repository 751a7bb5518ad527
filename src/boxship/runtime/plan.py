"""From a runtime spec to a ``Plan``: every decision of a container's start is taken here. Pure.

Masking comes after everything that could still be mounted over.
"""

from __future__ import annotations

from boxship.base import jsontext
from boxship.base.errors import InvalidArgumentError
from boxship.base.frozen import replace
from boxship.base.loading import load
from boxship.oci import runtime as oci
from boxship.runtime import steps
from boxship.runtime.blueprint import (
    CapabilityPlan,
    CgroupPlan,
    Plan,
    ProcessPlan,
    Rlimit,
    SeccompFilter,
    UserPlan,
)
from boxship.runtime.capabilities import mask_of, unknown_names
from boxship.runtime.cgroups.plan import plan_cgroup, with_resctrl
from boxship.runtime.checks import check, check_process
from boxship.runtime.devices import (
    CORE_LINK,
    DEFAULT_LINKS,
    DEFAULT_NODES,
    with_default_devices,
)
from boxship.runtime.host import Host
from boxship.runtime.options import MountOptions, parse_options
from boxship.runtime.placement_plan import placement_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Compiler = Callable[[oci.Seccomp, str], SeccompFilter]

    from boxship.runtime.userns_maps import Map

    _Steps = tuple[steps.Step, ...]

RootStep = steps.MountedRoot | steps.BindRoot

_KINDS = {"network": "net", "mount": "mnt", "ipc": "ipc", "uts": "uts", "cgroup": "cgroup",
          "pid": "pid", "time": "time"}  # fmt: skip
_UNSHARED = ("network", "mount", "ipc", "uts", "cgroup")
_JOINED = ("network", "ipc", "uts", "cgroup", "time")
_CGROUPS = ("cgroup", "cgroup2")
_RLIMIT_NUMBERS = {
    f"RLIMIT_{name}": number
    for number, name in enumerate(
        ("CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS",
         "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME")
    )
}  # fmt: skip
_UNLIMITED = 2**63
"""Values from here on mean "unlimited": JSON writers say it as 2**64-1."""


def plan(
    spec: oci.Spec,
    container_id: str,
    host: Host,
    root: RootStep | None = None,
    *,
    bundle: str = "",
    systemd: bool = False,
    compiler: Compiler | None = None,
) -> Plan:
    """Plan the start of ``container_id``; ``root`` overrides ``spec.root.path``.

    ``bundle`` goes into the state that a seccomp agent is given; with ``systemd`` the cgroup is
    a scope that systemd makes; ``compiler`` is asked for the seccomp filter, in place of our own.
    Raise InvalidArgumentError for what cannot be: it names the spec's field.
    """
    if spec.process is None:
        raise InvalidArgumentError("process: missing")
    check(spec, host)
    if root is None:
        if spec.root is None:
            raise InvalidArgumentError("root: missing")
        later = _is_set_last(spec.linux.rootfs_propagation)
        root = steps.BindRoot(spec.root.path, "" if later else spec.linux.rootfs_propagation)
    cgroup = _cgroup(spec.linux, container_id, host, systemd=systemd)
    namespaces = _namespace_paths(spec)
    inside = "user" in namespaces
    state: dict[str, object] = {
        "ociVersion": spec.oci_version,
        "id": container_id,
        "status": "creating",
        "bundle": bundle,
        "annotations": spec.annotations,
    }
    process = plan_process(
        spec.process,
        host,
        spec.linux.seccomp,
        container_id,
        linux=spec.linux,
        state=state,
        compiler=compiler,
    )
    before, staged, setup = _parts(spec, cgroup, root, process, host)
    return Plan(
        container_id=container_id,
        process=process,
        setup=setup,
        cgroup=cgroup,
        new_pid_namespace=namespaces.get("pid") == "",
        join_pid_namespace="" if inside else namespaces.get("pid", ""),
        user=_user(spec.linux, namespaces["user"]) if inside else None,
        before=before,
        staged=staged,
        warnings=(*_warnings(spec.process), *_idle_options(spec.mounts)),
    )


def plan_process(
    process: oci.Process,
    host: Host,
    seccomp: oci.Seccomp | None,
    container_id: str,
    *,
    linux: oci.Linux | None = None,
    state: dict[str, object] | None = None,
    compiler: Compiler | None = None,
) -> ProcessPlan:
    """Plan a process of its own, for init and for exec alike.

    ``linux`` is given for init only, ``state`` of the container for a seccomp agent.
    """
    check_process(process, host)
    size, user = process.console_size, process.user
    label_file, label = _label(process)
    return ProcessPlan(
        args=process.args,
        env=_last_of_each(process.env),
        cwd=process.cwd,
        terminal=process.terminal,
        height=size.height if size else 0,
        width=size.width if size else 0,
        user=user.username,
        uid=user.uid,
        gid=user.gid,
        umask=0o022 if user.umask is None else user.umask,
        groups=user.additional_gids,
        rlimits=tuple(rlimit(limit) for limit in process.rlimits),
        capabilities=_capabilities(process.capabilities),
        no_new_privileges=process.no_new_privileges,
        seccomp=_filter(
            seccomp, host, state or {"id": container_id, "status": "running"}, compiler
        ),
        oom_score_adj=process.oom_score_adj,
        placement=placement_of(process, linux, is_exec=linux is None),
        label_file=label_file,
        label=label,
        keep_groups=not host.root,
        keyring=f"_ses.{container_id}",
    )


def _cgroup(linux: oci.Linux, container_id: str, host: Host, *, systemd: bool) -> CgroupPlan:
    if not host.root and not linux.cgroups_path and not systemd:
        return CgroupPlan()  # there is none that we may write to
    resources = replace(linux.resources, devices=with_default_devices(linux.resources.devices))
    made: CgroupPlan
    if systemd:
        units = load("boxship.runtime.cgroups.units")  # few machines' engines ask for it
        made = units.plan_scope(linux.cgroups_path, container_id, resources, host.layout)
    else:
        path = linux.cgroups_path or f"/boxship/{container_id}"
        made = plan_cgroup(path, resources, host.layout)
    return with_resctrl(made, linux.intel_rdt, container_id, host.resctrl)


def _user(linux: oci.Linux, path: str) -> UserPlan:
    if path:
        return UserPlan(join=path)
    return UserPlan(triples(linux.uid_mappings), triples(linux.gid_mappings))


def triples(mappings: tuple[oci.IdMapping, ...]) -> Map:
    """Return a map as the kernel writes it."""
    return tuple((m.container_id, m.host_id, m.size) for m in mappings)


def _warnings(process: oci.Process) -> Iterator[str]:
    if process.capabilities is not None:
        sets = process.capabilities
        names = (*sets.bounding, *sets.effective, *sets.permitted, *sets.inheritable, *sets.ambient)
        for name in dict.fromkeys(unknown_names(names)):
            yield f"process.capabilities: {name} is unknown and left out"


def _idle_options(mounts: tuple[oci.Mount, ...]) -> Iterator[str]:
    """A bind mount shows a file system that has its own options already."""
    for n, mount in enumerate(mounts):
        options = parse_options(mount.options)
        if (options.bind or mount.type == "bind") and options.data:
            words = ",".join(options.data)
            yield f"mounts[{n}].options: {words}: of no effect on a bind mount"


def _label(process: oci.Process) -> tuple[str, str]:
    if process.apparmor_profile:
        return "/proc/self/attr/apparmor/exec", f"exec {process.apparmor_profile}"
    if process.selinux_label:
        return "/proc/self/attr/exec", process.selinux_label
    return "", ""


def _filter(
    seccomp: oci.Seccomp | None, host: Host, state: dict[str, object], compiler: Compiler | None
) -> SeccompFilter | None:
    if seccomp is None:
        return None
    if compiler is None:
        # Loaded by those who need it: a table of a thousand system calls comes with it.
        compiler = load("boxship.runtime.seccomp.compiler").compile_filter
    made = compiler(seccomp, host.machine)
    if made.listener is None:
        return made
    return replace(made, listener=replace(made.listener, state=jsontext.dumps(state)))


def _last_of_each(env: tuple[str, ...]) -> tuple[str, ...]:
    """Keep the last of duplicate variables, at the place of the first."""
    return tuple({item.partition("=")[0]: item for item in env}.values())


def rlimit(limit: oci.Rlimit) -> Rlimit:
    """Return a limit as the kernel counts."""
    soft, hard = (-1 if value >= _UNLIMITED else value for value in (limit.soft, limit.hard))
    return Rlimit(_RLIMIT_NUMBERS[limit.type], soft, hard, limit.type)


def _capabilities(wanted: oci.Capabilities | None) -> CapabilityPlan:
    if wanted is None:
        return CapabilityPlan()
    return CapabilityPlan(
        bounding=mask_of(wanted.bounding),
        effective=mask_of(wanted.effective),
        permitted=mask_of(wanted.permitted),
        inheritable=mask_of(wanted.inheritable),
        ambient=mask_of(wanted.ambient),
    )


def _parts(
    spec: oci.Spec, cgroup: CgroupPlan, root: RootStep, process: ProcessPlan, host: Host
) -> tuple[_Steps, _Steps, _Steps]:
    """Return before, staged and set-up: all the last, without a user namespace between them."""
    setup = tuple(_setup(spec, cgroup, root, process, host))
    namespaces = _namespace_paths(spec)
    if "user" not in namespaces:
        return (), (), setup
    before = tuple(_arrival(spec, namespaces, host))
    if not host.root:
        return before, (), setup
    maps = triples(spec.linux.uid_mappings), triples(spec.linux.gid_mappings)
    parts: tuple[_Steps, _Steps, _Steps]
    parts = load("boxship.runtime.staging_plan").divide(before, setup, *maps)
    return parts


def _is_set_last(propagation: str) -> bool:
    """With these a mount can become nobody's root, so that they have to wait until it is."""
    return propagation.lstrip("r") in ("shared", "unbindable")


def _setup(
    spec: oci.Spec, cgroup: CgroupPlan, root: RootStep, process: ProcessPlan, host: Host
) -> Iterator[steps.Step]:
    """Yield all set-up steps; we are in our cgroups already."""
    linux, namespaces = spec.linux, _namespace_paths(spec)
    shared_root = _is_set_last(linux.rootfs_propagation)
    if "user" not in namespaces:
        yield from _arrival(spec, namespaces, host)
    yield from _new_namespaces(spec, namespaces, host)
    outer = "rslave" if shared_root else linux.rootfs_propagation or "rslave"
    yield from (steps.SetPropagation(outer), root)
    label = linux.mount_label
    own_view = namespaces.get("cgroup") == ""
    for mount in spec.mounts:
        is_cgroup = mount.type in _CGROUPS
        yield _cgroup_mount(mount, cgroup, own_view) if is_cgroup else _mount(mount, label)
    yield from _devices(spec, host)
    if process.terminal:
        yield steps.MakeConsole(process.height, process.width)
    yield from _names_and_sysctls(spec)
    if linux.readonly_paths:
        yield steps.ReadonlyPaths(linux.readonly_paths)
    if linux.masked_paths:
        yield steps.MaskPaths(linux.masked_paths)
    if process.cwd != "/":
        yield steps.MakeDirectory(process.cwd)
    if spec.root is not None and spec.root.readonly:
        yield steps.ReadonlyRoot()
    yield steps.PivotRoot()
    if shared_root:
        yield steps.SetPropagation(linux.rootfs_propagation)


def _names_and_sysctls(spec: oci.Spec) -> Iterator[steps.Step]:
    if spec.hostname:
        yield steps.SetHostname(spec.hostname)
    if spec.domainname:
        yield steps.SetDomainname(spec.domainname)
    for key, value in spec.linux.sysctl.items():
        yield steps.WriteSysctl(key, value)


def _namespace_paths(spec: oci.Spec) -> dict[str, str]:
    return {namespace.type: namespace.path for namespace in spec.linux.namespaces}


def _arrival(spec: oci.Spec, namespaces: dict[str, str], host: Host) -> Iterator[steps.Step]:
    """What comes before new namespaces: it takes rights outside of them, or a look back.

    Join first: the right to join what others own may be gone in a namespace of our own.
    """
    inside = "user" in namespaces
    if spec.linux.net_devices:
        yield steps.HoldHostNetwork()
    for kind, path in namespaces.items():
        if path and (kind in _JOINED or (kind == "pid" and inside)):
            yield steps.JoinNamespace(_KINDS[kind], path)
    if namespaces.get("time") == "" and (host.root or not inside):
        yield _time(spec.linux.time_offsets)
    for mount in spec.mounts:
        step = _mount(mount) if mount.type not in _CGROUPS else None
        if isinstance(step, steps.BindMount):
            yield from _copy(mount, step, spec.linux)


def _new_namespaces(spec: oci.Spec, namespaces: dict[str, str], host: Host) -> Iterator[steps.Step]:
    new = tuple(kind for kind, path in namespaces.items() if not path and kind in _UNSHARED)
    yield steps.Unshare(tuple(_KINDS[kind] for kind in new))
    if "user" in namespaces and namespaces.get("time") == "" and not host.root:
        yield _time(spec.linux.time_offsets)
    if "network" in new:
        yield steps.LoopbackUp()
    if spec.linux.net_devices:
        devices = spec.linux.net_devices.items()
        yield steps.MoveInterfaces(tuple((old, device.name or old) for old, device in devices))


def _time(offsets: oci.TimeOffsets | None) -> steps.NewTimeNamespace:
    monotonic, boottime = (
        (offset.secs, offset.nanosecs) if offset else (0, 0)
        for offset in ((offsets.monotonic, offsets.boottime) if offsets else (None, None))
    )
    return steps.NewTimeNamespace(monotonic, boottime)


def _copy(mount: oci.Mount, bind: steps.BindMount, linux: oci.Linux) -> Iterator[steps.Step]:
    """Copy early what stays a peer of the host's mount, or shows other owners than it."""
    mapped = parse_options(mount.options).map_owners or ("idmap" if mount.uid_mappings else "")
    if not mapped:
        if bind.propagation in ("shared", "rshared"):
            yield steps.CopyTree(bind.source, bind.target, bind.recursive)
        return
    # Without maps of its own, a mount gets the container's.
    uid_map = triples(mount.uid_mappings or linux.uid_mappings)
    gid_map = triples(mount.gid_mappings or linux.gid_mappings)
    if not (uid_map and gid_map):
        raise InvalidArgumentError(
            f"mounts: {mount.destination}: uidMappings: {mapped} without mappings of any kind"
        )
    yield steps.CopyTree(
        bind.source,
        bind.target,
        bind.recursive,
        uid_map=uid_map,
        gid_map=gid_map,
        map_recursive=mapped == "ridmap",
    )


def _mount(mount: oci.Mount, label: str = "") -> steps.Step:
    options = parse_options(mount.options)
    if not mount.destination.startswith("/"):
        mount = replace(mount, destination=f"/{mount.destination}")
    if options.bind or mount.type == "bind":
        return _bind(mount, options)
    if not mount.type:
        raise InvalidArgumentError(f"mounts: {mount.destination}: type: missing")
    return steps.Mount(
        fstype=mount.type,
        source=mount.source or mount.type,
        target=mount.destination,
        attributes=options.set_bits,
        options=(*options.data, *_context(mount.type, label)),
        propagation=options.propagation,
        copy_up=options.copy_up,
    )


def _context(fstype: str, label: str) -> tuple[str, ...]:
    """Let SELinux label a file system that keeps no labels of its own."""
    labelled = label and fstype in ("tmpfs", "mqueue", "ramfs", "devpts")
    return (f"context={label}",) if labelled else ()


def _bind(mount: oci.Mount, options: MountOptions) -> steps.BindMount:
    if not mount.source.startswith("/"):
        raise InvalidArgumentError(
            f"mounts: {mount.destination}: source: {mount.source!r} is not an absolute path"
        )
    return steps.BindMount(
        source=mount.source,
        target=mount.destination,
        recursive=options.recursive or "bind" not in mount.options,
        set_attributes=options.set_bits,
        clear_attributes=options.clear_bits,
        recursive_set=options.recursive_set,
        recursive_clear=options.recursive_clear,
        propagation=options.propagation,
    )


def _devices(spec: oci.Spec, host: Host) -> list[steps.Step]:
    """Fill /dev, unless it is the host's own, which is not ours to change."""
    for mount in spec.mounts:
        if mount.destination.rstrip("/") == "/dev" and parse_options(mount.options).bind:
            return []
    inside = any(n.type == "user" for n in spec.linux.namespaces)
    make = _shown if inside and not host.root else _made
    result: list[steps.Step] = [make(node) for node in DEFAULT_NODES]
    defaults = {node.path for node in DEFAULT_NODES}
    for device in spec.linux.devices:
        if device.path in defaults:
            continue
        mode = 0o666 if device.file_mode is None else device.file_mode & 0o7777
        kind = "c" if device.type == "u" else device.type
        node = steps.MakeNode(
            device.path, kind, device.major, device.minor, mode, device.uid, device.gid
        )
        result.append(make(node) if kind != "p" else node)
    result += DEFAULT_LINKS
    if host.kcore:
        result.append(CORE_LINK)
    return result


def _made(node: steps.MakeNode) -> steps.Step:
    return node


def _shown(node: steps.MakeNode) -> steps.Step:
    """Without root nobody can make device nodes: show the host's."""
    return steps.BindMount(node.path, node.path)


def _cgroup_mount(mount: oci.Mount, cgroup: CgroupPlan, own_view: bool) -> steps.Step:
    """Show the container its own cgroups: one bind on v2, a tmpfs of binds on v1 and hybrid.

    On v2 without a cgroup namespace the whole tree is shown, as others do: there the container
    finds itself by the path in /proc/self/cgroup.
    """
    attributes = parse_options(mount.options).set_bits
    if all(directory.unified for directory in cgroup.directories):
        if not cgroup.directories:
            raise InvalidArgumentError("mounts: cgroup: this machine has no cgroups mounted")
        (only,) = cgroup.directories
        source = only.path if own_view else only.mount
        return steps.BindMount(source, mount.destination, set_attributes=attributes)
    hierarchies, links = [], []
    for directory in cgroup.directories:
        name = directory.mount.rpartition("/")[2]
        hierarchies.append((name, directory.path))
        if len(directory.controllers) > 1:
            links += [(each, name) for each in directory.controllers if each != name]
    return steps.MountCgroup1(mount.destination, tuple(hierarchies), tuple(links), attributes)
