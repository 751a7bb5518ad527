"""A container's start by the launcher, beside the same system calls made by a program in C.

The way is a daemon's: ask the launcher for a shim, ask the shim for a container of which the plan
is made, wait for the answer that it executes. The C program (`limit.c`) makes and joins the same
cgroups and is given the same seccomp program; all else that it does is written down there.
"""

import os
import shutil
import signal
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.rows import ProgramRow, Programs
from boxship.runtime import messages as m
from boxship.runtime import steps
from boxship.runtime.blueprint import Plan, directory_of
from boxship.runtime.control_codec import Decoder, encode
from boxship.runtime.defaults import CAPABILITIES, default_spec
from boxship.runtime.host import Host
from boxship.runtime.launcher_start import request_shim, spawn_launcher
from boxship.runtime.plan import plan
from boxship.runtime.seccomp.profile import default_profile

ROUNDS = 60
_SOURCE = Path(__file__).parent / "limit.c"


def starts() -> Iterator[ProgramRow]:
    """Both in turns, a container at a time."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    with TemporaryDirectory(prefix="boxship-bench-") as scratch:
        site = Site(Path(scratch))
        limit = _Limit(site, compiler) if compiler else None
        taken: dict[Programs, list[float]] = {Programs.BOXSHIP: []}
        traces: list[dict[str, float]] = []
        if limit:
            taken[Programs.LIMIT] = []
        for number in range(ROUNDS + 5):
            took, trace = site.start(f"bench-{os.getpid()}-{number}")
            least = limit.start() if limit else 0.0
            if number >= 5:
                taken[Programs.BOXSHIP].append(took)
                traces.append(trace)
                if limit:
                    taken[Programs.LIMIT].append(least)
        site.close()
    what = "launcher: create + start, all namespaces, overlay"
    figures = {kind: statistics.median(times) for kind, times in taken.items()}
    yield ProgramRow(what, "ms", figures, Programs.LIMIT, 4)
    if os.environ.get("BENCH_TRACE"):
        for name in traces[0]:
            times = [trace.get(name, 0) for trace in traces]
            print(f"{name:20} {statistics.median(times):8.3f} ms, least {min(times):8.3f}")
        print({kind.value: min(times) for kind, times in taken.items()})


class Site:
    """A launcher, a root file system, and the containers made there."""

    def __init__(self, place: Path) -> None:
        self.place, self._host = place, Host.look()
        for name in ("rootfs/bin", "upper", "work", "mountpoint", "run"):
            (place / name).mkdir(parents=True)
        shutil.copy("/bin/busybox", place / "rootfs/bin/sleep")
        self._pid, self._launcher = spawn_launcher(str(place / "run"))

    def planned(self, container_id: str) -> Plan:
        spec = default_spec(("sleep", "1000"))
        profile = default_profile(CAPABILITIES, self._host.machine, self._host.kernel)
        linux = replace(spec.linux, seccomp=profile, cgroups_path=f"/{container_id}")
        place = str(self.place)
        root = steps.MountOverlay(
            place, ("rootfs",), f"{place}/upper", f"{place}/work", f"{place}/mountpoint"
        )
        return plan(replace(spec, linux=linux), container_id, self._host, root)

    def start(self, container_id: str) -> tuple[float, dict[str, float]]:
        """Return the milliseconds from asking for a shim to the answer, and those of each step."""
        plain = self.planned(container_id).to_plain()
        directory = str(self.place / "run/c" / container_id)
        message = m.Start(container_id=container_id, directory=directory, plan=plain)
        ours, theirs = socket.socketpair()
        with ours:
            begin = time.perf_counter_ns()
            with theirs:
                request_shim(self._launcher, theirs)
            ours.sendall(encode(message, seq=1))
            decoder = Decoder()
            reply = _next(ours, decoder)
            took = (time.perf_counter_ns() - begin) / 1e6
            assert isinstance(reply, m.Started), reply
            ours.sendall(encode(m.Signal(signal=signal.SIGKILL), seq=2))
            while not isinstance(_next(ours, decoder), m.Exited):
                pass
            ours.sendall(encode(m.Release(), seq=3))
            with suppress(ConnectionError):
                while True:
                    _next(ours, decoder)
        trace: dict[str, float] = {}
        for timing in reply.timings:
            trace[timing.step] = trace.get(timing.step, 0) + (timing.ended - timing.started) / 1e6
        return took, trace

    def close(self) -> None:
        self._launcher.close()
        os.waitpid(self._pid, 0)


def _next(connection: socket.socket, decoder: Decoder) -> m.Message:
    while (frame := decoder.next_frame()) is None:
        data = connection.recv(65536)
        if not data:
            raise ConnectionError("the shim has gone")
        decoder.feed(data)
    return frame.message


class _Limit:
    """The program in C; each call makes one container."""

    def __init__(self, site: Site, compiler: str) -> None:
        program, place = str(site.place / "limit"), site.place
        subprocess.run([compiler, "-O2", "-o", program, str(_SOURCE)], check=True)
        made = site.planned(f"bench-limit-{os.getpid()}")
        assert made.process.seccomp is not None
        (place / "filter").write_bytes(made.process.seccomp.program)
        cgroup = made.cgroup
        lines = [
            f"{directory_of(cgroup, one.controller)}/{one.file} {one.value}\n"
            for one in cgroup.writes
        ]
        for one in cgroup.directories:
            if "cpuset" in one.controllers:  # born without any, which nobody can join
                for name in ("cpuset.cpus", "cpuset.mems"):
                    value = Path(one.mount, name).read_text()
                    lines.append(f"{one.path}/{name} {value}")
        (place / "writes").write_text("".join(lines))
        unified = [one.path for one in cgroup.directories if one.unified]
        hierarchies = [one.path for one in cgroup.directories if not one.unified]
        files = [str(place / "filter"), str(place / "writes")]
        self._words = [program, "1", str(place), *files, *(unified or [""]), *hierarchies]

    def start(self) -> float:
        done = subprocess.run(self._words, stdout=subprocess.PIPE, check=True)
        return int(done.stdout) / 1e6
