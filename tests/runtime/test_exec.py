"""More processes in a running container."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boxship.kernel import processes
from boxship.oci.runtime import Capabilities
from boxship.runtime import enter
from boxship.runtime.blueprint import CapabilityPlan
from boxship.runtime.capabilities import ALL, CAPABILITIES
from boxship.runtime.process import StepFailedError, destroy, spawn_exec, spawn_init
from support.boxes import Box, Container, Outcome, in_a_shim
from support.waiting import eventually

pytestmark = pytest.mark.privileged


def test_it_joins_every_namespace_the_cgroups_and_the_root(box: Box) -> None:
    kinds = ("mnt", "net", "ipc", "uts", "pid", "cgroup")

    def work(container: Container) -> tuple[Outcome, list[str], list[str]]:
        script = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in kinds)
        pid = container.spawned.pid
        theirs = [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in kinds]
        inside = container.execute("sh", "-c", f"{script}; cat /proc/self/cgroup; cat /proc/1/comm")
        return inside, theirs, list(Path(f"/proc/{pid}/cgroup").read_text().splitlines())

    inside, theirs, _ = box.with_running(work)
    lines = inside.output.splitlines()
    assert lines[: len(kinds)] == theirs
    assert lines[-1] == "sleep"
    # Seen from the container's own cgroup namespace, everything is at the root.
    assert {line.split(":")[2] for line in lines[len(kinds) : -1]} == {"/"}


def test_it_has_the_containers_restrictions(box: Box) -> None:
    def work(container: Container) -> Outcome:
        return container.execute("sh", "-c", "cat /proc/self/status; unshare -U true; ulimit -n")

    result = box.with_running(work)
    assert "CapEff:\t00000000a80425fb" in result.output
    assert "Seccomp:\t2" in result.output
    assert "Operation not permitted" in result.errors


def test_a_user_and_a_directory_of_its_own(box: Box) -> None:
    def work(container: Container) -> Outcome:
        return container.execute("sh", "-c", "id -u; pwd; echo $HOME", user="user", cwd="/tmp")

    assert box.with_running(work).output.split() == ["1000", "/tmp", "/home/user"]


@pytest.mark.parametrize(
    ("changes", "message", "code"),
    [
        ({"args": ("nosuch",)}, 'exec: "nosuch": executable file not found in $PATH', 127),
        (
            {"args": ("true",), "cwd": "/nosuch"},
            'chdir to cwd ("/nosuch") set in config.json failed: no such file or directory',
            126,
        ),
        (
            {"args": ("true",), "user": "nobody"},
            "unable to find user nobody: no matching entries in passwd file",
            125,
        ),
    ],
)
def test_a_failure_comes_back_as_data(
    box: Box, changes: dict[str, Any], message: str, code: int
) -> None:
    def work(container: Container) -> tuple[Outcome, Outcome]:
        args = changes["args"]
        rest = {name: value for name, value in changes.items() if name != "args"}
        return container.execute(*args, **rest), container.execute("echo", "fine")

    failed, after = box.with_running(work)
    assert failed.failure is not None
    assert failed.failure[2:] == (message, code)
    assert after.output == "fine\n"


def test_a_terminal_of_the_containers_own(box: Box) -> None:
    def work(container: Container) -> Outcome:
        return container.execute("sh", "-c", "tty; test -t 0 && echo yes", terminal=True)

    assert box.with_running(work).output == "/dev/pts/0\r\nyes\r\n"


def test_a_hostile_pty_multiplexer_is_refused(box: Box) -> None:
    """The container has put a file of its own where its ptys come from (CVE-2025-52565)."""
    box.change_linux(seccomp=None)
    assert box.spec.process is not None
    names = tuple(CAPABILITIES)
    everything = Capabilities(names, names, (), names, ())

    def work(container: Container) -> Outcome:
        made = container.execute("sh", "-c", "umount /dev/pts && ln -s /dev/null /dev/pts/ptmx")
        assert made.status == 0, made.errors
        return container.execute("true", terminal=True)

    failure = box.with_running(work, capabilities=everything).failure
    assert failure is not None
    assert failure[0] == "pty"


def test_a_hostile_passwd_cannot_block_or_mislead(box: Box) -> None:
    """A FIFO for passwd would hang whoever opens it; a link could lead to the host's file."""

    def work(container: Container) -> tuple[Outcome, Outcome]:
        container.execute("sh", "-c", "rm /etc/passwd; mkfifo /etc/passwd")
        fifo = container.execute("true", user="user")
        container.execute("sh", "-c", "rm /etc/passwd; ln -s /proc/1/root/etc/passwd /etc/passwd")
        return fifo, container.execute("true", user="user")

    fifo, link = box.with_running(work)
    for outcome in (fifo, link):
        assert outcome.failure is not None
        assert "unable to find user user" in outcome.failure[2]


