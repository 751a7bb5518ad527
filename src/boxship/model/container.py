"""What a container is asked to be: ``ContainerConfig`` (portable) and ``HostConfig`` (this host).

Field names are Python's; JSON names, order and zero values are Docker's (``null`` for an absent
list, ``""`` for an absent word), because clients compare them. Durations are nanoseconds and sizes
bytes unless a field says otherwise.
"""

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from boxship.model.integers import Int64, Uint16, Uint32, Uint64


class HealthConfig(Struct, frozen=True, rename="pascal", omit_defaults=True):
    """How to tell whether the container works; ``test`` begins with NONE, CMD or CMD-SHELL."""

    test: tuple[str, ...] | None = None
    interval: Int64 = 0
    timeout: Int64 = 0
    start_period: Int64 = 0
    start_interval: Int64 = 0
    retries: Int64 = 0


class ContainerConfig(Struct, frozen=True, rename="pascal"):
    """The part of a container that an image may carry too."""

    hostname: str = ""
    domainname: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: dict[str, dict[str, Any]] | UnsetType | None = UNSET
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    healthcheck: HealthConfig | UnsetType | None = UNSET
    args_escaped: bool | UnsetType | None = UNSET
    image: str = ""
    volumes: dict[str, dict[str, Any]] | None = None
    working_dir: str = ""
    entrypoint: tuple[str, ...] | None = None
    network_disabled: bool | UnsetType | None = UNSET
    mac_address: str | UnsetType | None = UNSET
    on_build: tuple[str, ...] | UnsetType | None = None
    labels: dict[str, str] | None = None
    stop_signal: str | UnsetType | None = UNSET
    stop_timeout: Int64 | UnsetType | None = UNSET
    shell: tuple[str, ...] | UnsetType | None = UNSET


class LogConfig(Struct, frozen=True, rename="pascal"):
    """Where the output goes; an empty type is the daemon's default."""

    type: str = ""
    config: dict[str, str] | None = None


class RestartPolicy(Struct, frozen=True, rename="pascal"):
    """One of ``no``, ``always``, ``unless-stopped``, ``on-failure`` (the count is for the last)."""

    name: str = ""
    maximum_retry_count: Int64 = 0


class PortBinding(Struct, frozen=True):
    """One end of a published port on the host; ports are text and may be empty (any).

    ``sources`` are the CIDRs that may use it, which Docker does not know; unset: all.
    """

    host_ip: str = field(default="", name="HostIp")
    host_port: str = field(default="", name="HostPort")
    sources: tuple[str, ...] | UnsetType | None = field(default=UNSET, name="Sources")


class WeightDevice(Struct, frozen=True, rename="pascal"):
    """A block device and its relative weight, 10 to 1000."""

    path: str = ""
    weight: Uint16 = 0


class ThrottleDevice(Struct, frozen=True, rename="pascal"):
    """A block device and its limit per second, in bytes or operations."""

    path: str = ""
    rate: Uint64 = 0


class DeviceMapping(Struct, frozen=True, rename="pascal"):
    """A host device shown in the container; permissions out of ``rwm``."""

    path_on_host: str = ""
    path_in_container: str = ""
    cgroup_permissions: str = ""


class DeviceRequest(Struct, frozen=True, rename="pascal"):
    """Devices asked for by what they can do, as ``--gpus`` does."""

    driver: str = ""
    count: Int64 = 0
    device_ids: tuple[str, ...] | None = field(default=None, name="DeviceIDs")
    capabilities: tuple[tuple[str, ...], ...] | None = None
    options: dict[str, str] | None = None


class Ulimit(Struct, frozen=True, rename="pascal"):
    """A resource limit by its lower-case name without ``RLIMIT_``; -1 is unlimited."""

    name: str = ""
    hard: Int64 = 0
    soft: Int64 = 0


class BindOptions(Struct, frozen=True, rename="pascal", omit_defaults=True):
    propagation: str = ""
    non_recursive: bool = False
    create_mountpoint: bool = False
    read_only_non_recursive: bool = False
    read_only_force_recursive: bool = False


class DriverConfig(Struct, frozen=True, rename="pascal", omit_defaults=True):
    name: str = ""
    options: dict[str, str] | None = None


class VolumeOptions(Struct, frozen=True, rename="pascal", omit_defaults=True):
    no_copy: bool = False
    labels: dict[str, str] | None = None
    subpath: str = ""
    driver_config: DriverConfig | None = None


class ImageOptions(Struct, frozen=True, rename="pascal", omit_defaults=True):
    subpath: str = ""


