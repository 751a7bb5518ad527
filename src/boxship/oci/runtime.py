"""What a container is, by the OCI runtime specification 1.2 (Linux): ``config.json`` as types.

Read with ``Spec.from_json``; a wrong value raises ValueError that names the field as in
``process.rlimits[2].type: …``. Fields we do not know are ignored, as the specification demands.
Absent lists are empty tuples and absent texts empty; where absence means something else than zero
the type says ``| None``.
"""

from dataclasses import dataclass, field
from typing import Any

from boxship.oci.codec import Codec, camel_case

_CODEC = Codec(camel_case, refuse_unknown=False)

NAMESPACES = ("pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time")
RLIMITS = tuple(
    f"RLIMIT_{name}"
    for name in [
        "AS",
        "CORE",
        "CPU",
        "DATA",
        "FSIZE",
        "LOCKS",
        "MEMLOCK",
        "MSGQUEUE",
        "NICE",
        "NOFILE",
        "NPROC",
        "RSS",
        "RTPRIO",
        "RTTIME",
        "SIGPENDING",
        "STACK",
    ]
)
SECCOMP_ACTIONS = tuple(
    f"SCMP_ACT_{name}"
    for name in [
        "KILL",
        "KILL_PROCESS",
        "KILL_THREAD",
        "TRAP",
        "ERRNO",
        "TRACE",
        "ALLOW",
        "LOG",
        "NOTIFY",
    ]
)
SECCOMP_OPERATORS = tuple(
    f"SCMP_CMP_{name}" for name in ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"]
)
PROPAGATIONS = tuple(
    prefix + name for name in ("private", "slave", "shared", "unbindable") for prefix in ("", "r")
)


def _named(name: str, default: Any) -> Any:
    return field(default=default, metadata={"name": name})


@dataclass(frozen=True, slots=True)
class ConsoleSize:
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class User:
    """``username`` is Docker's text (``name:group``), looked up inside the root when not empty."""

    uid: int = 0
    gid: int = 0
    umask: int | None = None
    additional_gids: tuple[int, ...] = ()
    username: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    bounding: tuple[str, ...] = ()
    effective: tuple[str, ...] = ()
    inheritable: tuple[str, ...] = ()
    permitted: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rlimit:
    type: str = field(metadata={"choices": RLIMITS})
    hard: int = 0
    soft: int = 0


@dataclass(frozen=True, slots=True)
class Process:
    cwd: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    terminal: bool = False
    console_size: ConsoleSize | None = None
    user: User = User()
    capabilities: Capabilities | None = None
    rlimits: tuple[Rlimit, ...] = ()
    no_new_privileges: bool = False
    apparmor_profile: str = ""
    selinux_label: str = ""
    oom_score_adj: int | None = None

    @classmethod
    def from_json(cls, document: object) -> "Process":
        """Read a ``process.json``, as exec takes it."""
        return _CODEC.from_plain(cls, document, "process")


@dataclass(frozen=True, slots=True)
class Root:
    path: str
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class IdMapping:
    container_id: int = field(metadata={"name": "containerID"})
    host_id: int = field(metadata={"name": "hostID"})
    size: int


@dataclass(frozen=True, slots=True)
class Mount:
    destination: str
    type: str = ""
    source: str = ""
    options: tuple[str, ...] = ()
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()


@dataclass(frozen=True, slots=True)
class Hook:
    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout: int | None = None


@dataclass(frozen=True, slots=True)
class Hooks:
    prestart: tuple[Hook, ...] = ()
    create_runtime: tuple[Hook, ...] = ()
    create_container: tuple[Hook, ...] = ()
    start_container: tuple[Hook, ...] = ()
    poststart: tuple[Hook, ...] = ()
    poststop: tuple[Hook, ...] = ()