def test_a_descriptor_of_the_host_is_no_working_directory(box: Box) -> None:
    """CVE-2024-21626: the working directory was a leaked descriptor of the host's."""

    def work(container: Container) -> list[Outcome]:
        return [container.execute("pwd", cwd=f"/proc/self/fd/{number}") for number in range(3, 12)]

    for outcome in box.with_running(work):
        assert outcome.failure is not None
        assert outcome.failure[0] == "cwd"


def test_processes_inside_cannot_look_into_a_joining_one(box: Box) -> None:
    """Until it executes, a joining process shows nothing: no memory, no descriptors, no exe."""
    made = box.planned("sleep", "1000")

    def work() -> str:
        null = os.open("/dev/null", os.O_RDWR)
        spawned = spawn_init(made, null, null, null)
        try:
            spy = replace(
                made.process,
                args=(
                    "sh",
                    "-c",
                    # All it can see of every process, as fast as it can.
                    "i=0; while [ $i -lt 300 ]; do for p in /proc/[0-9]*; do"
                    " readlink $p/exe; ls -l $p/fd; done; i=$((i+1)); done 2>/dev/null",
                ),
            )
            reading, writing = os.pipe()
            watching = spawn_exec(spawned.pidfd, spy, made.cgroup, null, writing, null)
            os.close(writing)
            for _ in range(30):
                one = spawn_exec(
                    spawned.pidfd,
                    replace(made.process, args=("true",)),
                    made.cgroup,
                    null,
                    null,
                    null,
                )
                os.waitpid(one.pid, 0)
                os.close(one.pidfd)
            os.kill(watching.pid, signal.SIGKILL)
            with open(reading, "rb") as stream:
                seen = stream.read().decode()
            os.waitpid(watching.pid, 0)
            return seen
        finally:
            destroy(made)
            os.waitpid(spawned.pid, 0)

    seen = in_a_shim(work)
    assert "/bin/busybox" in seen
    assert "python" not in seen
    assert "socket:" not in seen


def test_new_credentials_show_nothing_either(box: Box) -> None:
    """What they make of a process is up to fs.suid_dumpable."""
    made = box.planned("true")

    def work() -> int:
        processes.set_dumpable(True)
        enter.identity(enter.Entry(made.process, (0, 1, 2)))
        return processes.prctl(3)  # PR_GET_DUMPABLE

    assert in_a_shim(work) == 0


def test_it_dies_with_the_shim(box: Box) -> None:
    made = box.planned("sleep", "1000")

    def work() -> tuple[int, int]:
        null = os.open("/dev/null", os.O_RDWR)
        spawned = spawn_init(made, null, null, null)
        more = spawn_exec(spawned.pidfd, made.process, made.cgroup, null, null, null)
        return spawned.pid, more.pid

    first, second = in_a_shim(work)  # the shim is gone now, and nobody told its children
    eventually(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in (first, second)),
        "both processes to die with the shim",
    )
    destroy(made)


def test_exec_into_an_ended_container_fails(box: Box) -> None:
    made = box.planned("true")

    def work() -> str:
        null = os.open("/dev/null", os.O_RDWR)
        spawned = spawn_init(made, null, null, null)
        os.waitpid(spawned.pid, 0)
        try:
            spawn_exec(spawned.pidfd, made.process, made.cgroup, null, null, null)
        except StepFailedError as error:
            return error.step
        finally:
            destroy(made)
        return "started"

    assert in_a_shim(work) in ("join", "fork")


def test_a_tracer_inside_sees_nothing_of_the_host(box: Box, tmp_path: Path) -> None:
    """With CAP_SYS_PTRACE one can look into any process one can see, from its first moment on."""
    flag = tmp_path / "flag"
    flag.touch()
    names = tuple(CAPABILITIES)
    everything = Capabilities(names, names, (), names, ())
    looking = f"for p in 2 3 4 5 6 7 8 9; do [ -e /proc/$p/root{flag} ] && echo $p >> /seen; done"
    watching = ("sh", "-c", f"echo watching > /watching; while :; do {looking}; done")

    def work(container: Container) -> list[Outcome]:
        eventually((tmp_path / "upper/watching").exists, "the container watches")
        return [
            container.execute("true", capabilities=CapabilityPlan(*[ALL] * 4)) for _ in range(20)
        ]

    outcomes = box.with_running(work, *watching, capabilities=everything)
    assert [outcome.status for outcome in outcomes] == [0] * 20
    assert not (tmp_path / "upper/seen").exists()


def test_the_hosts_null_device_stays_the_hosts(box: Box) -> None:
    """Standard input is /dev/null; through the host's own node a container could change it."""
    before = os.stat("/dev/null")
    script = "touch -d 2001-01-01 /proc/self/fd/0; chmod 700 /proc/self/fd/0; cat; echo end"
    outcome = box.run("sh", "-c", script)
    after = os.stat("/dev/null")
    assert (after.st_mode, after.st_mtime) == (before.st_mode, before.st_mtime)
    assert outcome.output == "end\n", outcome
