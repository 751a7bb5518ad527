"""OCI runtimes as programs, on one bundle: runc, crun where it can, and boxship-runtime.

They take turns, as the engines do. crun refuses a machine whose cgroups are hybrid; it alone is
called in a mount namespace that lacks cgroup2's.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.rows import ProgramRow, Programs
from boxship.kernel import namespaces
from boxship.runtime.defaults import CAPABILITIES, default_spec
from boxship.runtime.host import Host
from boxship.runtime.seccomp.profile import default_profile

ROUNDS = 40
_UNIFIED = "/sys/fs/cgroup/unified"
_MNT = namespaces.CLONE_FLAGS["mnt"]

Life = Callable[["Program", str, Path], float]
"""Lives through a container of a name; returns the milliseconds that count."""


class Program:
    """One of the runtimes, and where it is called."""

    def __init__(self, path: str, namespace: int = -1) -> None:
        self.path, self._namespace = path, namespace

    def __call__(self, bundle: Path, *words: str) -> float:
        """Call it in a bundle, with nobody to read its output; return the milliseconds."""
        begin = time.perf_counter_ns()
        pid = os.fork()
        if pid == 0:
            self._become(bundle, words)
        _, status = os.waitpid(pid, 0)
        took = (time.perf_counter_ns() - begin) / 1e6
        assert status == 0, f"{self.path} {' '.join(words)}: {os.waitstatus_to_exitcode(status)}"
        return took

    def _become(self, bundle: Path, words: Sequence[str]) -> None:
        try:
            if self._namespace >= 0:
                namespaces.setns(self._namespace, _MNT)
            os.chdir(bundle)
            null = os.open("/dev/null", os.O_RDWR)
            os.dup2(null, 0)
            os.dup2(null, 1)
            os.execv(self.path, [self.path, *words])
        finally:
            os._exit(127)


def bundles() -> Iterator[ProgramRow]:
    """`run`, and what engines call one after the other."""
    with ExitStack() as stack:
        programs = stack.enter_context(_programs())
        place = Path(stack.enter_context(TemporaryDirectory(prefix="boxship-bench-")))
        short = _bundle(place / "short", "true")
        filtered = _bundle(place / "filtered", "true", seccomp=True)
        lasting = _bundle(place / "lasting", "sleep", "1000")
        lives: Sequence[tuple[str, Life, Path, float | None]] = (
            ("run, of busybox true", _run, short, 1.5),
            ("run, with Docker's seccomp profile", _run, filtered, 1.5),
            ("run --detach", _run_detached, lasting, 1.5),
            ("create, start, state, delete --force", _step_by_step, lasting, None),
            ("exec, of busybox true", _exec, lasting, None),
        )
        for what, life, bundle, limit in lives:
            yield ProgramRow(what, "ms", _in_turns(programs, life, bundle), Programs.RUNC, limit)


def versions() -> str:
    """What was measured, in words."""
    with _programs() as programs:
        said = (
            subprocess.run([program.path, "--version"], capture_output=True, text=True, check=True)
            for program in programs.values()
        )
        return ", ".join(answer.stdout.splitlines()[0].replace(" version", "") for answer in said)


def _run(program: Program, name: str, bundle: Path) -> float:
    return program(bundle, "run", name)


def _run_detached(program: Program, name: str, bundle: Path) -> float:
    took = program(bundle, "run", "--detach", name)
    program(bundle, "delete", "--force", name)
    return took


def _step_by_step(program: Program, name: str, bundle: Path) -> float:
    calls = (("create", name), ("start", name), ("state", name), ("delete", "--force", name))
    return sum(program(bundle, *words) for words in calls)


def _exec(program: Program, name: str, bundle: Path) -> float:
    program(bundle, "run", "--detach", name)
    took = program(bundle, "exec", name, "/bin/true")
    program(bundle, "delete", "--force", name)
    return took


def _in_turns(
    programs: Mapping[Programs, Program], life: Life, bundle: Path
) -> dict[Programs, float]:
    """Return the median milliseconds of each; a first round is not counted."""
    taken: dict[Programs, list[float]] = {kind: [] for kind in programs}
    for number in range(ROUNDS + 1):
        for kind, program in programs.items():
            took = life(program, f"bench-{os.getpid()}-{number}", bundle)
            if number:
                taken[kind].append(took)
    return {kind: statistics.median(times) for kind, times in taken.items()}


@contextmanager
def _programs() -> Iterator[dict[Programs, Program]]:
    """Yield the runtimes that are installed."""
    found = {Programs.BOXSHIP: Program(str(Path(sys.executable).parent / "boxship-runtime"))}
    if runc := shutil.which("runc"):
        found[Programs.RUNC] = Program(runc)
    with ExitStack() as stack:
        if crun := shutil.which("crun"):
            hybrid = os.path.ismount(_UNIFIED)
            namespace = stack.enter_context(_without_unified()) if hybrid else -1
            found[Programs.CRUN] = Program(crun, namespace)
        yield {kind: found[kind] for kind in Programs if kind in found}


@contextmanager
def _without_unified() -> Iterator[int]:
    """Own a mount namespace without the empty cgroup2 of a hybrid machine."""
    words = ["unshare", "--mount", "sh", "-c", f"umount {_UNIFIED} && echo ready && exec cat"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as keeper:
        assert keeper.stdin is not None and keeper.stdout is not None
        assert keeper.stdout.readline() == b"ready\n"
        namespace = namespaces.open_namespace(f"/proc/{keeper.pid}/ns/mnt")
        try:
            yield namespace
        finally:
            os.close(namespace)
            keeper.stdin.close()


def _bundle(place: Path, *args: str, seccomp: bool = False) -> Path:
    """Make a bundle of busybox as `spec` writes it, but without a terminal."""
    (place / "rootfs/bin").mkdir(parents=True)
    for name in ("proc", "dev", "sys", "tmp"):
        (place / "rootfs" / name).mkdir()
    shutil.copy("/bin/busybox", place / "rootfs/bin")
    for name in ("true", "sleep"):
        (place / "rootfs/bin" / name).symlink_to("busybox")
    spec = replace(default_spec(args), oci_version="1.0.0")  # which every crun knows
    if seccomp:
        host = Host.look()
        profile = default_profile(CAPABILITIES, host.machine, host.kernel)
        spec = replace(spec, linux=replace(spec.linux, seccomp=profile))
    (place / "config.json").write_text(json.dumps(spec.to_json()))
    return place