@dataclass(frozen=True, slots=True)
class Namespace:
    """Without ``path`` a new one, with it the one to join."""

    type: str = field(metadata={"choices": NAMESPACES})
    path: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    path: str
    type: str = field(metadata={"choices": ("c", "b", "u", "p")})
    major: int = 0
    minor: int = 0
    file_mode: int | None = None
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """``major`` and ``minor`` of None mean all."""

    allow: bool
    type: str = field(default="a", metadata={"choices": ("a", "c", "b")})
    major: int | None = None
    minor: int | None = None
    access: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes; -1 is unlimited. ``swap`` is memory and swap together."""

    limit: int | None = None
    reservation: int | None = None
    swap: int | None = None
    kernel: int | None = None
    kernel_tcp: int | None = _named("kernelTCP", None)
    swappiness: int | None = None
    disable_oom_killer: bool = _named("disableOOMKiller", False)
    use_hierarchy: bool = False
    check_before_update: bool = False


@dataclass(frozen=True, slots=True)
class Cpu:
    """Times in microseconds."""

    shares: int | None = None
    quota: int | None = None
    burst: int | None = None
    period: int | None = None
    realtime_runtime: int | None = None
    realtime_period: int | None = None
    cpus: str = ""
    mems: str = ""
    idle: int | None = None


@dataclass(frozen=True, slots=True)
class Pids:
    limit: int


@dataclass(frozen=True, slots=True)
class WeightDevice:
    major: int
    minor: int
    weight: int | None = None
    leaf_weight: int | None = None


@dataclass(frozen=True, slots=True)
class ThrottleDevice:
    major: int
    minor: int
    rate: int


@dataclass(frozen=True, slots=True)
class BlockIo:
    weight: int | None = None
    leaf_weight: int | None = None
    weight_device: tuple[WeightDevice, ...] = ()
    throttle_read_bps_device: tuple[ThrottleDevice, ...] = ()
    throttle_write_bps_device: tuple[ThrottleDevice, ...] = ()
    throttle_read_iops_device: tuple[ThrottleDevice, ...] = _named("throttleReadIOPSDevice", ())
    throttle_write_iops_device: tuple[ThrottleDevice, ...] = _named("throttleWriteIOPSDevice", ())


@dataclass(frozen=True, slots=True)
class HugepageLimit:
    page_size: str
    limit: int


@dataclass(frozen=True, slots=True)
class Resources:
    devices: tuple[DeviceRule, ...] = ()
    memory: Memory | None = None
    cpu: Cpu | None = None
    pids: Pids | None = None
    block_io: BlockIo | None = field(default=None, metadata={"name": "blockIO"})
    hugepage_limits: tuple[HugepageLimit, ...] = ()
    unified: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SeccompArg:
    index: int
    value: int
    op: str = field(metadata={"choices": SECCOMP_OPERATORS})
    value_two: int = 0


@dataclass(frozen=True, slots=True)
class SeccompRule:
    names: tuple[str, ...]
    action: str = field(metadata={"choices": SECCOMP_ACTIONS})
    errno_ret: int | None = None
    args: tuple[SeccompArg, ...] = ()


@dataclass(frozen=True, slots=True)
class Seccomp:
    default_action: str = field(metadata={"choices": SECCOMP_ACTIONS})
    default_errno_ret: int | None = None
    architectures: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    listener_path: str = ""
    listener_metadata: str = ""
    syscalls: tuple[SeccompRule, ...] = ()

    @classmethod
    def from_json(cls, document: object) -> "Seccomp":
        """Read the ``linux.seccomp`` object alone."""
        return _CODEC.from_plain(cls, document, "linux.seccomp")


@dataclass(frozen=True, slots=True)
class Linux:
    namespaces: tuple[Namespace, ...] = ()
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()
    devices: tuple[Device, ...] = ()
    cgroups_path: str = ""
    resources: Resources = field(default_factory=Resources)
    rootfs_propagation: str = ""
    seccomp: Seccomp | None = None
    sysctl: dict[str, str] = field(default_factory=dict)
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()
    mount_label: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """A whole ``config.json``."""

    oci_version: str
    process: Process | None = None
    root: Root | None = None
    hostname: str = ""
    domainname: str = ""
    mounts: tuple[Mount, ...] = ()
    hooks: Hooks = Hooks()
    annotations: dict[str, str] = field(default_factory=dict)
    linux: Linux = field(default_factory=Linux)

    @classmethod
    def from_json(cls, document: object) -> "Spec":
        """Read what ``json.loads`` gave; raise ValueError naming the field."""
        return _CODEC.from_plain(cls, document)

    def to_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes; values at their default are left out."""
        plain: dict[str, Any] = _CODEC.to_plain(self)
        return plain
