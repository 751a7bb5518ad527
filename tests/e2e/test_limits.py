"""Limits bind: the kernel refuses, kills or throttles."""

import time
from pathlib import Path

import pytest

from support.cli import Cli

pytestmark = pytest.mark.privileged

RUN = ("run", "--rm", "--net=none")


def test_memory(docker: Cli) -> None:
    eat = "x=a; while :; do x=$x$x; done"
    limits = ("--memory=16m", "--memory-swap=16m")
    done = docker.run("run", "--net=none", "--name", "eater", *limits, "busybox", "sh", "-c", eat)
    assert done.code == 137
    assert docker("inspect", "-f", "{{.State.OOMKilled}}", "eater") == "true"


def test_memory_as_the_container_sees_it(docker: Cli) -> None:
    files = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max"
    see = f"for f in {files}; do [ ! -e $f ] || cat $f; done"
    assert docker(*RUN, "--memory=32m", "busybox", "sh", "-c", see) == str(32 << 20)


def test_pids(docker: Cli) -> None:
    breed = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & done; echo all"
    done = docker.run(*RUN, "--pids-limit=5", "busybox", "sh", "-c", breed)
    assert done.code != 0
    assert "can't fork" in done.err


def test_cpu(docker: Cli) -> None:
    """A busy loop under a tenth of a processor gets about that much of its time."""
    burn = "while :; do :; done"
    docker("run", "-d", "--net=none", "--name", "burner", "--cpus=0.1", "busybox", "sh", "-c", burn)
    pid = docker("inspect", "-f", "{{.State.Pid}}", "burner")

    def used() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    begin, before = time.monotonic(), used()
    time.sleep(2)  # the time itself is what is measured
    assert (used() - before) / (time.monotonic() - begin) < 0.2


def test_cpuset(docker: Cli) -> None:
    see = "grep Cpus_allowed_list /proc/self/status"
    assert docker(*RUN, "--cpuset-cpus=1", "busybox", "sh", "-c", see).split() == [
        "Cpus_allowed_list:",
        "1",
    ]


def test_ulimit(docker: Cli) -> None:
    assert (
        docker(*RUN, "--ulimit", "nofile=123:456", "busybox", "sh", "-c", "ulimit -n; ulimit -Hn")
        == "123\n456"
    )
