"""What the daemon fills into a host config, so that ``inspect`` shows what holds; pure."""

import msgspec
from msgspec import UNSET

from boxship.engine.containers.checks.modes import joined_container
from boxship.engine.networks.record import BRIDGE, NONE
from boxship.engine.settings import EngineSettings
from boxship.model.container import HostConfig, LogConfig
from boxship.runtime.defaults import MASKED_PATHS, READONLY_PATHS

NO_SWAP_LIMIT = -1


def fill(
    host: HostConfig, settings: EngineSettings, *, unified_cgroups: bool, runtime: str
) -> HostConfig:
    """Return the host config with Docker's defaults where the request says nothing."""
    network = host.network_mode
    changes: dict[str, object] = {
        "network_mode": _network_mode(settings) if network in ("", "default") else network,
        "ipc_mode": host.ipc_mode or settings.ipc_mode,
        "cgroupns_mode": host.cgroupns_mode or _cgroup_namespace(host, settings, unified_cgroups),
        "shm_size": host.shm_size or settings.default_shm_size,
        "log_config": _log(host.log_config, settings.log_config),
        "runtime": host.runtime or runtime,
        "memory_swap": _memory_swap(host),
        "memory_swappiness": None if host.memory_swappiness == -1 else host.memory_swappiness,
        "security_opt": _security_options(host),
        "pids_limit": host.pids_limit if host.pids_limit and host.pids_limit > 0 else None,
        "ulimits": _ulimits(host, settings),
        "cap_add": _capabilities(host.cap_add),
        "cap_drop": _capabilities(host.cap_drop),
    }
    if not host.restart_policy.name:
        changes["restart_policy"] = msgspec.structs.replace(host.restart_policy, name="no")
    if host.masked_paths is None:
        changes["masked_paths"] = None if host.privileged else MASKED_PATHS
    if host.readonly_paths is None:
        changes["readonly_paths"] = None if host.privileged else READONLY_PATHS
    if host.init is UNSET and settings.init:
        changes["init"] = True
    if host.oom_kill_disable is None:
        changes["oom_kill_disable"] = None if unified_cgroups else False
    return msgspec.structs.replace(host, **changes)


def _network_mode(settings: EngineSettings) -> str:
    """Return what the mode ``default`` means: as in Docker, ``none`` if there is no bridge."""
    return NONE if settings.networks.bridge == NONE else BRIDGE


def _cgroup_namespace(host: HostConfig, settings: EngineSettings, unified: bool) -> str:
    if host.privileged and unified:
        return "host"
    return settings.cgroup_namespace_mode or ("private" if unified else "host")


def _capabilities(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Write them in one way, ``CAP_NET_ADMIN``, however they were given."""
    if names is None:
        return None
    upper = (name.upper() for name in names)
    return tuple(n if n == "ALL" or n.startswith("CAP_") else f"CAP_{n}" for n in upper)


def _security_options(host: HostConfig) -> tuple[str, ...] | None:
    """A container that shares so much with the host gets no label of its own."""
    shares = host.privileged or host.pid_mode == "host" or host.ipc_mode == "host"
    labelled = any(option.startswith("label") for option in host.security_opt or ())
    if not shares or labelled:
        return host.security_opt
    return (*(host.security_opt or ()), "label=disable")


def _log(asked: LogConfig, default: LogConfig) -> LogConfig:
    """Add the daemon's options: to its own driver all, to another what is about the copy kept."""
    daemon, own = default.config or {}, asked.config or {}
    if asked.type not in ("", default.type):
        cache = {name: value for name, value in daemon.items() if name.startswith("cache-")}
        return LogConfig(type=asked.type, config={**cache, **own})
    return LogConfig(type=default.type, config={**daemon, **own})


def _memory_swap(host: HostConfig) -> int:
    """Unless it is said, a container may swap as much as it may have of memory."""
    return host.memory * 2 if host.memory > 0 and host.memory_swap == 0 else host.memory_swap


def _ulimits(host: HostConfig, settings: EngineSettings) -> object:
    if not settings.default_ulimits:
        return host.ulimits
    own = {limit.name for limit in host.ulimits or ()}
    added = tuple(limit for limit in settings.default_ulimits if limit.name not in own)
    return (*(host.ulimits or ()), *added)


def shares_network_with(host: HostConfig) -> str | None:
    """Return the container whose network this one uses, if any."""
    return joined_container(host.network_mode)
