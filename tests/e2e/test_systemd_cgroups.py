"""The daemon with systemd's cgroup driver: a scope for each container, below a slice."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.engine import Engine
from support.waiting import eventually

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(
        not Path("/run/systemd/system").is_dir(), reason="systemd is not running here"
    ),
]

SLEEP = ("run", "-d", "--net=none", "--name=web", "--memory=64m", "busybox", "sleep", "1000")


@pytest.fixture
def engine(make_engine: Callable[..., Engine]) -> Iterator[Engine]:
    made = make_engine("--exec-opt=native.cgroupdriver=systemd", "--cgroup-parent=")
    made.start()
    made.load("busybox")
    yield made


def scope_of(engine: Engine) -> Path:
    """The cgroup of the container ``web``, as the kernel says."""
    pid = engine.docker("inspect", "-f", "{{.State.Pid}}", "web")
    line = Path(f"/proc/{pid}/cgroup").read_text().splitlines()[-1]
    return Path("/sys/fs/cgroup" + line.partition("::")[2])


def test_a_container_is_a_scope_and_goes_with_its_end(engine: Engine) -> None:
    assert engine.docker("info", "-f", "{{.CgroupDriver}}") == "systemd"
    container = engine.docker(*SLEEP)
    scope = scope_of(engine)
    assert str(scope).endswith(f"/system.slice/boxship-{container}.scope")
    assert (scope / "memory.max").read_text() == f"{64 << 20}\n"
    engine.docker("pause", "web")
    assert (scope / "cgroup.freeze").read_text() == "1\n"
    engine.docker("unpause", "web")
    assert engine.docker("exec", "web", "echo", "ok") == "ok"
    engine.docker("rm", "-f", "web")
    eventually(lambda: not scope.exists(), "the end of the scope")


def test_it_outlives_a_killed_daemon(engine: Engine) -> None:
    engine.docker(*SLEEP)
    scope = scope_of(engine)
    engine.kill()
    engine.start()
    assert engine.docker("inspect", "-f", "{{.State.Status}}", "web") == "running"
    engine.docker("stop", "-t0", "web")
    eventually(lambda: not scope.exists(), "the end of the scope")


def test_a_slice_of_ones_own(engine: Engine) -> None:
    engine.docker(*SLEEP[:-3], "--cgroup-parent=bx-test.slice", *SLEEP[-3:])
    assert "/bx.slice/bx-test.slice/boxship-" in str(scope_of(engine))
    engine.docker("rm", "-f", "web")
    done = engine.docker.run("create", "--cgroup-parent=/bx", "busybox")
    assert "should be a valid slice" in done.err
