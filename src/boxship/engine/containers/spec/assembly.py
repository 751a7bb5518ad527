"""Put the spec together: process, namespaces, file systems, limits, rights."""

import posixpath
from dataclasses import replace

from msgspec import UNSET

from boxship.engine.containers.checks import rights
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.requests import ExecConfig
from boxship.engine.containers.spec import devices, filesystems
from boxship.engine.containers.spec.resources import resources
from boxship.engine.containers.spec.surroundings import Surroundings
from boxship.model.container import HostConfig, Ulimit
from boxship.oci.runtime import (
    Capabilities,
    ConsoleSize,
    Linux,
    Namespace,
    Process,
    Rlimit,
    Root,
    Spec,
    User,
)
from boxship.runtime.capabilities import adjust

_SLICE = "system.slice"
OCI_VERSION = "1.2.0"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DEFAULT_NAMES = """
CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE
SYS_CHROOT KILL AUDIT_WRITE
"""
DEFAULT_CAPABILITIES = tuple(f"CAP_{name}" for name in _DEFAULT_NAMES.split())


def assemble(record: ContainerRecord, around: Surroundings) -> Spec:
    """Return the whole spec. InvalidArgumentError: a device or profile of the request is bad."""
    config, host = record.config, record.host
    nodes = devices.devices(host)
    shares_names = host.uts_mode == "host"
    return Spec(
        oci_version=OCI_VERSION,
        process=process(record, around),
        root=Root(path="rootfs", readonly=host.readonly_rootfs),
        hostname="" if shares_names else around.hostname,
        domainname="" if shares_names else config.domainname,
        annotations=dict(host.annotations or {}) if host.annotations is not UNSET else {},
        mounts=filesystems.mounts(record, around),
        linux=Linux(
            namespaces=namespaces(host, around),
            uid_mappings=around.user_maps.uids if around.user_maps else (),
            gid_mappings=around.user_maps.gids if around.user_maps else (),
            devices=nodes,
            cgroups_path=cgroup_path(
                host, record.id, around.cgroup_parent, systemd=around.systemd_cgroups
            ),
            resources=resources(host, nodes),
            seccomp=around.seccomp,
            sysctl=filesystems.sysctls(host, around.user_maps),
            masked_paths=host.masked_paths or (),
            readonly_paths=host.readonly_paths or (),
            rootfs_propagation=_propagation(record),
        ),
    )


def cgroup_path(
    host: HostConfig, container_id: str, default_parent: str, *, systemd: bool = False
) -> str:
    """Return the container's directory below each hierarchy, or for systemd its scope.

    A parent that leads up ends at the top, as in Docker.
    """
    parent = host.cgroup_parent or default_parent
    if systemd:
        slice_ = parent if parent.endswith(".slice") else _SLICE
        return f"{slice_}:boxship:{container_id}"
    inside = posixpath.normpath(f"/{parent.lstrip('/')}").rstrip("/")
    return f"{inside}/{container_id}"


def _propagation(record: ContainerRecord) -> str:
    """A mount that shall send or get mounts needs a root that lets them through."""
    wanted = {point.propagation for point in record.mounts}
    if wanted & {"shared", "rshared"}:
        return "shared"
    return "rslave" if wanted & {"slave", "rslave"} else ""


# ── process ──────────────────────────────────────────────────────────────────────────────────


def process(record: ContainerRecord, around: Surroundings) -> Process:
    """Return the container's first process."""
    config, host = record.config, record.host
    return Process(
        args=(*_foreign_init(around), record.path, *record.args),
        env=environment(record, around.hostname),
        cwd=config.working_dir or "/",
        terminal=config.tty,
        console_size=_console_size(host.console_size),
        user=User(username=config.user or "0"),
        capabilities=_all_sets(capabilities(host, around.capabilities)),
        rlimits=tuple(_rlimit(limit) for limit in host.ulimits or ()),
        no_new_privileges=rights.no_new_privileges(host, around.default_no_new_privileges),
        apparmor_profile=rights.apparmor_profile(host, around.security_modules),
        oom_score_adj=host.oom_score_adj,
    )


