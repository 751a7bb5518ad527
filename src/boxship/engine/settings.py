"""What the engine is told once, when it is opened; the daemon makes it of flags and daemon.json."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from boxship.distribution.settings import RegistrySettings
from boxship.model.container import LogConfig, Ulimit
from boxship.oci.runtime import IdMapping

DEFAULT_STOP_TIMEOUT = 10
DEFAULT_SHM_SIZE = 64 * 2**20
BUILT_IN_RUNTIME = "boxship"
STOCK_RUNTIMES = {"runc": "runc", "io.containerd.runc.v2": "runc"}
"""Programs behind names that need no configuration."""


@dataclass(frozen=True)
class RuntimeProgram:
    """An OCI runtime: a program, looked up on PATH unless it is a path, and its first arguments."""

    path: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class UserMaps:
    """Whom a container's users and groups are on the host; user 0 is among them."""

    uids: tuple[IdMapping, ...]
    gids: tuple[IdMapping, ...]

    @property
    def root(self) -> tuple[int, int]:
        """The host's ids of the container's root."""
        return self.uids[0].host_id, self.gids[0].host_id


@dataclass(frozen=True)
class TransferLimits:
    """How many layers come from registries, and go there, at once, over all pulls and pushes."""

    downloads: int = 3
    uploads: int = 5


DEFAULT_LIMITS = TransferLimits()


@dataclass(frozen=True)
class AddressPoolSetting:
    """``default-address-pools``: subnets of ``size`` bits are cut from ``base``, a CIDR."""

    base: str
    size: int


@dataclass(frozen=True)
class NetworkSettings:
    """The default bridge, and defaults of the other networks. Empty text: nothing was asked."""

    bridge: str = ""
    """An existing bridge to use as the default one, or ``none``."""
    bip: str = ""
    bip6: str = ""
    fixed_cidr: str = ""
    fixed_cidr_v6: str = ""
    mtu: int = 0
    """Of the default bridge; 0: 1500, as the kernel has it."""
    icc: bool = True
    ip_masq: bool = True
    default_gateway: str = ""
    default_gateway_v6: str = ""
    ipv6: bool = False
    host_ip: str = ""
    """Where ports of the default bridge are published unless they say otherwise; empty: all."""
    host_gateway_ips: tuple[str, ...] = ()
    address_pools: tuple[AddressPoolSetting, ...] = ()
    default_options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """``default-network-opts``: options of new networks by their driver."""
    ip_forward: bool = True
    ip_forward_no_drop: bool = False
    iptables: bool = True
    """Whether there are firewall rules at all."""
    ip6tables: bool = True
    """Whether those are for IPv6, too; else its addresses are neither translated nor guarded."""
    allow_direct_routing: bool = False
    """Published ports are open at containers' own addresses, too."""
    accepted_mark: tuple[int, int] | None = None
    """A firewall mark, and its mask, whose packets get into bridges."""
    firewall: str = "respect"
    """``respect`` or ``bypass`` the host's firewall with published ports."""


@dataclass(frozen=True)
class CachePolicy:
    """What of builds' cache goes by itself. Sizes in bytes; ``filters`` as ``type=exec.cachemount``
    or ``unused-for=48h``."""

    keep_bytes: int = 0
    max_used_bytes: int = 0
    min_free_bytes: int = 0
    filters: tuple[str, ...] = ()
    all: bool = False


@dataclass(frozen=True)
class BuildCacheSettings:
    """How much is kept of builds. ``keep_bytes`` 0: a tenth of the file system."""

    collects: bool = True
    keep_bytes: int = 0
    policies: tuple[CachePolicy, ...] = ()
    """In place of the built-in ones."""
    history_most: int = 50
    """How many builds that have ended are remembered."""
    history_age_ns: int = 0
    """And for how long; 0: as long as there are no more than so many."""
    denied: frozenset[str] = frozenset()
    """What no client may allow its builds: ``network.host``, ``security.insecure``, ``device``."""


@dataclass(frozen=True)
class PluginSettings:
    """Where plugins say where they listen, and how many seconds one has for what it is asked."""

    directories: tuple[str, ...] = ()
    hosted: str = ""
    """A directory for sockets of plugins that come as Python packages; empty: there are none."""
    timeout: float = 120
    """For calls that do something; those that only ask get half of it."""


@dataclass(frozen=True)
class EngineSettings:
    """Places and defaults. Directories are absolute; sizes are bytes, times seconds."""

    data_root: str = "/var/lib/boxship"
    exec_root: str = "/run/boxship"
    cgroup_parent: str = "/boxship"
    systemd_cgroups: bool = False
    """Have systemd make a scope for each container; its parent is a slice then."""
    cpu_rt_period: int = 0
    cpu_rt_runtime: int = 0
    """What of each period, in microseconds, containers together may use for real-time work."""
    cgroup_namespace_mode: str = ""
    """``private`` or ``host``; empty: private on cgroup v2 and host on v1, as Docker does."""
    ipc_mode: str = "private"
    default_shm_size: int = DEFAULT_SHM_SIZE
    default_ulimits: tuple[Ulimit, ...] = ()
    log_budget: int = 0
    """Bytes that all containers' logs may take together; 0: as many as they like."""
    log_config: LogConfig = field(default_factory=lambda: LogConfig(type="json-file", config={}))
    stop_timeout: int = DEFAULT_STOP_TIMEOUT
    init: bool = False
    """Whether containers get an init of ours by default."""
    init_path: str = ""
    """Another init for that; empty is ours."""
    no_new_privileges: bool = False
    seccomp_profile: str = ""
    """Path of a profile in Docker's format; empty is the built-in one."""
    runtime: str = BUILT_IN_RUNTIME
    cdi_spec_dirs: tuple[str, ...] = ("/etc/cdi", "/var/run/cdi")
    """Where vendors describe their devices; empty: no such devices are given."""
    runtimes: Mapping[str, RuntimeProgram] = field(default_factory=dict)
    """Those that are configured, by name; with ``runtime`` what a reload can change."""
    dns: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    user_maps: UserMaps | None = None
    """With maps, containers have a user namespace unless they ask for the host's."""
    storage_driver: str = ""
    """Of new containers: ``overlay2`` or ``vfs``; empty: what works here."""
    container_size: int = 0
    """How many bytes a container may write unless it says so itself; 0: any."""
    registries: RegistrySettings = field(default_factory=RegistrySettings)
    transfers: TransferLimits = DEFAULT_LIMITS
    keep_blobs: bool = False
    """Whether layers are also kept in the compressed form they came or went in."""
    networks: NetworkSettings = field(default_factory=NetworkSettings)
    build_cache: BuildCacheSettings = field(default_factory=BuildCacheSettings)
    plugins: PluginSettings = field(default_factory=PluginSettings)
    trash_retention_ns: int = 0
    """How long what is removed can be brought back; 0: not at all."""
    live_restore: bool = True
    """Containers outlive the daemon; without it an orderly stop of the daemon stops them."""


class Configured:
    """The settings as they are now: a reload of the configuration puts others in their place."""

    def __init__(self, settings: EngineSettings) -> None:
        self.now = settings
