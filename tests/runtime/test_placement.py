"""Scheduler, priorities, processors, memory nodes and personality of a container's processes."""

import os
from dataclasses import replace

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.kernel.scheduling import ioprio_get
from boxship.oci import runtime as oci
from boxship.runtime.blueprint import Placement, SchedulerPlan
from boxship.runtime.host import Host
from boxship.runtime.placement_plan import parse_list, placement_of
from boxship.runtime.plan import plan_process
from support.boxes import Box, Container, Outcome

PROCESS = oci.Process(cwd="/", args=("true",))


def placed(is_exec: bool = False, linux: oci.Linux | None = None, **fields: object) -> Placement:
    made = placement_of(replace(PROCESS, **fields), linux, is_exec=is_exec)  # type: ignore[arg-type]
    assert made is not None
    return made


def test_nothing_asked_for_is_nothing_planned() -> None:
    assert placement_of(PROCESS, oci.Linux(), is_exec=False) is None
    affinity = replace(PROCESS, exec_cpu_affinity=oci.ExecCpuAffinity("0", "1"))
    assert placement_of(affinity, oci.Linux(), is_exec=False) is None


@pytest.mark.spec(
    "process.scheduler.flags",
    "process.scheduler.runtime",
    "process.scheduler.deadline",
    "process.scheduler.period",
    "linux.memoryPolicy.flags",
    "process.execCPUAffinity.initial",
)
def test_everything_becomes_numbers() -> None:
    flags = ("SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_DL_OVERRUN")
    scheduler = oci.Scheduler("SCHED_DEADLINE", flags=flags, runtime=1, deadline=2, period=3)
    made = placed(
        is_exec=True,
        linux=oci.Linux(
            personality=oci.Personality("LINUX32"),
            memory_policy=oci.MemoryPolicy("MPOL_BIND", "0-1", ("MPOL_F_STATIC_NODES",)),
        ),
        scheduler=scheduler,
        io_priority=oci.IoPriority("IOPRIO_CLASS_BE", 4),
        exec_cpu_affinity=oci.ExecCpuAffinity("0-1", "3"),
    )
    assert made == Placement(
        SchedulerPlan(6, flags=5, runtime=1, deadline=2, period=3),
        io_priority=2 << 13 | 4,
        initial_cpus=(0, 1),
        final_cpus=(3,),
        personality=8,
        memory_mode=2 | 1 << 15,
        memory_nodes=(0, 1),
    )


