"""What a container may be asked to be within a scope: a table over all fields. Pure.

A scope gives rights over containers, and none over the host. So a container that is made within
one must not get what leads out of it: the host's files, devices, namespaces or capabilities, or
another container's, or an image or a volume that the scope doesn't have. The table names what may
be asked for; a field that isn't in it, as one that somebody adds tomorrow, must be left as it is. A
test holds the table against the fields there are.

What is found out of other objects (which volume, which network) is checked by who has them; here
``Wishes`` says which these are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET, Struct

from boxship.base.errors import ForbiddenError
from boxship.engine.access.scope import Scope
from boxship.engine.containers import mounts
from boxship.engine.containers.record import MountPoint
from boxship.engine.containers.requests import CreateContainer
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.model.container import ContainerConfig, HostConfig, LogConfig, Mount, Ulimit

Rule = Callable[[Any], bool]
"""Says of a value that it may be asked for."""

_LOCAL_LOGS = frozenset({"", "json-file", "local", "none"})
_ULIMITS = frozenset({"core", "cpu", "data", "fsize", "nofile", "nproc", "stack"})
_NO_NEW_PRIVILEGES = frozenset(
    {"no-new-privileges", "no-new-privileges=true", "no-new-privileges:true"}
)


def _any(_value: object) -> bool:
    return True


def _one_of(*words: str) -> Rule:
    return lambda value: value in words


def _logs_stay_here(value: LogConfig) -> bool:
    """Other drivers have the daemon connect to whatever their options name.

    Without a driver the daemon's own is meant, and its options are not to be changed.
    """
    return value.type in _LOCAL_LOGS and (bool(value.type) or not value.config)


def _no_louder(value: int) -> bool:
    """Below zero it would outlive the host's own processes when memory runs short."""
    return value >= 0


def _only_no_new_privileges(value: tuple[str, ...]) -> bool:
    return set(value) <= _NO_NEW_PRIVILEGES


def _harmless_ulimits(value: tuple[Ulimit, ...]) -> bool:
    """Not memlock, nice or rtprio: with these a container can halt the machine."""
    return all(limit.name in _ULIMITS for limit in value)


def _plain_mounts(value: tuple[Mount, ...]) -> bool:
    """Volumes that are there, and memory. A volume's driver options can mount anything."""
    return all(_is_plain(mount) for mount in value)


def _is_plain(mount: Mount) -> bool:
    if mount.type == "tmpfs":
        return mount.bind_options is None
    options = mount.volume_options
    return (
        mount.type == "volume"
        and mount.bind_options is None
        and (options is None or options.driver_config is None)
    )


HOST_RULES: Mapping[str, Rule] = {
    "binds": lambda value: all(mounts.parse_bind(text).type == "volume" for text in value),
    "mounts": _plain_mounts,
    "log_config": _logs_stay_here,
    "network_mode": lambda mode: mode != "host" and not mode.startswith("container:"),
    "port_bindings": _any,  # by the permission to publish
    "publish_all_ports": _any,
    "restart_policy": _any,
    "auto_remove": _any,
    "console_size": _any,
    "cap_drop": _any,
    "cgroupns_mode": _one_of("private", "host"),  # of older clients; it only shows a path
    "dns_options": _any,
    "dns_search": _any,
    "extra_hosts": _any,
    "group_add": _any,
    "ipc_mode": _one_of("private", "shareable", "none"),
    "pid_mode": _one_of("private"),
    "oom_score_adj": _no_louder,
    "readonly_rootfs": _any,
    "security_opt": _only_no_new_privileges,
    "storage_opt": _any,
    "tmpfs": _any,
    "shm_size": _any,
    "volume_driver": _one_of("local"),
    "isolation": _one_of("default"),
    "cpu_shares": _any,
    "memory": _any,
    "nano_cpus": _any,
    "blkio_weight": _any,
    "cpu_period": _any,
    "cpu_quota": _any,
    "cpuset_cpus": _any,
    "cpuset_mems": _any,
    "kernel_memory": _any,
    "kernel_memory_tcp": _any,
    "memory_reservation": _any,
    "memory_swap": _any,
    "memory_swappiness": _any,
    "init": _any,
    "pids_limit": _any,
    "ulimits": _harmless_ulimits,
    "egress": _any,  # it takes away, and gives nothing
}

