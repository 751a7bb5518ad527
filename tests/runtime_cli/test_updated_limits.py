"""``update``: all of it or nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime_cli.conftest import Runtime

pytestmark = pytest.mark.privileged


@pytest.fixture
def running(runtime: Runtime) -> Iterator[Runtime]:
    runtime.configure("sleep", "1000")
    runtime.detached("run", "--detach", "one")
    yield runtime
    runtime.works("delete", "--force", "one")


def values(runtime: Runtime, name: str) -> list[str]:
    """Read a file of the container's cgroups, wherever it is."""
    root = Path("/sys/fs/cgroup")
    places = (root / runtime.cgroup, *root.glob(f"*/{runtime.cgroup}"))
    return [(each / name).read_text().strip() for each in places if (each / name).exists()]


def test_limits_move_up_and_down(running: Runtime) -> None:
    running.works("update", "--pids-limit", "50", "--memory", "64m", "--memory-swap", "64m", "one")
    running.works("update", "--memory", "256m", "--memory-swap", "512m", "one")
    running.works("update", "--memory", "32m", "--memory-swap", "32m", "one")
    limits = values(running, "memory.limit_in_bytes") or values(running, "memory.max")
    assert limits == [str(32 << 20)]
    assert values(running, "pids.max") == ["50"]


def test_what_is_refused_leaves_nothing(running: Runtime) -> None:
    running.works("update", "--pids-limit", "50", "one")
    refused = running("update", "--pids-limit", "60", "--cpuset-cpus", "4000", "one")
    assert refused.returncode == 1
    assert "cpuset.cpus" in refused.stderr
    assert values(running, "pids.max") == ["50"]