@pytest.mark.spec("process.scheduler.priority")
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"scheduler": oci.Scheduler("SCHED_ISO")}, "scheduler.policy"),
        ({"scheduler": oci.Scheduler("SCHED_OTHER", priority=3)}, "scheduler.priority"),
        ({"scheduler": oci.Scheduler("SCHED_FIFO", nice=3)}, "scheduler.nice"),
        ({"scheduler": oci.Scheduler("SCHED_RR", runtime=3)}, "scheduler.runtime"),
        ({"exec_cpu_affinity": oci.ExecCpuAffinity("x")}, "execCPUAffinity.initial"),
        ({"exec_cpu_affinity": oci.ExecCpuAffinity("", "3-1")}, "execCPUAffinity.final"),
    ],
)
def test_what_cannot_be_is_named(fields: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        placed(is_exec=True, **fields)


@pytest.mark.parametrize(
    ("linux", "words"),
    [
        (oci.Linux(personality=oci.Personality(flags=("X",))), "personality.flags"),
        (oci.Linux(memory_policy=oci.MemoryPolicy("MPOL_BIND")), "memoryPolicy.nodes: missing"),
        (oci.Linux(memory_policy=oci.MemoryPolicy("MPOL_LOCAL", "0")), "memoryPolicy.nodes: none"),
    ],
)
def test_what_the_container_cannot_have_is_named(linux: oci.Linux, words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        placed(linux=linux)


def test_lists_of_processors() -> None:
    assert parse_list("0-2, 5,7 - 8,", "x") == (0, 1, 2, 5, 7, 8)
    with pytest.raises(InvalidArgumentError, match="x: '99999'"):
        parse_list("99999", "x")


@pytest.mark.spec(
    "process.ioPriority.class",
    "process.scheduler.policy",
    "process.scheduler.nice",
    "linux.memoryPolicy.mode",
    "linux.memoryPolicy.nodes",
    "linux.personality.domain",
)
@pytest.mark.privileged
def test_the_container_has_them(box: Box) -> None:
    box.change_linux(
        personality=oci.Personality("LINUX32"),
        memory_policy=oci.MemoryPolicy("MPOL_BIND", "0"),
    )
    process = {
        "scheduler": oci.Scheduler("SCHED_BATCH", nice=7),
        "io_priority": oci.IoPriority("IOPRIO_CLASS_IDLE", 0),
    }

    def work(container: Container) -> tuple[int, int, int, Outcome, str]:
        pid = container.spawned.pid
        inside = container.execute("uname", "-m")
        with open(f"/proc/{pid}/numa_maps", encoding="ascii") as maps:
            policy = maps.readline().split()[1]
        nice = os.getpriority(os.PRIO_PROCESS, pid)
        return os.sched_getscheduler(pid), nice, ioprio_get(pid) >> 13, inside, policy

    scheduler, nice, io_class, inside, policy = box.with_running(work, **process)
    assert (scheduler, nice, io_class, policy) == (os.SCHED_BATCH, 7, 3, "bind:0")
    assert inside.output.strip() in ("i686", "armv8l", "x86")


@pytest.mark.spec("process.execCPUAffinity.final")
@pytest.mark.privileged
def test_an_exec_runs_where_it_is_told(box: Box) -> None:
    affinity = oci.ExecCpuAffinity("0-1", "1")
    process = replace(PROCESS, exec_cpu_affinity=affinity)
    wanted = plan_process(process, Host.look(), None, "x").placement

    def work(container: Container) -> tuple[str, str]:
        told = container.execute("grep", "Cpus_allowed_list", "/proc/self/status", placement=wanted)
        plain = container.execute("grep", "Cpus_allowed_list", "/proc/self/status")
        return told.output.split()[-1], plain.output.split()[-1]

    told, plain = box.with_running(work)
    assert told == "1"
    assert plain != "1"


@pytest.mark.privileged
@pytest.mark.parametrize(
    ("scheduler", "policy"),
    [
        (oci.Scheduler("SCHED_FIFO", priority=2, flags=("SCHED_FLAG_RESET_ON_FORK",)), "0 2 1"),
        (oci.Scheduler("SCHED_BATCH", nice=-5, flags=("SCHED_FLAG_RESET_ON_FORK",)), "-5 0 3"),
        (
            oci.Scheduler("SCHED_DEADLINE", runtime=10**6, deadline=10**8, period=10**8),
            "0 0 6",
        ),
    ],
)
def test_an_exec_has_a_scheduler_that_no_child_has(
    box: Box, scheduler: oci.Scheduler, policy: str
) -> None:
    process = replace(PROCESS, scheduler=scheduler)
    wanted = plan_process(process, Host.look(), None, "x").placement

    def work(container: Container) -> Outcome:
        return container.execute("cut", "-d", " ", "-f", "19,40,41", "/proc/self/stat",
                                 placement=wanted)  # fmt: skip

    result = box.with_running(work)
    if result.failure is not None and "process.scheduler" in result.failure[2]:
        pytest.skip(f"this kernel: {result.failure[2]}")
    assert (result.failure, result.output) == (None, f"{policy}\n")


@pytest.mark.privileged
def test_a_refusal_of_the_kernels_names_the_field(box: Box) -> None:
    deadline = oci.Scheduler("SCHED_DEADLINE", runtime=10, deadline=5, period=3)
    failure = box.run("true", scheduler=deadline).failure
    assert failure is not None
    assert failure[0] == "placement"
    assert failure[2].startswith("process.scheduler: ")
