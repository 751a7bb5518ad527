"""The program as engines call it: a state directory and a bundle for each test."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from boxship.runtime.defaults import default_spec
from support.residue import RUN

MAIN = "from boxship.runtime.main import main; main()"
BUSYBOX = "/bin/busybox"


class Runtime:
    """Calls ``boxship-runtime`` for containers of one ``--root`` and one bundle."""

    def __init__(self, place: Path) -> None:
        self.place, self.bundle, self.root = place, place / "bundle", place / "state"
        self.rootfs = self.bundle / "rootfs"
        self.command = [sys.executable, "-c", MAIN, "--root", str(self.root)]

    def __call__(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        settings: dict[str, Any] = {"stdin": subprocess.DEVNULL} | options
        if "input" in options:
            del settings["stdin"]
        return subprocess.run(
            [*self.command, *words],
            cwd=self.bundle, capture_output=True, text=True, timeout=60, check=False, **settings,
        )  # fmt: skip

    def works(self, *words: str, **options: Any) -> str:
        """Call it, which must succeed, and return what it says."""
        done = self(*words, **options)
        assert (done.returncode, done.stderr) == (0, ""), words
        return done.stdout

    def create(self, name: str) -> None:
        """Create a container whose output nobody reads."""
        self.detached("create", name)

    def detached(self, *words: str) -> None:
        """Call what leaves a container behind, which keeps the output: no pipe would end."""
        said = self.place / "said"
        with open(os.devnull, "r+b") as null, open(said, "wb") as errors:
            done = subprocess.run(
                [*self.command, *words],
                cwd=self.bundle, stdin=null, stdout=null, stderr=errors, check=False, timeout=60,
            )  # fmt: skip
        assert done.returncode == 0, said.read_text()

    def state(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.works("state", name))
        return found

    def configure(self, *args: str, change: Callable[[dict[str, Any]], None] | None = None) -> None:
        """Write config.json for a process of ``args``."""
        path = self.bundle / "config.json"
        document: dict[str, Any] = default_spec(args, terminal=True).to_json()
        document["root"]["readonly"] = True
        document["process"]["terminal"] = False
        document["linux"]["cgroupsPath"] = f"/{self.cgroup}"
        if change:
            change(document)
        path.write_text(json.dumps(document))

    @property
    def cgroup(self) -> str:
        return f"{RUN}runtime-cli-{self.place.name}"

    def cgroups(self) -> list[Path]:
        """Return the container's cgroups: one in each of v1's hierarchies, or one of v2."""
        mount = Path("/sys/fs/cgroup")
        return [path for path in (mount / self.cgroup, *mount.glob(f"*/{self.cgroup}"))
                if path.exists()]  # fmt: skip

    def leftovers(self) -> list[str]:
        """Return state directories, cgroups and mounts that are there."""
        states = [str(path) for path in self.root.iterdir()] if self.root.exists() else []
        groups = [str(path) for path in self.cgroups()]
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        return states + groups + [line for line in mounts if str(self.place) in line]


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    made = Runtime(tmp_path)
    for name in ("bin", "etc", "tmp", "root", "proc", "dev", "sys"):
        (made.rootfs / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, made.rootfs / "bin/busybox")
    for applet in ("sh", "sleep", "cat", "echo", "id", "true", "tty", "readlink", "touch", "stty"):
        (made.rootfs / "bin" / applet).symlink_to("busybox")
    (made.rootfs / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    yield made
    for name in made("list", "-q").stdout.split():
        made("delete", "--force", name)