HOST_CLOSED = frozenset(
    {
        "container_id_file", "dns", "volumes_from", "annotations", "cap_add", "cgroup", "links",
        "privileged", "uts_mode", "userns_mode", "sysctls", "runtime", "cgroup_parent",
        "blkio_weight_device", "blkio_device_read_bps", "blkio_device_write_bps",
        "blkio_device_read_iops", "blkio_device_write_iops", "cpu_realtime_period",
        "cpu_realtime_runtime", "devices", "device_cgroup_rules", "device_requests",
        "oom_kill_disable", "cpu_count", "cpu_percent", "io_maximum_iops",
        "io_maximum_bandwidth", "masked_paths", "readonly_paths",
    }
)  # fmt: skip
"""What must be left as it is, looked at and found to lead out, or of no use here."""

CONFIG_CLOSED = frozenset({"mac_address"})
"""With another's address a container hears what is meant for that one."""
CONFIG_OPEN = frozenset(ContainerConfig.__struct_fields__) - CONFIG_CLOSED

_ENDPOINT_CLOSED = ("links", "driver_opts", "mac_asked", "link_local")
_SPOKEN_OF_EMPTY = frozenset({"masked_paths", "readonly_paths"})
"""Here an empty list is not nothing, but that nothing is masked."""


@dataclass(frozen=True)
class Wishes:
    """What a request needs of other objects: names of networks and volumes."""

    networks: tuple[str, ...]
    volumes: tuple[str, ...]
    publishes: bool


def check_creation(scope: Scope, request: CreateContainer) -> Wishes:
    """Return what of other objects a container to be needs.

    ForbiddenError names the first field that leads out of the scope. InvalidArgumentError: a bind
    or mount is not well formed.
    """
    check_host(scope, request.host)
    _check_fields(scope, request.config, ContainerConfig(), dict.fromkeys(CONFIG_OPEN, _any))
    for endpoint in request.endpoints:
        check_endpoint(scope, endpoint)
    host = request.host
    return Wishes(
        networks=_networks(request),
        volumes=tuple(point.name for point in _volumes(host) if point.name),
        publishes=bool(host.port_bindings or host.publish_all_ports),
    )


def check_host(scope: Scope, host: HostConfig) -> None:
    """Check the part that belongs to the host, as at create also of an update."""
    _check_fields(scope, host, HostConfig(), HOST_RULES)


def check_endpoint(scope: Scope, endpoint: EndpointRecord) -> None:
    """Check what is asked of a place in a network."""
    for name in _ENDPOINT_CLOSED:
        if getattr(endpoint, name):
            raise _refusal(scope, f"{name} of the network {endpoint.network}")


def _check_fields(scope: Scope, given: Struct, defaults: Struct, rules: Mapping[str, Rule]) -> None:
    for name in given.__struct_fields__:
        value, usual = getattr(given, name), getattr(defaults, name)
        if value == usual or (name not in _SPOKEN_OF_EMPTY and _is_nothing(value)):
            continue
        rule = rules.get(name)
        if rule is None or not rule(value):
            raise _refusal(scope, _told(name, value))


def _is_nothing(value: object) -> bool:
    return value is UNSET or value is None or value in ("", 0, (), {})


def _told(name: str, value: object) -> str:
    word = "".join(part.capitalize() for part in name.split("_"))
    return f"{word}={value}" if isinstance(value, str | int) else word


def _refusal(scope: Scope, what: str) -> ForbiddenError:
    return ForbiddenError(
        f"the scope {scope.name} does not allow containers with {what}: it would lead beyond them"
    )


def _volumes(host: HostConfig) -> tuple[MountPoint, ...]:
    return tuple(point for point in mounts.resolve(host) if point.type == "volume")


def _networks(request: CreateContainer) -> tuple[str, ...]:
    """Return names (or ids) of the networks it is to be on, without those everybody has."""
    asked = (request.host.network_mode, *(endpoint.network for endpoint in request.endpoints))
    return tuple(name for name in dict.fromkeys(asked) if name not in EVERYBODYS)


EVERYBODYS = ("", "default", "bridge", "none")
"""Modes that are no network of the scope's and that it may have nevertheless."""
