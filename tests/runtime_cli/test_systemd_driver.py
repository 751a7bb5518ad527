"""``--systemd-cgroup`` with the real systemd, where it is the first process."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.images.catalog import ensure
from support.waiting import eventually

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(
        not Path("/run/systemd/system").exists(), reason="systemd is not the first process here"
    ),
]
UNIFIED = Path("/sys/fs/cgroup/cgroup.controllers").exists()


def shown(unit: str, *properties: str) -> dict[str, str]:
    words = ["systemctl", "show", unit, *(f"--property={name}" for name in properties)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in said.splitlines())


def in_a_scope(runtime: Any, words: tuple[str, ...] = ("run", "--detach"), **resources: Any) -> str:
    """Start a container that sleeps, and return its unit's name."""
    name = f"{os.getpid()}-{abs(hash(runtime.place)) % 10**8}"

    def change(document: dict[str, Any]) -> None:
        document["linux"]["cgroupsPath"] = f"system.slice:test:{name}"
        document["linux"]["resources"].update(resources)

    runtime.configure("sleep", "1000", change=change)
    runtime.command.insert(-2, "--systemd-cgroup")
    runtime.detached(*words, "c")
    return f"test-{name}.scope"


def test_a_created_container_waits_in_its_scope(runtime: Any) -> None:
    unit = in_a_scope(runtime, ("create",))
    found = runtime.state("c")
    assert found["status"] == "created"
    assert f"/system.slice/{unit}" in Path(f"/proc/{found['pid']}/cgroup").read_text()
    runtime.works("start", "c")
    assert runtime.state("c")["status"] == "running"


def test_a_container_is_a_scope_with_its_limits(runtime: Any) -> None:
    unit = in_a_scope(
        runtime,
        memory={"limit": 64 << 20, "swap": 96 << 20, "reservation": 32 << 20},
        cpu={"shares": 512, "quota": 50_000, "period": 100_000, "cpus": "0"},
        pids={"limit": 77},
        devices=[
            {"allow": False, "access": "rwm"},
            {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"},
        ],
    )
    pid = runtime.state("c")["pid"]
    assert f"/system.slice/{unit}" in Path(f"/proc/{pid}/cgroup").read_text()
    status = subprocess.run(
        ["systemctl", "status", unit], capture_output=True, text=True, check=False
    )
    assert f"Loaded: loaded (/run/systemd/transient/{unit}; transient)" in status.stdout
    assert "Active: active (running)" in status.stdout
    properties = shown(
        unit, "Slice", "Delegate", "MemoryMax", "MemoryLow", "MemorySwapMax", "CPUWeight",
        "CPUQuotaPerSecUSec", "AllowedCPUs", "TasksMax", "DevicePolicy", "DeviceAllow",
    )  # fmt: skip
    assert "/dev/char/1:11 r" in properties.pop("DeviceAllow")
    assert properties == {
        "Slice": "system.slice", "Delegate": "yes", "MemoryMax": str(64 << 20),
        "MemoryLow": str(32 << 20), "MemorySwapMax": str(32 << 20), "CPUWeight": "20",
        "CPUQuotaPerSecUSec": "500ms", "AllowedCPUs": "0", "TasksMax": "77",
        "DevicePolicy": "strict",
    }  # fmt: skip
    # It stays so when systemd writes its units' files again, and so does a change.
    runtime.works("update", "--memory", "48M", "--memory-swap", "48M", "--pids-limit", "55", "c")
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    assert shown(unit, "MemoryMax", "TasksMax", "MemorySwapMax") == {
        "MemoryMax": str(48 << 20), "TasksMax": "55", "MemorySwapMax": "0",
    }  # fmt: skip
    group = Path("/sys/fs/cgroup/system.slice") / unit
    assert (group / "memory.max").read_text() == f"{48 << 20}\n"
    assert (group / "pids.max").read_text() == "55\n"
    assert runtime.works("exec", "c", "cat", "/proc/self/cgroup") == "0::/\n"
    denied = runtime("exec", "c", "sh", "-c", "exec </dev/null && echo well")
    assert denied.stdout == "well\n"
    runtime.works("delete", "--force", "c")
    eventually(
        lambda: shown(unit, "LoadState") == {"LoadState": "not-found"}, "the end of the unit"
    )
    assert not group.exists()


def test_a_unit_that_cannot_be_leaves_nothing(runtime: Any) -> None:
    unit = in_a_scope(runtime)
    before = runtime.command
    again = subprocess.run(
        [*before, "run", "--detach", "other"], cwd=runtime.bundle, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 1
    assert not (runtime.root / "other").exists()
    assert runtime.state("c")["status"] == "running", "the first one ended with the second"
    runtime.works("delete", "--force", "c")
    eventually(
        lambda: shown(unit, "LoadState") == {"LoadState": "not-found"}, "the end of the unit"
    )


PROGRAM = Path(sys.executable).parent / "boxship-runtime"


@pytest.fixture
def podman() -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    for needed in ("podman", "conmon"):
        if shutil.which(needed) is None:
            pytest.skip(f"{needed} is not installed")
    # podman refuses the long paths that pytest makes.
    with tempfile.TemporaryDirectory(prefix="podman-") as place:
        command = [
            "podman", f"--root={place}/root", f"--runroot={place}/run", f"--tmpdir={place}/tmp",
            "--cgroup-manager=systemd", "--events-backend=file", f"--runtime={PROGRAM}",
        ]  # fmt: skip

        def call(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [*command, *words], capture_output=True, text=True, check=False, timeout=110,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip

        loaded = call("load", "--input", str(ensure("busybox")))
        assert loaded.returncode == 0, loaded.stderr
        yield call
        call("rm", "--all", "--force", "--time", "0")
        call("rmi", "--all", "--force")
        call("system", "reset", "--force")


def test_podman_has_systemd_make_the_scopes(
    podman: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    words = ("run", "--detach", "--name=c", "--memory=64m", "--network=none", "busybox")
    made = podman(*words, "sleep", "1000")
    assert made.returncode == 0, made.stderr
    assert shown(f"libpod-{made.stdout.strip()}.scope", "ActiveState", "MemoryMax", "Slice") == {
        "ActiveState": "active",
        "MemoryMax": str(64 << 20),
        "Slice": "machine.slice",
    }
    assert podman("exec", "c", "echo", "inside").stdout == "inside\n"
    assert podman("rm", "--force", "--time=0", "c").returncode == 0
