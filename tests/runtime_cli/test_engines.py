"""Another engine drives the program: podman, through conmon."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.images.catalog import ensure

pytestmark = pytest.mark.privileged

PROGRAM = Path(sys.executable).parent / "boxship-runtime"


class Podman:
    """podman with storage and state of its own."""

    def __init__(self, place: Path) -> None:
        self.command = [
            "podman", "--root", str(place / "root"), "--runroot", str(place / "run"),
            "--tmpdir", str(place / "tmp"), "--cgroup-manager", "cgroupfs",
            "--events-backend", "file", "--runtime", str(PROGRAM),
        ]  # fmt: skip

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *words],
            capture_output=True, text=True, check=False, timeout=100, stdin=subprocess.DEVNULL,
        )  # fmt: skip


@pytest.fixture
def podman() -> Iterator[Podman]:
    for needed in ("podman", "conmon"):
        if shutil.which(needed) is None:
            pytest.skip(f"{needed} is not installed")
    if not PROGRAM.exists():
        pytest.skip("boxship-runtime is not installed beside the interpreter")
    # podman refuses the long paths that pytest makes.
    with tempfile.TemporaryDirectory(prefix="podman-") as place:
        made = Podman(Path(place))
        loaded = made("load", "--input", str(ensure("busybox")))
        assert loaded.returncode == 0, loaded.stderr
        yield made
        made("rm", "--all", "--force", "--time", "0")
        made("rmi", "--all", "--force")
        made("system", "reset", "--force")
    for left in Path("/sys/fs/cgroup").glob("*/libpod_parent"):
        for directory in (*left.iterdir(), left):
            if directory.is_dir():
                directory.rmdir()


def test_podman_runs_execs_pauses_and_stops(podman: Podman) -> None:
    done = podman("run", "--rm", "--network", "none", "busybox", "sh", "-c", "echo out; exit 7")
    assert (done.stdout, done.returncode) == ("out\n", 7)
    assert podman("run", "--rm", "--network", "none", "busybox", "nosuch").returncode == 127
    assert podman("run", "--rm", "--network", "none", "busybox", "/etc/passwd").returncode == 126
    script = 'trap "exit 5" TERM; while :; do sleep 0.1; done'
    started = podman(
        "run", "--detach", "--name", "c", "--network", "none", "busybox", "sh", "-c", script
    )
    assert started.returncode == 0, started.stderr
    assert podman("exec", "c", "sh", "-c", "echo in; exit 3").returncode == 3
    assert podman("pause", "c").returncode == 0
    assert podman("inspect", "c", "--format", "{{.State.Status}}").stdout == "paused\n"
    assert podman("unpause", "c").returncode == 0
    assert podman("stop", "--time", "20", "c").returncode == 0
    assert podman("inspect", "c", "--format", "{{.State.ExitCode}}").stdout == "5\n"
