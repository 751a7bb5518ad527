"""A private boxshipd on directories of its own.

/tmp/bx-XXXX/            short: a unix socket's path has 108 bytes
    d.sock               the API
    d.pid                --pidfile
    data/                --data-root
    exec/                --exec-root
    log                  what the daemon says
    docker/              DOCKER_CONFIG of the clients
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from support import residue
from support.api import Api
from support.cli import Cli
from support.images.catalog import ensure
from support.waiting import eventually

PREFIX = "bx-"
_BIN = Path(sys.executable).parent


class Engine:
    """The daemon and its directories. `with Engine() as engine:` starts it and at the end stops it,
    removes its directories, and fails if it left anything.

    It has no bridge (`--bridge=none`) unless ``networks``: the host's interfaces and firewall are
    no test's to change, therefore what has networks runs in a `Machine`: ``namespace`` is the path
    of its network namespace. ``mounts`` is one of a mount namespace to run in.
    """

    def __init__(
        self, *flags: str, networks: bool = False, namespace: str = "", mounts: str = ""
    ) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp"))
        self.socket = self.home / "d.sock"
        self.data = self.home / "data"
        self.exec = self.home / "exec"
        self.cgroup_parent = f"/{self.home.name}"
        self.api = Api(self.socket)
        self._flags = [*([] if networks or namespace else ["--bridge=none"]), *flags]
        # nsenter and not `ip netns exec`, which mounts a new /sys and so hides the cgroups.
        places = [("net", namespace), ("mount", mounts)]
        entered = [f"--{kind}={path}" for kind, path in places if path]
        self._enter = ["nsenter", *entered] if entered else []
        self._process: subprocess.Popen[bytes] | None = None
        (self.home / "docker").mkdir()
        environment = {
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.home / "docker"),
            "DOCKER_CLI_HINTS": "false",
        }
        self.docker = Cli(shutil.which("docker") or "docker", environment)
        self.boxship = Cli(str(_BIN / "boxship"), environment)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            print(
                f"--- end of the log of {self.home} ---", *self.log().splitlines()[-30:], sep="\n"
            )
        self.close()

    @property
    def pid(self) -> int:
        assert self._process is not None, "the daemon is not running"
        return self._process.pid

    @property
    def command(self) -> list[str]:
        return [*self._enter, str(_BIN / "boxshipd"), *self.flags]

    @property
    def flags(self) -> list[str]:
        return [
            f"-H=unix://{self.socket}",
            f"--data-root={self.data}",
            f"--exec-root={self.exec}",
            f"--pidfile={self.home / 'd.pid'}",
            f"--cgroup-parent={self.cgroup_parent}",
            *self._flags,
        ]

    def add_flags(self, *flags: str) -> None:
        """More flags from the next start on."""
        self._flags += flags

    def change_flag(self, old: str, new: str) -> None:
        """Have `new` in the place of `old` from the next start on."""
        self._flags[self._flags.index(old)] = new

    def start(self, *before: str) -> None:
        """Start and wait until it answers. `before` goes in front of the command (strace …)."""
        self.launch(*before)
        eventually(self.answers, "the daemon's first answer")

    def launch(self, *before: str) -> None:
        """Start without waiting."""
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*before, *self.command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def answers(self) -> bool:
        assert self._process is not None
        code = self._process.poll()
        assert code is None, f"the daemon ended with {code}:\n{self.log()}"
        try:
            return self.api.get("/_ping").status == 200
        except OSError:
            return False

    def stop(self) -> int:
        """SIGTERM and its exit code."""
        return self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> int:
        """Send a signal that ends it."""
        assert self._process is not None
        self._process.send_signal(number)
        return self.wait()

    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self, timeout: float = 30) -> int:
        assert self._process is not None
        code = self._process.wait(timeout)
        self._process = None
        return code

    def load(self, *images: str) -> None:
        for image in images or ["busybox"]:
            reply = self.api.post("/images/load", ensure(image).read_bytes(), quiet=1)
            assert reply.status == 200, reply.body
            assert b"errorDetail" not in reply.body, reply.body

    def log(self) -> str:
        return (self.home / "log").read_text(errors="replace")

    def processes(self) -> list[int]:
        """The daemon and everything that belongs to it and its containers."""
        family = set(residue.holders([str(self.home)])) | set(self.inhabitants())
        if self._process is not None:
            family |= {self.pid, *residue.descendants(self.pid)}
        return sorted(pid for pid in family if os.path.exists(f"/proc/{pid}"))

    def cgroups(self) -> list[str]:
        """The cgroups of its containers, in every hierarchy."""
        return [path for path in residue.cgroups() if f"{self.cgroup_parent}/" in path]

    def inhabitants(self) -> list[int]:
        """The processes in its containers' cgroups."""
        found: list[int] = []
        for path in self.cgroups():
            try:
                found += [int(pid) for pid in Path(path, "cgroup.procs").read_text().split()]
            except FileNotFoundError:
                continue
        return found

    def descriptors(self) -> list[str]:
        """What the daemon has open."""
        return residue.descriptors(self.pid)

    def mounts(self) -> list[str]:
        return residue.mounts_of([str(self.home)])

    def remains(self) -> dict[str, Sequence[object]]:
        """What containers have in the kernel and on the disk; nothing once they are removed."""
        run = self.exec / "c"
        remains: dict[str, Sequence[object]] = {
            "cgroups": self.cgroups(),
            "mounts": self.mounts(),
            "run directories": sorted(os.listdir(run)) if run.exists() else [],
            "snapshots": self._names("snapshots"),
            "container directories": self._names("containers"),
            "temporary files": self._names("tmp"),
        }
        return {kind: found for kind, found in remains.items() if found}

    def _names(self, directory: str) -> list[str]:
        place = self.data / directory
        return sorted(os.listdir(place)) if place.exists() else []

    def close(self) -> None:
        """Remove all containers, stop, and check that nothing is left of it. Again: nothing."""
        if not self.home.exists():
            return
        left: dict[str, Sequence[object]] = {}
        try:
            # A daemon that a test left dead has had no chance to clean up.
            if self.runs():
                self._remove_containers()
                self.stop()
                left = self._left_over()
        finally:
            self._sweep()
        assert not left, f"the daemon left something behind: {left}"

    def _remove_containers(self) -> None:
        for container in self.api.get("/containers/json", all=1).json():
            self.api.remove(container["Id"])
        # Files are deleted in the background; what a stop leaves of that, the next start does.
        eventually(lambda: not self.remains(), "the end of what containers leave", timeout=60)

    def _left_over(self) -> dict[str, Sequence[object]]:
        gone = [lambda: not self.processes(), lambda: not self.mounts(), lambda: not self.remains()]
        try:
            for condition in gone:
                eventually(condition, "the end of what it started", timeout=10)
        except AssertionError:
            titles = [f"{pid} {residue.title(pid)}" for pid in self.processes()]
            left = {"processes": titles, "mounts": self.mounts(), **self.remains()}
            return {kind: found for kind, found in left.items() if found}
        return {}

    def _sweep(self) -> None:
        """Leave the machine clean, also after a failure that is reported anyway."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not self.inhabitants(), "the end of killed processes")
        for point in reversed(self.mounts()):
            subprocess.run(["umount", "--lazy", point], check=False)
        for path in sorted(self.cgroups(), reverse=True):
            os.rmdir(path)
        for root in residue.hierarchies():
            if os.path.isdir(root + self.cgroup_parent):
                os.rmdir(root + self.cgroup_parent)
        shutil.rmtree(self.home)
