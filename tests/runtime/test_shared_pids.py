"""A container that joins another one's pid namespace, and what its neighbour sees of it.

The neighbour has CAP_SYS_PTRACE, so that it may look into every process it can see, and does
nothing else: it notes the root of each process from the first moment on.
"""

import errno
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from boxship.kernel.channel import Channel
from boxship.oci.runtime import Capabilities, Namespace
from boxship.runtime import apply, birth, enter, latecomer, process
from boxship.runtime.apply import Setup
from boxship.runtime.capabilities import CAPABILITIES
from boxship.runtime.process import destroy, spawn_init
from boxship.runtime.steps import Step
from support.boxes import Box, Container, Outcome, captured, in_a_shim
from support.waiting import eventually

pytestmark = pytest.mark.privileged

EVERYTHING = Capabilities(tuple(CAPABILITIES), tuple(CAPABILITIES), (), tuple(CAPABILITIES), ())
# What the neighbour takes for the host: a file that no container has.
WATCH = """
cd /proc
while :; do
  for p in [0-9]*; do
    [ -e $p/root{mark} ] && echo "$p is on the host" >> /seen
    [ -e $p/cwd/{name} ] && echo "$p was on the host" >> /seen
  done
  echo >> /rounds
done
"""


@dataclass(frozen=True)
class Meeting:
    """What came of a container that joined, and what the neighbour saw."""

    outcomes: list[Outcome]
    seen: str


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A file of the host's."""
    path = tmp_path / "mark"
    path.write_text("of the host's\n")
    return path


def joining(box: Box, pid: int, *args: str, times: int = 1, **changes: Any) -> list[Outcome]:
    """Run containers in the pid namespace of ``pid``; from within a shim."""
    paths = {"pid": f"/proc/{pid}/ns/pid"}
    kinds = box.spec.linux.namespaces
    shared = tuple(Namespace(n.type, paths.get(n.type, "")) for n in kinds)
    own = Box(box.place / "joined", f"{box.name}-joined")
    own.place.mkdir(exist_ok=True)
    own.rootfs = box.rootfs
    own.spec = replace(box.spec, linux=replace(box.spec.linux, namespaces=shared))
    found = []
    for _ in range(times):
        made = own.planned(*args, **changes)
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)

        def spawn(out: int, err: int) -> process.Spawned:
            return spawn_init(made, null, out, err)  # noqa: B023 - called at once

        try:
            found.append(captured(spawn))
        finally:
            os.close(null)
            destroy(made)
    return found


def meet(box: Box, mark: Path, *args: str, times: int = 1, **changes: Any) -> Meeting:
    """Have containers join a neighbour that watches."""
    script = WATCH.format(mark=mark, name=mark.name)

    def work(neighbour: Container) -> Meeting:
        root = Path(f"/proc/{neighbour.spawned.pid}/root")
        eventually((root / "rounds").exists, "the neighbour's first round")
        outcomes = joining(box, neighbour.spawned.pid, *args, times=times, **changes)
        before = (root / "rounds").stat().st_size
        eventually(lambda: (root / "rounds").stat().st_size > before + 1, "one more round")
        seen = root / "seen"
        return Meeting(outcomes, seen.read_text() if seen.exists() else "")

    return box.with_running(work, "sh", "-c", script, capabilities=EVERYTHING)


LOOK = "readlink /proc/self/ns/pid; head -n1 /proc/1/status; echo $PPID"


def test_it_sees_the_others_processes_in_a_proc_of_its_own(box: Box, mark: Path) -> None:
    (outcome,) = meet(box, mark, "sh", "-c", LOOK).outcomes
    assert outcome.failure is None
    namespace, first, parent = outcome.output.splitlines()
    assert namespace != os.readlink("/proc/self/ns/pid")
    assert first.split() == ["Name:", "sh"]
    assert parent == "0"


