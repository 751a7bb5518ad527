"""The whole of one container start as data: what ``plan.py`` makes and ``process.py`` carries out.

::

    Plan
    ├── user: UserPlan, before     a user namespace, and what is still done outside of it
    ├── namespaces of processes    joined or made by the parent before it forks
    ├── cgroup: CgroupPlan         directories, values; done by the parent while the child mounts
    ├── setup: Step …              done by the child, in order (``steps.py``)
    └── process: ProcessPlan       the last part, the same for init and for exec
"""

from boxship.base import jsontext
from boxship.base.frozen import dataclass, field
from boxship.runtime.steps import CODEC, Step, step_from_plain, step_to_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@dataclass(frozen=True, slots=True)
class Rlimit:
    """``resource`` is the number of ``RLIMIT_*``; -1 is unlimited."""

    resource: int
    soft: int
    hard: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class CapabilityPlan:
    """Bit masks of capabilities (bit n = capability n)."""

    bounding: int = 0
    effective: int = 0
    permitted: int = 0
    inheritable: int = 0
    ambient: int = 0


@dataclass(frozen=True, slots=True)
class SeccompListener:
    """Whom to hand the filter's notifications to: a unix socket of the host's.

    ``state`` is the container's state as JSON, with which they are introduced.
    """

    path: str
    metadata: str = ""
    state: str = "{}"


@dataclass(frozen=True, slots=True)
class SeccompFilter:
    """A compiled BPF program and the flags of ``SECCOMP_SET_MODE_FILTER``."""

    program: bytes
    flags: int = 0
    listener: SeccompListener | None = None


@dataclass(frozen=True, slots=True)
class SchedulerPlan:
    """The fields of the kernel's ``struct sched_attr``."""

    policy: int
    nice: int = 0
    priority: int = 0
    flags: int = 0
    runtime: int = 0
    deadline: int = 0
    period: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and when the kernel lets a process run; -1 and empty mean: as it is."""

    scheduler: SchedulerPlan | None = None
    io_priority: int = -1
    """Class << 13 | priority, as ``ioprio_set(2)`` takes it."""
    initial_cpus: tuple[int, ...] = ()
    """Before it joins the container's cgroups."""
    final_cpus: tuple[int, ...] = ()
    personality: int = -1
    memory_mode: int = -1
    """``set_mempolicy(2)``'s mode with its flags."""
    memory_nodes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """A process to be executed inside a container.

    ``user`` is Docker's text (``name``, ``uid``, ``name:group`` …), looked up inside the
    container's root by the child. When it is empty, ``uid`` and ``gid`` hold. ``groups`` are
    additional group ids, ``group_names`` are looked up.
    """

    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str = "/"
    create_cwd: bool = False
    terminal: bool = False
    height: int = 0
    width: int = 0
    user: str = ""
    uid: int = 0
    gid: int = 0
    umask: int = 0o022
    groups: tuple[int, ...] = ()
    group_names: tuple[str, ...] = ()
    rlimits: tuple[Rlimit, ...] = ()
    capabilities: CapabilityPlan | None = None
    no_new_privileges: bool = False
    seccomp: SeccompFilter | None = None
    oom_score_adj: int | None = None
    init: str = ""
    """Path inside the container of an init that runs the command: ``init PATH ARGV0 ARG…``."""
    placement: Placement | None = None
    label_file: str = ""
    """``/proc/self/attr/…``: where ``label`` is written, last before exec."""
    label: str = ""
    keep_groups: bool = False
    """Rootless: the kernel lets nobody touch supplementary groups in such a user namespace."""
    keyring: str = ""
    """Name of the session keyring to create or join; empty: keep the caller's."""
    document: str = ""
    """The specification's ``process`` as JSON, where another runtime executes it."""

    def to_plain(self) -> "Any":
        """Return the JSON form."""
        return CODEC.to_plain(self)

    @classmethod
    def from_plain(cls, plain: object) -> "ProcessPlan":
        """Read the JSON form; raise ValueError naming the field."""
        return CODEC.from_plain(cls, plain, "process")


@dataclass(frozen=True, slots=True)
class CgroupWrite:
    """``limit`` is what a person calls it: "memory", "cpu shares", "pids"."""

    limit: str
    controller: str
    file: str
    value: str
    usage: str = ""
    """A file whose number must not be above ``value``, or the kernel would have to kill."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A unit that systemd makes for the container; ``properties`` are (name, D-Bus type, text)."""

    unit: str
    parent: str
    properties: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CgroupDirectory:
    """One directory to create; ``controllers`` is empty for cgroup2's and named hierarchies."""

    mount: str
    path: str
    controllers: tuple[str, ...] = ()
    unified: bool = False
    keep: bool = False
    """Not ours to remove: a group of resctrl that others share."""


@dataclass(frozen=True, slots=True)
class CgroupPlan:
    """Directories of one container in every hierarchy, and what is written there, in order."""

    directories: tuple[CgroupDirectory, ...] = ()
    writes: tuple[CgroupWrite, ...] = ()
    device_program: bytes = b""
    """eBPF to attach to the unified directory, where there is no devices controller."""
    scope: Scope | None = None


def directory_of(plan: CgroupPlan, controller: str) -> str:
    """Return the directory where ``controller`` is; of "" the unified one; empty if nowhere."""
    for directory in plan.directories:
        if controller in directory.controllers or (not controller and directory.unified):
            return directory.path
    return ""


