"""What a container is, by the OCI runtime specification 1.2 (Linux): ``config.json`` as types.

Read with ``Spec.from_json``; a wrong value raises ValueError that names the field as in
``process.rlimits[2].type: …``. Fields we do not know are ignored, as the specification demands.
Absent lists are empty tuples and absent texts empty; where absence means something else than zero
the type says ``| None``.
"""

from boxship.base.frozen import dataclass, field
from boxship.oci.codec import Codec, camel_case

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
SECCOMP_FLAGS = tuple(
    f"SECCOMP_FILTER_FLAG_{name}" for name in ["TSYNC", "LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV"]
)
SECCOMP_ARCHITECTURES = tuple(
    f"SCMP_ARCH_{name}"
    for name in [
        "X86",
        "X86_64",
        "X32",
        "ARM",
        "AARCH64",
        "LOONGARCH64",
        "M68K",
        "MIPS",
        "MIPS64",
        "MIPS64N32",
        "MIPSEL",
        "MIPSEL64",
        "MIPSEL64N32",
        "PPC",
        "PPC64",
        "PPC64LE",
        "S390",
        "S390X",
        "SH",
        "SHEB",
        "PARISC",
        "PARISC64",
        "RISCV64",
    ]
)
SCHEDULERS = tuple(
    f"SCHED_{name}" for name in ["OTHER", "FIFO", "RR", "BATCH", "ISO", "IDLE", "DEADLINE"]
)
SCHEDULER_FLAGS = tuple(
    f"SCHED_FLAG_{name}"
    for name in [
        "RESET_ON_FORK",
        "RECLAIM",
        "DL_OVERRUN",
        "KEEP_POLICY",
        "KEEP_PARAMS",
        "UTIL_CLAMP_MIN",
        "UTIL_CLAMP_MAX",
    ]
)
IO_CLASSES = ("IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE")
PERSONALITIES = ("LINUX", "LINUX32")
MEMORY_POLICIES = tuple(
    f"MPOL_{name}"
    for name in [
        "DEFAULT",
        "BIND",
        "INTERLEAVE",
        "WEIGHTED_INTERLEAVE",
        "PREFERRED",
        "PREFERRED_MANY",
        "LOCAL",
    ]
)
MEMORY_POLICY_FLAGS = tuple(
    f"MPOL_F_{name}" for name in ["NUMA_BALANCING", "RELATIVE_NODES", "STATIC_NODES"]
)
PROPAGATIONS = tuple(
    prefix + name for name in ("private", "slave", "shared", "unbindable") for prefix in ("", "r")
)


FOREIGN_SECTIONS = ("solaris", "windows", "vm", "zos", "freebsd")
"""Sections for platforms that this runtime is not for; a document that has one is refused."""

_UINT16 = (0, 2**16 - 1)
_INT32 = (-(2**31), 2**31 - 1)
_UINT32 = (0, 2**32 - 1)
_ID = (0, 2**32 - 2)
"""Of a user or group: one less, because -1 tells the kernel to change nothing."""
_INT64 = (-(2**63), 2**63 - 1)
_UINT64 = (0, 2**64 - 1)


def _named(name: str, default: "Any", limits: tuple[int, int] | None = None) -> "Any":
    return field(default=default, metadata={"name": name, "limits": limits})


def _one_of(choices: tuple[str, ...], default: "Any" = ...) -> "Any":
    if default is ...:
        return field(metadata={"choices": choices})
    return field(default=default, metadata={"choices": choices})


def _number(limits: tuple[int, int], default: "Any" = ...) -> "Any":
    if default is ...:
        return field(metadata={"limits": limits})
    return field(default=default, metadata={"limits": limits})


@dataclass(frozen=True, slots=True)
class ConsoleSize:
    height: int = _number(_UINT16)
    width: int = _number(_UINT16)