def _foreign_init(around: Surroundings) -> tuple[str, ...]:
    return (filesystems.INIT_TARGET, "--") if around.init_path and not around.init_is_ours else ()


def exec_process(record: ContainerRecord, wanted: ExecConfig, around: Surroundings) -> Process:
    """Return one more process of a container."""
    host = record.host
    return Process(
        args=wanted.cmd,
        env=environment(record, around.hostname, tty=wanted.tty, more=wanted.env),
        cwd=wanted.working_dir or record.config.working_dir or "/",
        terminal=wanted.tty,
        console_size=_console_size(wanted.console_size),
        user=User(username=wanted.user or record.config.user or "0"),
        capabilities=_all_sets(
            capabilities(host, around.capabilities, is_privileged=wanted.privileged)
        ),
        rlimits=tuple(_rlimit(limit) for limit in host.ulimits or ()),
        no_new_privileges=rights.no_new_privileges(host, around.default_no_new_privileges),
        apparmor_profile=rights.apparmor_profile(host, around.security_modules),
        oom_score_adj=host.oom_score_adj,
    )


def _console_size(size: tuple[int, int] | None) -> ConsoleSize | None:
    return ConsoleSize(*size) if size and all(size) else None


def environment(
    record: ContainerRecord, hostname: str, *, tty: bool | None = None, more: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return the variables: Docker's own, over them the container's, over them ``more``.

    A word without ``=`` takes the variable away.
    """
    config = record.config
    variables = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname}
    if config.tty if tty is None else tty:
        variables["TERM"] = "xterm"
    for word in (*(config.env or ()), *more):
        name, equals, value = word.partition("=")
        if equals:
            variables[name] = value
        else:
            variables.pop(name, None)
    return tuple(f"{name}={value}" for name, value in variables.items())


def _rlimit(limit: Ulimit) -> Rlimit:
    unlimited = (1 << 64) - 1
    hard = unlimited if limit.hard == -1 else limit.hard
    soft = unlimited if limit.soft == -1 else limit.soft
    return Rlimit(f"RLIMIT_{limit.name.upper()}", hard=hard, soft=soft)


def capabilities(
    host: HostConfig, available: int, *, is_privileged: bool = False
) -> tuple[str, ...]:
    """Return the names of what a process gets, never more than ``available``."""
    is_privileged = is_privileged or host.privileged
    return adjust(
        DEFAULT_CAPABILITIES,
        ("ALL",) if is_privileged else host.cap_add or (),
        () if is_privileged else host.cap_drop or (),
        available,
    )


def _all_sets(names: tuple[str, ...]) -> Capabilities:
    return Capabilities(bounding=names, effective=names, permitted=names)


# ── namespaces ───────────────────────────────────────────────────────────────────────────────


def namespaces(host: HostConfig, around: Surroundings) -> tuple[Namespace, ...]:
    """Return the namespaces to make or join; a kind that is left out is the host's."""
    found = [Namespace("mount")]
    if around.user_maps is not None:
        users = _joined("user", "user", around.user_pid)
        found.append(replace(users, path=around.made.user or users.path))
    if host.uts_mode != "host":
        found.append(Namespace("uts"))
    if host.network_mode != "host":
        network = _joined("network", "net", around.network_pid)
        found.append(replace(network, path=around.made.network or network.path))
    if host.pid_mode != "host":
        found.append(_joined("pid", "pid", around.pid_pid))
    if host.ipc_mode != "host":
        found.append(_joined("ipc", "ipc", around.ipc_pid))
    if host.cgroupns_mode == "private":
        found.append(Namespace("cgroup"))
    return tuple(found)


def _joined(kind: str, file: str, pid: int) -> Namespace:
    return Namespace(kind, f"/proc/{pid}/ns/{file}" if pid else "")


def supplementary_groups(host: HostConfig) -> tuple[str, ...]:
    """Return ``--group-add`` as given: numbers and names."""
    return tuple(host.group_add or ())


def wants_init(host: HostConfig) -> bool:
    """Tell whether our init goes in front of the command; it makes no sense in shared pids."""
    return host.init is not UNSET and bool(host.init)
