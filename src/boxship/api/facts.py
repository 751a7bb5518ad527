"""What the API tells of the machine and of the daemon; found out by ``boxship.daemon``."""

from dataclasses import dataclass

from boxship.wire.versions import OLDEST, ApiVersion


@dataclass(frozen=True)
class HostFacts:
    """The machine, as found at start-up."""

    name: str
    kernel: str
    machine: str
    """As the kernel names it: ``x86_64``."""
    operating_system: str
    os_version: str
    cpus: int
    memory: int
    cgroup_version: int
    controllers: frozenset[str]
    """Of cgroup v1 or v2, whichever limits containers here."""
    swap_limit: bool
    oom_kill_disable: bool
    cpu_quota: bool
    ip_forwarding: bool
    seccomp: bool


@dataclass(frozen=True, slots=True)
class RuntimeFacts:
    """An OCI runtime that containers can have."""

    path: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Release:
    """Which daemon it is; told without looking at anything."""

    version: str
    experimental: bool = False
    oldest: ApiVersion = OLDEST
    """Of the API's versions that are served."""


@dataclass(frozen=True)
class ActivePlugins:
    """Names of plugins that were activated, or enabled, by what they are."""

    volume: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    authorization: tuple[str, ...] = ()
    """Those that requests are judged by, in order."""
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class DaemonFacts:
    """The daemon as it is configured now; a reload may change some of it."""

    id: str
    version: str
    data_root: str
    debug: bool
    labels: tuple[str, ...]
    log_driver: str
    storage_driver: str
    storage_status: tuple[tuple[str, str], ...]
    live_restore: bool
    runtimes: dict[str, RuntimeFacts]
    """By name."""
    default_runtime: str
    private_cgroup_namespaces: bool
    experimental: bool = False
    cgroup_driver: str = "cgroupfs"
    seccomp_profile: str = "builtin"
    maps_users: bool = False
    registry_mirrors: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    no_new_privileges: bool = False
    cdi_spec_dirs: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    """Full CDI names of the devices found there."""
    firewall: str = "nftables"
    """What makes the rules of networks; ``none`` if nothing does."""
    address_pools: tuple[tuple[str, int], ...] = ()
    """Configured ones: CIDR, and the prefix of the subnets that are cut from it."""
    host_gateway_ips: tuple[str, ...] = ()
    """What ``host-gateway`` is configured to mean; empty: the default bridge's gateway."""
    init_binary: str = "boxship-init"
    generic_resources: tuple[tuple[str, str | int], ...] = ()
    """What the node has besides: kind, and how many or which one."""
    proxies: tuple[str, str, str] = ("", "", "")
    """For http, for https, and for whom none is used; without passwords."""
    warnings: tuple[str, ...] = ()
    plugins: ActivePlugins = ActivePlugins()