@dataclass(frozen=True, slots=True)
class UserPlan:
    """A new user namespace with its maps, or one to ``join`` by path.

    Maps are triples as ``/proc/PID/uid_map`` has them: first id inside, first id outside, how many.
    """

    uid_map: tuple[tuple[int, int, int], ...] = ()
    gid_map: tuple[tuple[int, int, int], ...] = ()
    join: str = ""


@dataclass(frozen=True, slots=True)
class ForeignPlan:
    """Another OCI runtime that makes the container; see ``foreign/``."""

    program: str
    """An absolute path."""
    arguments: tuple[str, ...] = ()
    """What goes in front of ours."""
    directory: str = ""
    """Where the bundle and the runtime's own state are, for as long as the container runs."""
    config: str = ""
    """``config.json``, but for the process."""


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """A checkpoint that the container is made of; see ``checkpoint.py``."""

    images: str
    log: str
    """Where CRIU writes what it does."""
    descriptors: tuple[str, ...] = ()
    """What 0, 1 and 2 were: ``/dev/null``, ``pipe:[123]``."""
    mounts: tuple[tuple[str, str], ...] = ()
    """Mounts from outside: where in the container, and from where."""


@dataclass(frozen=True, slots=True)
class HookPlan:
    """The specification's ``hooks`` as JSON, and what those programs are told of the container."""

    hooks: str
    oci_version: str
    bundle: str
    """A directory with a ``config.json``, in which hooks look for the root."""
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the shim needs in order to start a container."""

    container_id: str
    process: ProcessPlan
    setup: tuple[Step, ...] = ()
    cgroup: CgroupPlan = CgroupPlan()
    new_pid_namespace: bool = True
    join_pid_namespace: str = ""
    """Path of a pid namespace to enter instead of making one (``--pid container:X``)."""
    user: UserPlan | None = None
    before: tuple[Step, ...] = ()
    """With ``user``: what must be done with the rights that entering it takes away."""
    staged: tuple[Step, ...] = ()
    """With ``user``: the same, but once that namespace is there."""
    warnings: tuple[str, ...] = ()
    foreign: ForeignPlan | None = None
    """Without it, we are the runtime."""
    hooks: HookPlan | None = None
    """Those that the shim runs; the program has its own way with hooks."""
    restore: RestorePlan | None = None
    """With it, nothing is executed: CRIU brings the processes back."""

    def to_json(self) -> str:
        """Return the plan as one line of JSON."""
        return jsontext.dumps(self.to_plain(), compact=True)

    def to_plain(self) -> "Any":
        """Return the plan as what ``json.dumps`` takes."""
        return {
            "container_id": self.container_id,
            "process": CODEC.to_plain(self.process),
            "setup": [step_to_plain(step) for step in self.setup],
            "cgroup": CODEC.to_plain(self.cgroup),
            "new_pid_namespace": self.new_pid_namespace,
            "join_pid_namespace": self.join_pid_namespace,
            "user": CODEC.to_plain(self.user),
            "before": [step_to_plain(step) for step in self.before],
            "staged": [step_to_plain(step) for step in self.staged],
            "warnings": list(self.warnings),
            "foreign": CODEC.to_plain(self.foreign),
            "restore": CODEC.to_plain(self.restore),
            "hooks": CODEC.to_plain(self.hooks),
        }

    @classmethod
    def from_plain(cls, plain: "Any") -> "Plan":
        """Read what ``to_plain`` gave; raise ValueError naming the field."""
        if not isinstance(plain, dict):
            raise ValueError("plan: object expected")  # noqa: TRY004
        try:
            return cls(
                container_id=plain["container_id"],
                process=CODEC.from_plain(ProcessPlan, plain["process"], "process"),
                setup=tuple(
                    step_from_plain(step, f"setup[{n}]") for n, step in enumerate(plain["setup"])
                ),
                cgroup=CODEC.from_plain(CgroupPlan, plain["cgroup"], "cgroup"),
                new_pid_namespace=plain["new_pid_namespace"],
                join_pid_namespace=plain["join_pid_namespace"],
                user=_user(plain.get("user")),
                before=tuple(
                    step_from_plain(step, f"before[{n}]")
                    for n, step in enumerate(plain.get("before", ()))
                ),
                staged=tuple(
                    step_from_plain(step, f"staged[{n}]")
                    for n, step in enumerate(plain.get("staged", ()))
                ),
                warnings=tuple(plain.get("warnings", ())),
                foreign=_foreign(plain.get("foreign")),
                restore=_restore(plain.get("restore")),
                hooks=_hooks(plain.get("hooks")),
            )
        except KeyError as error:
            raise ValueError(f"plan.{error.args[0]}: missing") from None

    @classmethod
    def from_json(cls, text: str | bytes) -> "Plan":
        """Read what ``to_json`` gave."""
        return cls.from_plain(jsontext.loads(text))


def _user(plain: object) -> UserPlan | None:
    return None if plain is None else CODEC.from_plain(UserPlan, plain, "user")


def _hooks(plain: object) -> HookPlan | None:
    return None if plain is None else CODEC.from_plain(HookPlan, plain, "hooks")


def _foreign(plain: object) -> ForeignPlan | None:
    return None if plain is None else CODEC.from_plain(ForeignPlan, plain, "foreign")


def _restore(plain: object) -> RestorePlan | None:
    return None if plain is None else CODEC.from_plain(RestorePlan, plain, "restore")