@dataclass(frozen=True, slots=True)
class User:
    """``username`` is Docker's text (``name:group``), looked up inside the root when not empty."""

    uid: int = _number(_ID, 0)
    gid: int = _number(_ID, 0)
    umask: int | None = _number((0, 0o777), None)
    additional_gids: tuple[int, ...] = _number(_ID, ())
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
    type: str = _one_of(RLIMITS)
    hard: int = _number(_UINT64, 0)
    soft: int = _number(_UINT64, 0)


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Arguments of ``sched_setattr(2)``; times in nanoseconds."""

    policy: str = _one_of(SCHEDULERS)
    nice: int = _number((-20, 19), 0)
    priority: int = _number((0, 99), 0)
    flags: tuple[str, ...] = _one_of(SCHEDULER_FLAGS, ())
    runtime: int = _number(_UINT64, 0)
    deadline: int = _number(_UINT64, 0)
    period: int = _number(_UINT64, 0)


@dataclass(frozen=True, slots=True)
class IoPriority:
    io_class: str = field(metadata={"name": "class", "choices": IO_CLASSES})
    priority: int = _number((0, 7), 0)


@dataclass(frozen=True, slots=True)
class ExecCpuAffinity:
    """Processors of an exec: before it joins the container's cgroup, and afterwards."""

    initial: str = ""
    final: str = ""


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
    oom_score_adj: int | None = _number((-1000, 1000), None)
    scheduler: Scheduler | None = None
    io_priority: IoPriority | None = None
    exec_cpu_affinity: ExecCpuAffinity | None = field(
        default=None, metadata={"name": "execCPUAffinity"}
    )
    command_line: str = ""
    """Windows' own; refused."""

    @classmethod
    def from_json(cls, document: object) -> "Process":
        """Read a ``process.json``, as exec takes it."""
        return _CODEC.from_plain(cls, document, "process")

    def to_json(self) -> "dict[str, Any]":
        """Return what ``json.dumps`` takes; values at their default are left out."""
        plain: dict[str, Any] = _CODEC.to_plain(self)
        return plain


@dataclass(frozen=True, slots=True)
class Root:
    path: str
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class IdMapping:
    container_id: int = field(metadata={"name": "containerID", "limits": _UINT32})
    host_id: int = field(metadata={"name": "hostID", "limits": _UINT32})
    size: int = _number((1, 2**32 - 1))


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
    timeout: int | None = _number((1, 2**31 - 1), None)


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

    type: str = _one_of(NAMESPACES)
    path: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    path: str
    type: str = _one_of(("c", "b", "u", "p"))
    major: int = _number(_INT64, 0)
    minor: int = _number(_INT64, 0)
    file_mode: int | None = _number((0, 0o7777), None)
    uid: int = _number(_ID, 0)
    gid: int = _number(_ID, 0)


@dataclass(frozen=True, slots=True)
class NetDevice:
    """An interface of the host's to be moved into the container; ``name``: its new name."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """``major`` and ``minor`` of None mean all."""

    allow: bool
    type: str = _one_of(("a", "c", "b"), "a")
    major: int | None = _number(_INT64, None)
    minor: int | None = _number(_INT64, None)
    access: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes; -1 is unlimited. ``swap`` is memory and swap together."""

    limit: int | None = _number(_INT64, None)
    reservation: int | None = _number(_INT64, None)
    swap: int | None = _number(_INT64, None)
    kernel: int | None = _number(_INT64, None)
    kernel_tcp: int | None = _named("kernelTCP", None, _INT64)
    swappiness: int | None = _number((0, 200), None)
    disable_oom_killer: bool = _named("disableOOMKiller", False)
    use_hierarchy: bool = False
    check_before_update: bool = False


@dataclass(frozen=True, slots=True)
class Cpu:
    """Times in microseconds."""

    shares: int | None = _number(_UINT64, None)
    quota: int | None = _number(_INT64, None)
    burst: int | None = _number(_UINT64, None)
    period: int | None = _number(_UINT64, None)
    realtime_runtime: int | None = _number(_INT64, None)
    realtime_period: int | None = _number(_UINT64, None)
    cpus: str = ""
    mems: str = ""
    idle: int | None = _number((0, 1), None)


@dataclass(frozen=True, slots=True)
class Pids:
    limit: int = _number(_INT64)


@dataclass(frozen=True, slots=True)
class WeightDevice:
    major: int = _number(_INT64)
    minor: int = _number(_INT64)
    weight: int | None = _number(_UINT16, None)
    leaf_weight: int | None = _number(_UINT16, None)


@dataclass(frozen=True, slots=True)
class ThrottleDevice:
    major: int = _number(_INT64)
    minor: int = _number(_INT64)
    rate: int = _number(_UINT64)


@dataclass(frozen=True, slots=True)
class BlockIo:
    weight: int | None = _number(_UINT16, None)
    leaf_weight: int | None = _number(_UINT16, None)
    weight_device: tuple[WeightDevice, ...] = ()
    throttle_read_bps_device: tuple[ThrottleDevice, ...] = ()
    throttle_write_bps_device: tuple[ThrottleDevice, ...] = ()
    throttle_read_iops_device: tuple[ThrottleDevice, ...] = _named("throttleReadIOPSDevice", ())
    throttle_write_iops_device: tuple[ThrottleDevice, ...] = _named("throttleWriteIOPSDevice", ())


@dataclass(frozen=True, slots=True)
class HugepageLimit:
    page_size: str
    limit: int = _number(_UINT64)


