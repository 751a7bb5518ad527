"""Containers in requests and answers: create, list, inspect, wait, top, exec."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from boxship.model.container import ContainerConfig, HostConfig, PortBinding, RestartPolicy
from boxship.model.integers import Int64, Uint16, Uint32
from boxship.wire.images import Driver
from boxship.wire.networks import Endpoint, NetworkingConfig
from boxship.wire.versions import ApiVersion


class CreateBody(ContainerConfig, frozen=True, rename="pascal"):
    """The body of ``POST /containers/create``: a config with two more members (``creation.py``)."""

    host_config: HostConfig | None = None
    networking_config: NetworkingConfig | None = None


class UpdateBody(Struct, frozen=True, rename="pascal"):
    """The body of ``POST /containers/{id}/update``: what of a ``HostConfig`` can be changed.

    The last three are beyond Docker: ports as in ``PortBindings``, ports of the host, and all the
    words that say where it may connect to.
    """

    blkio_weight: Uint16 = 0
    cpu_shares: Int64 = 0
    cpu_period: Int64 = 0
    cpu_quota: Int64 = 0
    nano_cpus: Int64 = 0
    cpu_realtime_period: Int64 = 0
    cpu_realtime_runtime: Int64 = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    memory: Int64 = 0
    memory_swap: Int64 = 0
    memory_reservation: Int64 = 0
    kernel_memory: Int64 = 0
    pids_limit: Int64 | None = None
    restart_policy: RestartPolicy = RestartPolicy()
    publish_add: dict[str, tuple[PortBinding, ...] | None] | None = None
    publish_remove: tuple[str, ...] | None = None
    egress: tuple[str, ...] | None = None


_LIMITS = tuple(
    name for name in UpdateBody.__struct_fields__ if name in HostConfig.__struct_fields__
)


def updates_of(body: UpdateBody, version: ApiVersion) -> HostConfig:
    """Return a host config with these fields, as the client's version means them."""
    fields: dict[str, Any] = {name: getattr(body, name) for name in _LIMITS}
    if body.egress is None:
        fields["egress"] = UNSET
    if version < 40:
        fields["pids_limit"] = None
    if version >= 42:
        fields["kernel_memory"] = UNSET
    return HostConfig(**fields)


class UpdateAnswer(Struct, frozen=True, rename="pascal"):
    warnings: tuple[str, ...] | None = None


class ChangeRow(Struct, frozen=True, rename="pascal"):
    """A row of ``GET /containers/{id}/changes``: 0 changed, 1 added, 2 deleted."""

    path: str
    kind: int


class PathStatHeader(Struct, frozen=True, rename="camel"):
    """What ``docker cp`` wants to know of a path; ``mode`` is Go's."""

    name: str
    size: int
    mode: int
    mtime: str
    link_target: str


class CommitAnswer(Struct, frozen=True, rename="pascal"):
    id: str


class CreateAnswer(Struct, frozen=True, rename="pascal"):
    id: str
    warnings: tuple[str, ...] = ()


class MountRow(Struct, frozen=True, rename="pascal", kw_only=True):
    """One mount of a container; ``name`` and ``driver`` are a volume's alone."""

    type: str
    name: str | UnsetType = UNSET
    source: str
    destination: str
    driver: str | UnsetType = UNSET
    mode: str
    rw: bool = field(name="RW")
    propagation: str


class HostEnd(Struct, frozen=True):
    """Where a port is published."""

    host_ip: str = field(name="HostIp")
    host_port: str = field(name="HostPort")


class PortRow(Struct, frozen=True, rename="pascal"):
    """A port in a row of the list; one that isn't published has neither address nor public port.

    ``sources`` (who may use it) and ``firewall`` (who else decides about that) are beyond Docker.
    """

    ip: str | UnsetType = field(default=UNSET, name="IP")
    private_port: int = 0
    public_port: int | UnsetType = UNSET
    type: str = ""
    sources: tuple[str, ...] | UnsetType = UNSET
    firewall: str | UnsetType = UNSET


class SummaryHost(Struct, frozen=True, rename="pascal"):
    network_mode: str
    annotations: dict[str, str] | UnsetType | None = UNSET
    egress: tuple[str, ...] | UnsetType | None = UNSET


class SummaryNetworks(Struct, frozen=True, rename="pascal"):
    networks: dict[str, Endpoint]


class SummaryHealth(Struct, frozen=True, rename="pascal"):
    status: str = "none"
    failing_streak: int = 0


class ContainerRow(Struct, frozen=True, rename="pascal"):
    """A row of ``GET /containers/json``; ``created`` in seconds."""

    id: str
    names: tuple[str, ...]
    image: str
    image_id: str = field(name="ImageID")
    command: str
    created: int
    labels: dict[str, str]
    state: str
    status: str
    host_config: SummaryHost
    network_settings: SummaryNetworks
    mounts: tuple[MountRow, ...]
    ports: tuple[PortRow, ...] = ()
    health: SummaryHealth = SummaryHealth()
    size_rw: int | UnsetType = UNSET
    size_root_fs: int | UnsetType = UNSET


