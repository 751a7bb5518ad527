"""Do in the launcher, once, what every shim would otherwise do for itself.

Building the readers that turn a plan's JSON into its types takes longer than reading a plan, and
so does compiling what makes these types' instances. CPython rewrites a function's bytecode where
it lies when it has run for the eighth time: after a fork, each page where that happens is copied
first, and what was learnt is lost with the process. So a container is made here a few times, by
the code that will make real ones, in a kernel where nothing happens.
"""

import binascii  # noqa: F401 - a plan's reader would load it in each starter
import os

from boxship.base.frozen import compile_initializer, replace
from boxship.base.suppress import suppress
from boxship.runtime import enter, steps
from boxship.runtime import messages as m
from boxship.runtime.apply import Setup, StepError, walk
from boxship.runtime.blueprint import (
    CapabilityPlan,
    CgroupDirectory,
    CgroupPlan,
    CgroupWrite,
    Plan,
    ProcessPlan,
    Rlimit,
    SeccompFilter,
)
from boxship.runtime.cgroups import tree
from boxship.runtime.control_codec import Decoder, encode, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TIMES = 10

_CONTAINER = Plan(
    "rehearsal",
    ProcessPlan(
        args=("/proc/self/exe",),
        env=("PATH=/bin",),
        rlimits=(Rlimit(7, 1024, 1024),),
        capabilities=CapabilityPlan(),
        seccomp=SeccompFilter(b"\0" * 8),
        oom_score_adj=0,
    ),
    setup=(
        steps.Unshare(("mnt", "uts")),
        steps.LoopbackUp(),
        steps.SetPropagation("rslave"),
        steps.MountOverlay("/", ("1", "2"), "upper", "work", "/mnt"),
        steps.Mount("proc", "proc", "/proc", 14),
        steps.Mount("tmpfs", "tmpfs", "/dev", 2, ("mode=755", "size=64k")),
        steps.BindMount("/etc/hosts", "/etc/hosts"),
        steps.MakeNode("/dev/null", "c", 1, 3),
        steps.MakeLink("/dev/fd", "/proc/self/fd"),
        steps.MountCgroup1("/sys/fs/cgroup", (("cpu", "/c"), ("memory", "/m")), attributes=1),
        steps.SetHostname("rehearsal"),
        steps.ReadonlyPaths(("/proc/sys", "/proc/bus")),
        steps.MaskPaths(("/proc/kcore", "/proc/keys")),
        steps.PivotRoot(),
    ),
    cgroup=CgroupPlan(
        (CgroupDirectory("/", "/dev", ("null",)),),
        (CgroupWrite("nothing", "null", "null", "1024"),),
    ),
)


class _Stillness:
    """A kernel that does nothing and has one file, the null device."""

    def __init__(self) -> None:
        self._null = os.stat("/dev/null")

    def __getattr__(self, _: str) -> "Any":
        return lambda *_, **__: 0

    def fstat(self, _: int) -> os.stat_result:
        return self._null


def warm_up() -> None:
    """Build all readers, and make a container that comes to nothing some times."""
    for kind in (ProcessPlan, CgroupPlan, *steps.STEPS.values()):
        steps.CODEC.prepare(kind)
    for kind in steps.CODEC.prepared():
        compile_initializer(kind)
    stillness: Any = _Stillness()
    with suppress(OSError, StepError, tree.CgroupError):  # what a machine lacks stays cold
        for _ in range(_TIMES):
            _make(stillness)


def _make(stillness: "Any") -> None:
    """Go through a container's birth, from the request to the answer."""
    plan = _received(_CONTAINER)
    tree.apply_writes(plan.cgroup, plan.cgroup.writes)
    walk(plan.setup, Setup(stillness, lambda _: None))
    entry = enter.Entry(plan.process, (0, 1, 2))
    enter.user(entry)
    enter.command(entry)
    replace(plan, setup=(), process=ProcessPlan(args=())).to_json()
    timings = tuple(m.StepTiming(step="fork", started=n, ended=n) for n in range(8))
    encode(m.Started(pid=1, started_ns=1, timings=timings), seq=1)


def _received(plan: Plan) -> Plan:
    """Return the plan as a starter gets it."""
    decoder = Decoder()
    request = m.Start(container_id="", directory="", plan=plan.to_plain())
    decoder.feed(encode(request, seq=1))
    raw = decoder.next_raw()
    assert raw is not None
    start = parse(raw).message
    assert isinstance(start, m.Start)
    return Plan.from_plain(start.plan)