@dataclass(frozen=True, slots=True)
class Rdma:
    hca_handles: int | None = _number(_UINT32, None)
    hca_objects: int | None = _number(_UINT32, None)


@dataclass(frozen=True, slots=True)
class InterfacePriority:
    name: str
    priority: int = _number(_UINT32)


@dataclass(frozen=True, slots=True)
class Network:
    """The two network controllers of cgroup v1."""

    class_id: int | None = _named("classID", None, _UINT32)
    priorities: tuple[InterfacePriority, ...] = ()


@dataclass(frozen=True, slots=True)
class Resources:
    devices: tuple[DeviceRule, ...] = ()
    memory: Memory | None = None
    cpu: Cpu | None = None
    pids: Pids | None = None
    block_io: BlockIo | None = field(default=None, metadata={"name": "blockIO"})
    hugepage_limits: tuple[HugepageLimit, ...] = ()
    rdma: dict[str, Rdma] = field(default_factory=dict)
    network: Network | None = None
    unified: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, document: object) -> "Resources":
        """Read the ``linux.resources`` object alone, as update takes it."""
        return _CODEC.from_plain(cls, document, "resources")


@dataclass(frozen=True, slots=True)
class SeccompArg:
    index: int = _number((0, 5))
    value: int = _number(_UINT64)
    op: str = _one_of(SECCOMP_OPERATORS)
    value_two: int = _number(_UINT64, 0)


@dataclass(frozen=True, slots=True)
class SeccompRule:
    names: tuple[str, ...]
    action: str = _one_of(SECCOMP_ACTIONS)
    errno_ret: int | None = _number(_UINT32, None)
    args: tuple[SeccompArg, ...] = ()


@dataclass(frozen=True, slots=True)
class Seccomp:
    default_action: str = _one_of(SECCOMP_ACTIONS)
    default_errno_ret: int | None = _number(_UINT32, None)
    architectures: tuple[str, ...] = _one_of(SECCOMP_ARCHITECTURES, ())
    flags: tuple[str, ...] = _one_of(SECCOMP_FLAGS, ())
    listener_path: str = ""
    listener_metadata: str = ""
    syscalls: tuple[SeccompRule, ...] = ()

    @classmethod
    def from_json(cls, document: object) -> "Seccomp":
        """Read the ``linux.seccomp`` object alone."""
        return _CODEC.from_plain(cls, document, "linux.seccomp")


@dataclass(frozen=True, slots=True)
class IntelRdt:
    """Cache and memory bandwidth of a group below ``/sys/fs/resctrl``."""

    clos_id: str = _named("closID", "")
    schemata: tuple[str, ...] = ()
    l3_cache_schema: str = ""
    mem_bw_schema: str = ""
    enable_monitoring: bool = False
    enable_cmt: bool = _named("enableCMT", False)
    enable_mbm: bool = _named("enableMBM", False)


@dataclass(frozen=True, slots=True)
class MemoryPolicy:
    """Arguments of ``set_mempolicy(2)``; ``nodes`` as in ``0-1,3``."""

    mode: str = _one_of(MEMORY_POLICIES)
    nodes: str = ""
    flags: tuple[str, ...] = _one_of(MEMORY_POLICY_FLAGS, ())


@dataclass(frozen=True, slots=True)
class Personality:
    domain: str = _one_of(PERSONALITIES, "LINUX")
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TimeOffset:
    secs: int = _number(_INT64, 0)
    nanosecs: int = _number((0, 999_999_999), 0)


@dataclass(frozen=True, slots=True)
class TimeOffsets:
    boottime: TimeOffset | None = None
    monotonic: TimeOffset | None = None


@dataclass(frozen=True, slots=True)
class Linux:
    namespaces: tuple[Namespace, ...] = ()
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()
    devices: tuple[Device, ...] = ()
    net_devices: dict[str, NetDevice] = field(default_factory=dict)
    cgroups_path: str = ""
    resources: Resources = field(default_factory=Resources)
    rootfs_propagation: str = _one_of(("", *PROPAGATIONS), "")
    seccomp: Seccomp | None = None
    sysctl: dict[str, str] = field(default_factory=dict)
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()
    mount_label: str = ""
    intel_rdt: IntelRdt | None = None
    memory_policy: MemoryPolicy | None = None
    personality: Personality | None = None
    time_offsets: TimeOffsets | None = None


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
        if isinstance(document, dict):
            for name in FOREIGN_SECTIONS:
                if document.get(name) is not None:
                    raise ValueError(f"{name}: this runtime is for Linux alone")
        return _CODEC.from_plain(cls, document)

    def to_json(self) -> "dict[str, Any]":
        """Return what ``json.dumps`` takes; values at their default are left out."""
        plain: dict[str, Any] = _CODEC.to_plain(self)
        return plain
