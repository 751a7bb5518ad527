"""Answers about the daemon itself: ``/version`` and ``/info``."""

from msgspec import UNSET, Struct, UnsetType, field


class PlatformName(Struct, frozen=True, rename="pascal"):
    name: str = ""


class Component(Struct, frozen=True, rename="pascal"):
    """One program of the engine and its version; details are text of its own choice."""

    name: str
    version: str
    details: dict[str, str]


class Version(Struct, frozen=True, rename="pascal"):
    """``GET /version``."""

    platform: PlatformName
    components: tuple[Component, ...]
    version: str
    api_version: str
    min_api_version: str = field(name="MinAPIVersion")
    git_commit: str
    go_version: str
    os: str
    arch: str
    kernel_version: str
    build_time: str


class Plugins(Struct, frozen=True, rename="pascal"):
    """Drivers that are there, by kind."""

    volume: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    authorization: tuple[str, ...] | None = None
    log: tuple[str, ...] = ()


class IndexInfo(Struct, frozen=True, rename="pascal"):
    name: str
    mirrors: tuple[str, ...] = ()
    secure: bool = True
    official: bool = False


class RegistryConfig(Struct, frozen=True, rename="pascal"):
    insecure_registry_cidrs: tuple[str, ...] = field(default=(), name="InsecureRegistryCIDRs")
    index_configs: dict[str, IndexInfo] = {}
    mirrors: tuple[str, ...] = ()


class Runtime(Struct, frozen=True):
    path: str
    runtime_args: tuple[str, ...] | UnsetType = field(default=UNSET, name="runtimeArgs")


class Commit(Struct, frozen=True):
    id: str = field(default="", name="ID")


class DiscreteResource(Struct, frozen=True, rename="pascal"):
    kind: str
    value: int


class NamedResource(Struct, frozen=True, rename="pascal"):
    kind: str
    value: str


class GenericResource(Struct, frozen=True, rename="pascal"):
    """So many of a kind, or one of it by its name: exactly one of the two is there."""

    discrete_resource_spec: DiscreteResource | UnsetType = UNSET
    named_resource_spec: NamedResource | UnsetType = UNSET


class Swarm(Struct, frozen=True):
    """A node that is in no swarm."""

    node_id: str = field(default="", name="NodeID")
    node_addr: str = field(default="", name="NodeAddr")
    local_node_state: str = field(default="inactive", name="LocalNodeState")
    control_available: bool = field(default=False, name="ControlAvailable")
    error: str = field(default="", name="Error")
    remote_managers: None = field(default=None, name="RemoteManagers")


class Firewall(Struct, frozen=True, rename="pascal"):
    driver: str


class AddressPool(Struct, frozen=True, rename="pascal"):
    """Where subnets of networks come from: pieces of ``size`` bits of ``base``."""

    base: str
    size: int


class DeviceInfo(Struct, frozen=True):
    """A device that containers can be given, and the driver that knows it."""

    source: str = field(name="Source")
    id: str = field(name="ID")


class Info(Struct, frozen=True, rename="pascal"):
    """``GET /info``."""

    id: str = field(name="ID")
    containers: int
    containers_running: int
    containers_paused: int
    containers_stopped: int
    images: int
    driver: str
    driver_status: tuple[tuple[str, str], ...]
    plugins: Plugins
    memory_limit: bool
    swap_limit: bool
    cpu_cfs_period: bool
    cpu_cfs_quota: bool
    cpu_shares: bool = field(name="CPUShares")
    cpu_set: bool = field(name="CPUSet")
    pids_limit: bool
    ipv4_forwarding: bool = field(name="IPv4Forwarding")
    debug: bool
    n_fd: int = field(name="NFd")
    oom_kill_disable: bool
    n_goroutines: int = field(name="NGoroutines")
    system_time: str
    logging_driver: str
    cgroup_driver: str
    cgroup_version: str
    n_events_listener: int = field(name="NEventsListener")
    kernel_version: str
    operating_system: str
    os_version: str = field(name="OSVersion")
    os_type: str = field(name="OSType")
    architecture: str
    index_server_address: str
    registry_config: RegistryConfig
    ncpu: int = field(name="NCPU")
    mem_total: int
    docker_root_dir: str
    name: str
    labels: tuple[str, ...]
    server_version: str
    runtimes: dict[str, Runtime]
    default_runtime: str
    live_restore_enabled: bool
    init_binary: str
    security_options: tuple[str, ...]
    warnings: tuple[str, ...] | None
    firewall_backend: Firewall | UnsetType = UNSET
    default_address_pools: tuple[AddressPool, ...] | UnsetType = UNSET
    generic_resources: tuple[GenericResource, ...] | None = None
    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: str = ""
    experimental_build: bool = False
    swarm: Swarm = Swarm()
    isolation: str = ""
    containerd_commit: Commit = Commit()
    runc_commit: Commit = Commit()
    init_commit: Commit = Commit()
    cdi_spec_dirs: tuple[str, ...] = field(default=(), name="CDISpecDirs")
    discovered_devices: tuple[DeviceInfo, ...] | UnsetType = UNSET