def test_a_kernel_that_cannot_be_told_whose_pids_to_show(
    box: Box, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Linux 6.18 somebody must go there for the mount, and takes nothing along."""

    def older(setup: Setup, source: str, options: tuple[str, ...], attributes: int) -> int:
        kernel = setup.kernel

        class Older:
            def new_filesystem(
                self, fstype: str, source: str, options: tuple[str, ...], attributes: int
            ) -> int:
                if any(option.startswith("pidns=") for option in options):
                    raise OSError(22, "proc: Unknown parameter 'pidns'")
                time.sleep(0.1)  # for whoever goes there to be looked at
                return kernel.new_filesystem(fstype, source, options, attributes)

        return original(replace(setup, kernel=Older()), source, options, attributes)

    original = latecomer.new_procfs
    monkeypatch.setattr(latecomer, "new_procfs", older)
    meeting = meet(box, mark, "sh", "-c", LOOK, times=3)
    assert [outcome.failure for outcome in meeting.outcomes] == [None] * 3
    assert meeting.outcomes[0].output.splitlines()[2] == "0"
    assert meeting.seen == ""
    monkeypatch.setattr(os, "chroot", lambda _: None)
    assert "on the host" in meet(box, mark, "true", times=5).seen


def test_no_process_on_the_host_is_ever_seen(
    box: Box, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert meet(box, mark, "true", times=10).seen == ""

    # As it would be without the stage: born there first, set up there.
    ends: list[birth.ChildEnd] = []
    be_born = latecomer.be_born

    class Known(birth.ChildEnd):
        def __init__(self, channel: Channel) -> None:
            super().__init__(channel)
            ends.append(self)

    def walk(steps: Sequence[Step], setup: Setup) -> None:
        if setup.root < 0 and setup.pid_namespace >= 0:
            be_born(os.dup(setup.pid_namespace), ends[-1], None)
        apply.walk(steps, setup)

    monkeypatch.setattr(birth, "ChildEnd", Known)
    monkeypatch.setattr(birth, "walk", walk)
    monkeypatch.setattr(latecomer, "be_born", lambda *_: None)
    assert "on the host" in meet(box, mark, "true", times=10).seen


def test_its_terminal_and_its_failures_reach_the_parent(box: Box, mark: Path) -> None:
    (outcome,) = meet(box, mark, "tty", terminal=True).outcomes
    assert outcome.output.strip().startswith("/dev/pts/")
    (outcome,) = meet(box, mark, "/no/such/command").outcomes
    assert outcome.failure is not None
    assert outcome.failure[3] == 127


def test_a_namespace_that_is_gone(box: Box) -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    (outcome,) = in_a_shim(lambda: joining(box, pid, "true"))
    assert outcome.failure is not None
    assert outcome.failure[0] == "pid namespace"


def test_it_has_few_capabilities_to_be_taken_over_once_it_is_seen(
    box: Box, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The neighbour may trace it, and then do what it may do."""

    def tell(_: enter.Entry) -> None:
        status = Path("/proc/self/status").read_text()
        Path("/told").write_text(status.partition("CapPrm:")[2].split()[0])

    def permitted() -> int:
        (outcome,) = meet(box, mark, "true", no_new_privileges=True).outcomes
        assert outcome.failure is None
        return int((box.place / "joined/upper/told").read_text(), 16)

    dangerous = sum(1 << CAPABILITIES[f"CAP_{name}"] for name in ("SYS_ADMIN", "SYS_PTRACE"))
    monkeypatch.setattr(enter, "PREPARATIONS", (("tell", tell), *enter.PREPARATIONS))
    assert permitted() & dangerous == 0
    monkeypatch.setattr(enter, "shed", lambda _: None)
    assert permitted() & dangerous == dangerous


def test_a_neighbour_that_stops_it_on_its_way_holds_nobody_up(
    box: Box, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    born = latecomer.be_born

    def born_and_stopped(*arguments: Any) -> None:
        born(*arguments)
        os.kill(os.getpid(), signal.SIGSTOP)  # as the neighbour may

    monkeypatch.setattr(latecomer, "be_born", born_and_stopped)
    monkeypatch.setattr(process, "EXEC_PATIENCE", 0.5)
    (outcome,) = meet(box, mark, "true").outcomes
    assert outcome.failure is not None
    assert outcome.failure[1] == errno.ETIMEDOUT