class TmpfsOptions(Struct, frozen=True, rename="pascal", omit_defaults=True):
    size_bytes: Int64 = 0
    mode: Uint32 = 0
    options: tuple[tuple[str, ...], ...] | None = None


class Mount(Struct, frozen=True, rename="pascal", omit_defaults=True):
    """One ``--mount``: type bind, volume, tmpfs, image, npipe or cluster."""

    type: str = ""
    source: str = ""
    target: str = ""
    read_only: bool = False
    consistency: str = ""
    bind_options: BindOptions | None = None
    volume_options: VolumeOptions | None = None
    image_options: ImageOptions | None = None
    tmpfs_options: TmpfsOptions | None = None


class HostConfig(Struct, frozen=True, rename="pascal"):
    """The part of a container that belongs to this host: limits, mounts, namespaces, rights."""

    binds: tuple[str, ...] | None = None
    container_id_file: str = field(default="", name="ContainerIDFile")
    log_config: LogConfig = LogConfig()
    network_mode: str = ""
    port_bindings: dict[str, tuple[PortBinding, ...] | None] | None = None
    restart_policy: RestartPolicy = RestartPolicy()
    auto_remove: bool = False
    volume_driver: str = ""
    volumes_from: tuple[str, ...] | None = None
    console_size: tuple[Uint32, Uint32] | None = (0, 0)
    annotations: dict[str, str] | UnsetType | None = UNSET
    cap_add: tuple[str, ...] | None = None
    cap_drop: tuple[str, ...] | None = None
    cgroupns_mode: str = ""
    dns: tuple[str, ...] | None = ()
    dns_options: tuple[str, ...] | None = ()
    dns_search: tuple[str, ...] | None = ()
    extra_hosts: tuple[str, ...] | None = None
    group_add: tuple[str, ...] | None = None
    ipc_mode: str = ""
    cgroup: str = ""
    links: tuple[str, ...] | None = None
    oom_score_adj: Int64 = 0
    pid_mode: str = ""
    privileged: bool = False
    publish_all_ports: bool = False
    readonly_rootfs: bool = False
    security_opt: tuple[str, ...] | None = None
    storage_opt: dict[str, str] | UnsetType | None = UNSET
    tmpfs: dict[str, str] | UnsetType | None = UNSET
    uts_mode: str = field(default="", name="UTSMode")
    userns_mode: str = ""
    shm_size: Int64 = 0
    sysctls: dict[str, str] | UnsetType | None = UNSET
    runtime: str | None = ""
    isolation: str = ""
    cpu_shares: Int64 = 0
    memory: Int64 = 0
    nano_cpus: Int64 = 0
    cgroup_parent: str = ""
    blkio_weight: Uint16 = 0
    blkio_weight_device: tuple[WeightDevice, ...] | None = ()
    blkio_device_read_bps: tuple[ThrottleDevice, ...] | None = ()
    blkio_device_write_bps: tuple[ThrottleDevice, ...] | None = ()
    blkio_device_read_iops: tuple[ThrottleDevice, ...] | None = field(
        default=(), name="BlkioDeviceReadIOps"
    )
    blkio_device_write_iops: tuple[ThrottleDevice, ...] | None = field(
        default=(), name="BlkioDeviceWriteIOps"
    )
    cpu_period: Int64 = 0
    cpu_quota: Int64 = 0
    cpu_realtime_period: Int64 = 0
    cpu_realtime_runtime: Int64 = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    devices: tuple[DeviceMapping, ...] | None = ()
    device_cgroup_rules: tuple[str, ...] | None = None
    device_requests: tuple[DeviceRequest, ...] | None = None
    kernel_memory: Int64 | UnsetType = UNSET
    kernel_memory_tcp: Int64 | UnsetType = field(default=UNSET, name="KernelMemoryTCP")
    memory_reservation: Int64 = 0
    memory_swap: Int64 = 0
    memory_swappiness: Int64 | None = None
    oom_kill_disable: bool | None = None
    init: bool | UnsetType | None = UNSET
    pids_limit: Int64 | None = None
    ulimits: tuple[Ulimit, ...] | None = ()
    cpu_count: Int64 = 0
    cpu_percent: Int64 = 0
    io_maximum_iops: Uint64 = field(default=0, name="IOMaximumIOps")
    io_maximum_bandwidth: Uint64 = field(default=0, name="IOMaximumBandwidth")
    mounts: tuple[Mount, ...] | UnsetType | None = UNSET
    masked_paths: tuple[str, ...] | None = None
    readonly_paths: tuple[str, ...] | None = None
    egress: tuple[str, ...] | UnsetType | None = UNSET
    """Where it may connect to, which Docker does not know; unset: anywhere."""
