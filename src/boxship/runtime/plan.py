"""From a runtime spec to a ``Plan``: every decision of a container's start is taken here. Pure.

Masking comes after everything that could still be mounted over.
"""

from collections.abc import Iterator
from dataclasses import replace

from boxship.base.errors import InvalidArgumentError
from boxship.oci import runtime as oci
from boxship.runtime import steps
from boxship.runtime.blueprint import (
    CapabilityPlan,
    CgroupPlan,
    Plan,
    ProcessPlan,
    Rlimit,
    SeccompFilter,
)
from boxship.runtime.capabilities import mask_of
from boxship.runtime.cgroups.plan import plan_cgroup
from boxship.runtime.devices import CORE_LINK, DEFAULT_LINKS, DEFAULT_NODES
from boxship.runtime.host import Host
from boxship.runtime.options import MountOptions, parse_options
from boxship.runtime.seccomp.compiler import compile_filter

RootStep = steps.MountOverlay | steps.BindRoot

_KINDS = {"network": "net", "mount": "mnt"} | {k: k for k in ("ipc", "uts", "cgroup", "user")}
_RLIMIT_NUMBERS = {
    f"RLIMIT_{name}": number
    for number, name in enumerate(
        ("CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS",
         "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME")
    )
}  # fmt: skip
_UNLIMITED = 2**63
"""Values from here on mean "unlimited": JSON writers say it as 2**64-1."""


def plan(spec: oci.Spec, container_id: str, host: Host, root: RootStep | None = None) -> Plan:
    """Plan the start of ``container_id``; ``root`` overrides ``spec.root.path``.

    Raise InvalidArgumentError for what cannot be: it names the spec's field.
    """
    if spec.process is None:
        raise InvalidArgumentError("process: missing")
    if root is None:
        if spec.root is None:
            raise InvalidArgumentError("root: missing")
        root = steps.BindRoot(spec.root.path, spec.linux.rootfs_propagation)
    cgroup_path = spec.linux.cgroups_path or f"/boxship/{container_id}"
    cgroup = plan_cgroup(cgroup_path, spec.linux.resources, host.layout)
    namespaces = _namespace_paths(spec)
    if namespaces.get("mount") != "":
        raise InvalidArgumentError("linux.namespaces: a new mount namespace is needed")
    process = plan_process(spec.process, host, spec.linux.seccomp, container_id)
    return Plan(
        container_id=container_id,
        process=process,
        setup=tuple(_setup(spec, cgroup, root, process, host)),
        cgroup=cgroup,
        new_pid_namespace=namespaces.get("pid") == "",
        join_pid_namespace=namespaces.get("pid", ""),
    )


def plan_process(
    process: oci.Process, host: Host, seccomp: oci.Seccomp | None, container_id: str
) -> ProcessPlan:
    """Plan a process of its own, for init and for exec alike."""
    if not process.args:
        raise InvalidArgumentError("process.args: no command specified")
    if not process.cwd.startswith("/"):
        raise InvalidArgumentError(f"process.cwd: {process.cwd!r} is not an absolute path")
    size, user = process.console_size, process.user
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
        rlimits=tuple(_rlimit(limit) for limit in process.rlimits),
        capabilities=_capabilities(process.capabilities),
        no_new_privileges=process.no_new_privileges,
        seccomp=_filter(seccomp, host),
        oom_score_adj=process.oom_score_adj,
        keyring=f"_ses.{container_id}",
    )


def _filter(seccomp: oci.Seccomp | None, host: Host) -> SeccompFilter | None:
    return None if seccomp is None else compile_filter(seccomp, host.machine)


def _last_of_each(env: tuple[str, ...]) -> tuple[str, ...]:
    """Keep the last of duplicate variables, at the place of the first."""
    return tuple({item.partition("=")[0]: item for item in env}.values())


def _rlimit(limit: oci.Rlimit) -> Rlimit:
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


def _setup(
    spec: oci.Spec, cgroup: CgroupPlan, root: RootStep, process: ProcessPlan, host: Host
) -> Iterator[steps.Step]:
    """Yield all set-up steps; we are in our cgroups already."""
    linux, namespaces = spec.linux, _namespace_paths(spec)
    shared_root = linux.rootfs_propagation.lstrip("r") in ("shared", "unbindable")
    yield from _namespaces(namespaces)
    yield from _copies_of_shared(spec.mounts)
    outer = "rslave" if shared_root else linux.rootfs_propagation or "rslave"
    yield from (steps.SetPropagation(outer), root)
    own_view = namespaces.get("cgroup") == ""
    for mount in spec.mounts:
        is_cgroup = mount.type in ("cgroup", "cgroup2")
        yield _cgroup_mount(mount, cgroup, own_view) if is_cgroup else _mount(mount)
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


def _copies_of_shared(mounts: tuple[oci.Mount, ...]) -> list[steps.Step]:
    binds = [step for step in map(_mount, mounts) if isinstance(step, steps.BindMount)]
    shared = [bind for bind in binds if bind.propagation in ("shared", "rshared")]
    return [steps.CopyTree(bind.source, bind.recursive) for bind in shared]


def _namespaces(namespaces: dict[str, str]) -> list[steps.Step]:
    """Join first: the right to join what others own may be gone in a namespace of our own."""
    result: list[steps.Step] = [
        steps.JoinNamespace(_KINDS[kind], path)
        for kind, path in namespaces.items()
        if path and kind in _KINDS
    ]
    new = tuple(_KINDS[kind] for kind in namespaces if not namespaces[kind] and kind in _KINDS)
    result.append(steps.Unshare(new))
    if "net" in new:
        result.append(steps.LoopbackUp())
    return result


def _mount(mount: oci.Mount) -> steps.Step:
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
        options=options.data,
        propagation=options.propagation,
        copy_up=options.copy_up,
    )


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
    result: list[steps.Step] = list(DEFAULT_NODES)
    defaults = {node.path for node in DEFAULT_NODES}
    for device in spec.linux.devices:
        if device.path in defaults:
            continue
        mode = 0o666 if device.file_mode is None else device.file_mode & 0o7777
        kind = "c" if device.type == "u" else device.type
        result.append(
            steps.MakeNode(
                device.path, kind, device.major, device.minor, mode, device.uid, device.gid
            )
        )
    result += DEFAULT_LINKS
    if host.kcore:
        result.append(CORE_LINK)
    return result


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