class HealthResult(Struct, frozen=True, rename="pascal"):
    start: str
    end: str
    exit_code: int
    output: str


class Health(Struct, frozen=True, rename="pascal"):
    """``State.Health``; the oldest result first."""

    status: str
    failing_streak: int
    log: tuple[HealthResult, ...]


class State(Struct, frozen=True, rename="pascal"):
    """``State`` of an inspected container; times are RFC 3339."""

    status: str
    running: bool
    paused: bool
    restarting: bool
    oom_killed: bool = field(name="OOMKilled")
    dead: bool
    pid: int
    exit_code: int
    error: str
    started_at: str
    finished_at: str
    health: Health | UnsetType = UNSET


class NetworkSettings(Struct, frozen=True, rename="pascal"):
    sandbox_id: str = field(default="", name="SandboxID")
    sandbox_key: str = ""
    ports: dict[str, tuple[HostEnd, ...] | None] = {}
    networks: dict[str, Endpoint] = {}


class ContainerInspect(Struct, frozen=True, rename="pascal"):
    """``GET /containers/{id}/json``."""

    id: str
    created: str
    path: str
    args: tuple[str, ...]
    state: State
    image: str
    resolv_conf_path: str
    hostname_path: str
    hosts_path: str
    log_path: str
    name: str
    restart_count: int
    driver: str
    platform: str
    host_config: HostConfig
    graph_driver: Driver
    mounts: tuple[MountRow, ...]
    config: ContainerConfig
    network_settings: NetworkSettings
    exec_ids: tuple[str, ...] | None = field(default=None, name="ExecIDs")
    mount_label: str = ""
    process_label: str = ""
    app_armor_profile: str = ""
    size_rw: int | UnsetType = UNSET
    size_root_fs: int | UnsetType = UNSET
    lost_log_lines: int | UnsetType = UNSET
    """Lines of its output that did not get into its log, if any; Docker doesn't count them."""


class WaitError(Struct, frozen=True, rename="pascal"):
    message: str


class WaitAnswer(Struct, frozen=True, rename="pascal", omit_defaults=True):
    status_code: int | UnsetType = UNSET
    error: WaitError | None = None


class StepTime(Struct, frozen=True, rename="pascal"):
    """How long one step of a start took."""

    name: str
    milliseconds: float


class StartTrace(Struct, frozen=True, rename="pascal"):
    """The answer to a start with ``trace=1``, which Docker does not know."""

    steps: tuple[StepTime, ...]


class TopAnswer(Struct, frozen=True, rename="pascal"):
    titles: tuple[str, ...]
    processes: tuple[tuple[str, ...], ...]


class ExecBody(Struct, frozen=True, rename="pascal"):
    """The body of ``POST /containers/{id}/exec``; ``console_size`` is rows, columns."""

    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    detach_keys: str | None = None
    tty: bool = False
    env: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    privileged: bool = False
    user: str = ""
    working_dir: str = ""
    console_size: tuple[Uint32, Uint32] | None = None


class ExecAnswer(Struct, frozen=True, rename="pascal"):
    id: str


class ExecStartBody(Struct, frozen=True, rename="pascal"):
    """The body of ``POST /exec/{id}/start``."""

    detach: bool = False
    tty: bool = False
    console_size: tuple[Uint32, Uint32] | None = None


class ExecProcess(Struct, frozen=True):
    tty: bool
    entrypoint: str
    arguments: tuple[str, ...]
    privileged: bool
    user: str | UnsetType = UNSET


class ExecInspect(Struct, frozen=True):
    """``GET /exec/{id}/json``; the names have Docker's uneven spelling."""

    id: str = field(name="ID")
    running: bool = field(name="Running")
    exit_code: int | None = field(name="ExitCode")
    process: ExecProcess = field(name="ProcessConfig")
    open_stdin: bool = field(name="OpenStdin")
    open_stderr: bool = field(name="OpenStderr")
    open_stdout: bool = field(name="OpenStdout")
    can_remove: bool = field(name="CanRemove")
    container_id: str = field(name="ContainerID")
    detach_keys: str = field(name="DetachKeys")
    pid: int = field(name="Pid")


class CheckpointBody(Struct, frozen=True, rename="pascal"):
    """The body of ``POST /containers/{id}/checkpoints``; ``exit``: the container ends with it."""

    checkpoint_id: str = field(default="", name="CheckpointID")
    checkpoint_dir: str = ""
    exit: bool = False


class CheckpointRow(Struct, frozen=True, rename="pascal"):
    name: str
