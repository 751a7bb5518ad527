"""What a hostile container tries, each once against us and once against a build made weak.

An attack that fails proves nothing unless it works where the guard is missing; so each test takes
the guard out (in the fork that plays the shim) and sees the attack succeed.
"""

import contextlib
import ctypes
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from boxship.oci.runtime import Capabilities
from boxship.runtime import birth, enter
from boxship.runtime.apply import StepError
from boxship.runtime.capabilities import CAPABILITIES
from boxship.runtime.cgroups.layout import find_layout
from boxship.runtime.defaults import ALL_DEVICES
from support.boxes import Box, Container, Outcome

pytestmark = pytest.mark.privileged

Weaken = pytest.MonkeyPatch
EVERYTHING = Capabilities(tuple(CAPABILITIES), tuple(CAPABILITIES), (), tuple(CAPABILITIES), ())


def test_descriptors_of_the_hosts_do_not_come_along(box: Box, monkeypatch: Weaken) -> None:
    """CVE-2024-21626, first half: whatever is open in the shim, even inheritable."""
    leak = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(leak, True)
    script = f"ls -d /proc/self/fd/{leak}/proc/1 2>/dev/null; ls /proc/$$/fd"
    try:
        result = box.run("sh", "-c", script)
        assert str(leak) not in result.output.split()
        monkeypatch.setattr(enter.processes, "close_on_exec_from", lambda _: None)
        assert str(leak) in box.run("sh", "-c", script).output.split()
    finally:
        os.close(leak)


def test_a_working_directory_on_the_host(box: Box, tmp_path: Path, monkeypatch: Weaken) -> None:
    """CVE-2024-21626, second half: a working directory that is a descriptor of the shim's."""
    (tmp_path / "secret").write_text("of the host's\n")
    leak = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)

    def work(container: Container) -> Outcome:
        return container.execute("cat", "secret", cwd=f"/proc/self/fd/{leak}")

    try:
        failure = box.with_running(work).failure
        assert failure is not None
        assert failure[0] == "cwd"
        monkeypatch.setattr(birth, "_keep_only", lambda _: None)
        monkeypatch.setattr(enter, "_check_cwd_inside", lambda: None)
        assert box.with_running(work).output == "of the host's\n"
    finally:
        os.close(leak)


def test_a_console_swapped_for_a_link(box: Box) -> None:
    """CVE-2025-52565: the pty would be shown somewhere else than /dev/console."""
    (box.rootfs / "dev/pts").mkdir(parents=True)
    (box.rootfs / "dev/console").symlink_to("/etc/passwd")
    mounts = tuple(m for m in box.spec.mounts if m.destination not in ("/dev", "/dev/mqueue"))
    box.spec = replace(box.spec, mounts=mounts)
    failure = box.run("true", terminal=True).failure
    assert failure is not None
    assert failure[0] == "MakeConsole"
    assert "symbolic link" in failure[2]
    assert (box.rootfs / "etc/passwd").read_text().startswith("root:")


def set_traps(box: Box) -> None:
    """Put a module that leaves a mark wherever the host's interpreter has one."""
    library = Path(os.__file__).parent
    for place in (library, Path(enter.__file__).parent):
        there = Path(f"{box.rootfs}{place}")
        there.mkdir(parents=True, exist_ok=True)
        for module in place.glob("*.py"):
            (there / module.name).write_text("open('/trapped', 'w').close()\n")
    for name in ("etc/ld.so.preload", "lib/x86_64-linux-gnu/libc.so.6", "lib64/libc.so.6"):
        (box.rootfs / name).parent.mkdir(parents=True, exist_ok=True)
        (box.rootfs / name).write_text("/trap.so\n")


def test_nothing_is_loaded_from_the_container(box: Box, monkeypatch: Weaken) -> None:
    """A process that enters still has much to do; none of its code may come from inside."""
    set_traps(box)

    def work(container: Container) -> tuple[Outcome, bool]:
        container.execute("nosuch")  # the paths of failure load most
        container.execute("true", user="nosuch")
        container.execute("true", cwd="/nosuch")
        container.execute("id", terminal=True, user="user")
        root = Path(f"/proc/{container.spawned.pid}/root")
        return container.execute("id", "-u"), (root / "trapped").exists()

    first = box.run("sh", "-c", "[ -e /trapped ] && echo trapped")
    assert (first.output, first.failure) == ("", None)
    result, trapped = box.with_running(work)
    assert (result.output, trapped) == ("0\n", False)

    def load(_: enter.Entry) -> None:
        sys.modules.pop("colorsys", None)  # some other test may have needed it
        with contextlib.suppress(ImportError):
            __import__("colorsys")

    monkeypatch.setattr(enter, "PREPARATIONS", (*enter.PREPARATIONS, ("load", load)))
    assert not box.with_running(work)[1]
    monkeypatch.setattr(enter, "refuse_imports", lambda: None)
    assert box.with_running(work)[1]


def test_a_proc_of_the_images_own_misleads_nobody(box: Box) -> None:
    """No procfs at all, and in its place what looks like one."""
    (box.rootfs / "proc/self/fd").mkdir(parents=True)
    (box.rootfs / "proc/self/attr").mkdir()
    for number in range(3):
        (box.rootfs / f"proc/self/fd/{number}").symlink_to("/etc/passwd")
    (box.rootfs / "proc/self/uid_map").write_text("0 0 1\n")
    mounts = tuple(m for m in box.spec.mounts if m.destination != "/proc")
    box.spec = replace(box.spec, mounts=mounts)
    box.change_linux(masked_paths=(), readonly_paths=())

    def work(container: Container) -> Outcome:
        return container.execute("sh", "-c", "id -u; stat -c %u /etc/passwd", user="user")

    assert box.with_running(work).output.split() == ["1000", "0"]


def test_core_pattern_cannot_be_written(box: Box) -> None:
    """The kernel executes what stands there on the host."""
    attempt = 'p=/proc/sys/kernel/core_pattern; v=$(cat $p); echo "$v" > $p && echo written'
    assert "Read-only" in box.run("sh", "-c", attempt).errors
    box.change_linux(readonly_paths=())
    assert box.run("sh", "-c", attempt).output == "written\n"  # what stood there before


def test_a_cgroup_hierarchy_cannot_be_mounted_for_its_release_agent(box: Box) -> None:
    """CVE-2022-0492 and its kin: a hierarchy of one's own has a program the kernel runs."""
    if not find_layout().hierarchies:
        pytest.skip("no cgroup v1 here")
    attempt = (
        "mount -t cgroup -o memory x /tmp && echo mounted; cd /sys/fs/cgroup/memory;"
        "mkdir sub; echo 1 > notify_on_release"
    )
    result = box.run("sh", "-c", attempt)
    assert "mounted" not in result.output
    assert "Read-only" in result.errors
    box.change_linux(seccomp=None)
    assert "mounted" in box.run("sh", "-c", attempt, capabilities=EVERYTHING).output


def test_a_node_of_ones_own_opens_no_device(box: Box) -> None:
    """CAP_MKNOD is given; what a node leads to is not."""
    attempt = "rm -f /tmp/loop; mknod /tmp/loop c 10 237 && : < /tmp/loop && echo open"
    assert "Operation not permitted" in box.run("sh", "-c", attempt).errors
    box.change_linux(resources=replace(box.spec.linux.resources, devices=ALL_DEVICES))
    result = box.run("sh", "-c", attempt)
    assert result.output == "open\n", result


def session_keyring() -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    number = {"x86_64": 250, "aarch64": 219}[os.uname().machine]
    return int(libc.syscall(number, 0, -3, 0))


def test_keys_are_not_shared_with_the_host(box: Box, monkeypatch: Weaken) -> None:
    """Keyrings know no namespaces: without one of its own a container reads its parent's."""
    mine = session_keyring()

    def show(_: enter.Entry) -> None:
        raise StepError("show", 0, str(session_keyring()))

    def seen(preparations: tuple[tuple[str, Callable[[enter.Entry], None]], ...]) -> int:
        monkeypatch.setattr(enter, "PREPARATIONS", preparations)
        failure = box.run("true").failure
        assert failure is not None
        return int(failure[2])

    whole = (*enter.PREPARATIONS[:2], ("show", show))
    assert [name for name, _ in whole] == ["session", "keyring", "show"]
    assert seen(whole) not in (mine, -1)
    assert seen((whole[0], whole[2])) == mine


@pytest.mark.spec("process.oomScoreAdj")
def test_the_kernel_is_told_whom_to_kill_first(box: Box) -> None:
    assert box.run("cat", "/proc/self/oom_score_adj", oom_score_adj=700).output == "700\n"
    result = box.run("cat", "/proc/self/oom_score_adj", oom_score_adj=-900)
    assert result.output == "-900\n" or "oom_score_adj" in result.warnings[0]
