"""What a container can learn from, or do to, a process that joins it; and databases that lie."""

import contextlib
import os
import platform
import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from boxship.base.errors import ConflictError
from boxship.oci.elf import static_executable
from boxship.oci.runtime import Capabilities, IdMapping, Namespace, User
from boxship.runtime import birth, enter
from boxship.runtime.blueprint import CgroupPlan, ProcessPlan
from boxship.runtime.cli import store
from boxship.runtime.defaults import CAPABILITIES
from support.boxes import Box, Container, Outcome

pytestmark = pytest.mark.privileged

Weaken = pytest.MonkeyPatch
SOMEBODY = User(username="user")

SPY = """
until [ -e /tmp/armed ]; do usleep 1000; done
for p in /proc/[0-9]*; do
    n=${p#/proc/}
    [ $n = 1 ] && continue
    readlink $p/exe && echo "sees the image"
    ls $p/root/ && echo "sees the root"
    readlink $p/fd/0 && echo "sees descriptors"
    cat $p/environ && echo "sees the environment"
    (exec 9<$p/mem) && echo "may trace"
done >/tmp/seen 2>/tmp/refused
touch /tmp/over
exec sleep 1000
"""


def held(entry: enter.Entry) -> None:
    """Give the spy all the time it needs, where the process has come the farthest: before execve.

    By then it has no more rights than the spy, who could trace it if it could be traced at all.
    """
    if entry.plan.args[0] == "sh":
        EXECUTE(entry)
    os.close(os.open("/tmp/armed", os.O_CREAT | os.O_WRONLY))
    while not os.path.exists("/tmp/over"):
        time.sleep(0.001)
    EXECUTE(entry)


EXECUTE = enter.execute


def test_a_joining_process_cannot_be_looked_into(box: Box, monkeypatch: Weaken) -> None:
    """CVE-2016-9962: root in the container, ptrace and /proc/PID of what comes from the host."""

    def work(container: Container) -> tuple[str, str, int]:
        status = container.execute("true").status
        inside = Path(f"/proc/{container.spawned.pid}/root/tmp")
        found = (inside / "seen").read_text(), (inside / "refused").read_text(), status
        for name in ("armed", "over", "seen", "refused"):
            (inside / name).unlink()
        return found

    monkeypatch.setattr(enter, "execute", held)
    seen, refused, status = box.with_running(work, "sh", "-c", SPY)
    assert (seen, status) == ("", 0)
    assert refused.count("Permission denied") == 3  # readlink says nothing
    monkeypatch.setattr(birth.processes, "set_dumpable", lambda _: None)
    seen, _, _ = box.with_running(work, "sh", "-c", SPY)
    for words in ("the image", "the root", "descriptors", "the environment"):
        assert f"sees {words}" in seen
    assert "may trace" in seen


def test_a_joining_process_has_few_capabilities_to_be_taken_over(
    box: Box, monkeypatch: Weaken
) -> None:
    """Who may trace may do what the traced one may, so that one has no more than it needs."""

    def first(entry: enter.Entry) -> None:
        os.close(os.open("/tmp/armed", os.O_CREAT | os.O_WRONLY))
        while entry.plan.args[0] == "true" and not os.path.exists("/tmp/over"):
            time.sleep(0.001)

    def work(container: Container) -> list[int]:
        pid = container.spawned.pid
        inside = Path(f"/proc/{pid}/root/tmp")
        assert container.execute("true").status == 0
        shown = (inside / "seen").read_text().split()
        for name in ("armed", "over", "seen"):
            (inside / name).unlink(missing_ok=True)
        return [int(mask, 16) for mask in shown]

    script = """
    rm -f /tmp/armed
    until [ -e /tmp/armed ]; do usleep 1000; done
    for p in /proc/[0-9]*; do
        [ $p = /proc/1 ] || sed -n "s/CapPrm://p" $p/status >>/tmp/all
    done
    sort /tmp/all | tail -n 1 >/tmp/seen; rm /tmp/all; touch /tmp/over
    exec sleep 1000
    """
    monkeypatch.setattr(enter, "PREPARATIONS", (("first", first), *enter.PREPARATIONS))
    process = {"no_new_privileges": True}
    (seen,) = box.with_running(work, "sh", "-c", script, **process)
    assert seen & (1 << 21 | 1 << 19 | 1 << 12) == 0, f"{seen:x}"
    monkeypatch.setattr(enter, "shed", lambda _: None)
    (seen,) = box.with_running(work, "sh", "-c", script, **process)
    assert seen & (1 << 21)


def test_processes_of_the_host_are_not_there(box: Box) -> None:
    """The shim, the launcher and the joiner live in the host's pid namespace alone."""
    mine = os.getpid()

    def work(container: Container) -> Outcome:
        return container.execute("sh", "-c", "echo /proc/[0-9]*; cat /proc/1/comm")

    inside = box.with_running(work).output
    pids = {int(p.rpartition("/")[2]) for p in inside.splitlines()[0].split()}
    assert max(pids) < 10
    assert inside.splitlines()[1] == "sleep"
    kinds = tuple(n for n in box.spec.linux.namespaces if n.type != "pid")
    box.change_linux(namespaces=kinds)
    assert f"/proc/{mine}" in box.run("sh", "-c", "echo /proc/[0-9]*").output.split()


def test_the_host_does_not_let_itself_be_traced_by_who_sees_it(box: Box) -> None:
    """``--pid=host``: the shim is seen, and no more than that, for want of its capabilities."""
    box.change_linux(
        namespaces=tuple(n for n in box.spec.linux.namespaces if n.type != "pid"), seccomp=None
    )
    script = f"p=/proc/{os.getpid()}; cat $p/comm; cat $p/environ; cat $p/mem; ls $p/root/"
    result = box.run("sh", "-c", script)
    assert len(result.output.splitlines()) == 1
    assert result.errors.count("ermission denied") == 3


def test_a_working_directory_is_not_made_outside(
    box: Box, tmp_path: Path, monkeypatch: Weaken
) -> None:
    """CVE-2024-21626 once more: ``exec --cwd`` makes the directory, even through a descriptor."""
    leak = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    path = f"/proc/self/fd/{leak}/made"

    def work(container: Container) -> Outcome:
        return container.execute("true", cwd=path, create_cwd=True)

    monkeypatch.setattr(birth, "_keep_only", lambda _: None)
    try:
        failure = box.with_running(work).failure
        assert failure is not None
        assert failure[0] == "cwd"
        assert not (tmp_path / "made").exists()
        monkeypatch.setattr(enter, "_make_inside", os.makedirs)
        assert box.with_running(work).failure is not None
        assert (tmp_path / "made").exists()
    finally:
        os.close(leak)


def test_a_working_directory_of_the_image_is_looked_up_inside(
    box: Box, tmp_path: Path, monkeypatch: Weaken
) -> None:
    """WORKDIR: the container's first process, whose parent has descriptors of the host's."""
    (tmp_path / "secret").write_text("of the host's\n")
    leak = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for path in (f"/proc/self/fd/{leak}", f"/proc/1/fd/{leak}", f"/tmp/../proc/self/fd/{leak}"):
            failure = box.run("cat", "secret", cwd=path).failure
            assert failure is not None
            assert failure[0] in ("MakeDirectory", "cwd"), failure
        monkeypatch.setattr(enter, "_check_cwd_inside", lambda: None)
        made = box.planned("cat", "secret", cwd=f"/proc/self/fd/{leak}")
        kept = tuple(s for s in made.setup if type(s).__name__ != "MakeDirectory")
        monkeypatch.setattr(box, "planned", lambda *_, **__: replace(made, setup=kept))
        assert box.run("cat").output == "of the host's\n"
    finally:
        os.close(leak)


# ── passwd and group ─────────────────────────────────────────────────────────────────────────


def _huge(path: Path) -> None:
    with open(path, "wb") as stream:
        stream.truncate(1 << 40)


def _numbers_without_end(path: Path) -> None:
    path.write_text(f"user:x:{'9' * 5000}:{'9' * 5000}::/:/bin/sh\n")


HOSTILE: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "directory": Path.mkdir,
    "endless device": lambda path: os.mknod(path, stat.S_IFCHR | 0o644, os.makedev(1, 5)),
    "terminal": lambda path: os.mknod(path, stat.S_IFCHR | 0o644, os.makedev(5, 0)),
    "own image": lambda path: path.symlink_to("/proc/self/exe"),
    "other root": lambda path: path.symlink_to("/proc/1/root/etc/passwd"),
    "loop": lambda path: path.symlink_to("passwd"),
    "huge": _huge,
    "no text": lambda path: path.write_bytes(bytes(range(256)) * 100),
    "numbers without end": _numbers_without_end,
    "minus one": lambda path: path.write_text("user:x:4294967295:0::/:/bin/sh\n"),
    "negative": lambda path: path.write_text("user:x:-1:0::/:/bin/sh\n"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_passwd_names_nobody_and_holds_nobody_up(box: Box, kind: str) -> None:
    passwd = box.rootfs / "etc/passwd"
    passwd.unlink()
    HOSTILE[kind](passwd)
    began = time.monotonic()
    failure = box.run("true", user=SOMEBODY).failure
    assert failure is not None
    assert failure[0] == "user"
    assert "no matching entries in passwd file" in failure[2] or "in range" in failure[2]
    assert time.monotonic() - began < 10
    if kind in ("fifo", "directory", "own image"):
        assert (
            box.run("echo", "there").output == "there\n"
        )  # who is not looked up needs no database


def test_passwd_is_not_read_from_the_host(box: Box, tmp_path: Path, monkeypatch: Weaken) -> None:
    """A link to a descriptor of the shim's leads to a file of the host's."""
    (tmp_path / "passwd").write_text("user:x:4242:4242::/:/bin/sh\n")
    leak = os.open(tmp_path / "passwd", os.O_RDONLY)
    (box.rootfs / "etc/passwd").unlink()
    (box.rootfs / "etc/passwd").symlink_to(f"/proc/self/fd/{leak}")
    try:
        assert box.run("id", "-u", user=SOMEBODY).failure is not None
        monkeypatch.setattr(
            enter, "read_database", lambda _, path: Path("/", path).read_text("utf-8")
        )
        assert box.run("id", "-u", user=SOMEBODY).output == "4242\n"
    finally:
        os.close(leak)


def test_a_command_that_is_no_file_holds_nobody_up(box: Box) -> None:
    """Looking into a FIFO before executing it would wait for somebody to write."""
    os.mkfifo(box.rootfs / "bin/fifo", 0o755)
    (box.rootfs / "bin/fifo").chmod(0o755)
    failure = box.run("/bin/fifo").failure
    assert failure == ("command", 13, 'exec: "/bin/fifo": permission denied', 126)
    assert box.run("fifo").failure is not None


# ── becoming somebody else ───────────────────────────────────────────────────────────────────

_SHOW_EUID = {
    "x86_64": "b86b0000000f0589c7b8e70000000f05",  # geteuid, exit_group
    "aarch64": "e81580d2010000d4c80b80d2010000d4",
}


def test_set_uid_programs_are_without_effect(box: Box) -> None:
    """no_new_privileges; without it the same program runs as root."""
    code = _SHOW_EUID.get(platform.machine())
    if code is None:
        pytest.skip("no program for this machine")
    program = box.rootfs / "bin/who"
    program.write_bytes(static_executable(platform.machine(), bytes.fromhex(code)))
    program.chmod(0o4755)
    assert box.run("/bin/who", user=SOMEBODY, no_new_privileges=True).status == 1000 & 0xFF
    assert box.run("/bin/who", user=SOMEBODY).status == 0


def test_root_of_a_user_namespace_is_nobody_outside(box: Box, tmp_path: Path) -> None:
    """What root inside may not do to the host's files, a root without the namespace may."""
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "secret").write_text("of the host's\n")
    (shared / "secret").chmod(0o600)
    box.add_mount("/shared", "bind", str(shared), ("bind",))
    script = "cat /shared/secret; mknod /tmp/mem c 1 1; echo x > /shared/new"
    assert "of the host's" in box.run("sh", "-c", script).output
    (shared / "new").unlink()
    (box.place / "upper/tmp/mem").unlink()
    box.rootfs.chmod(0o755)
    for parent in (*tmp_path.parents, tmp_path):
        with contextlib.suppress(PermissionError):
            parent.chmod(parent.stat().st_mode | 0o011)
    maps = (IdMapping(0, 100000, 65536),)
    box.change_linux(
        namespaces=(*box.spec.linux.namespaces, Namespace("user")),
        uid_mappings=maps,
        gid_mappings=maps,
    )
    result = box.run("sh", "-c", script)
    assert result.failure is None, result.failure
    assert result.output == ""
    assert result.errors.count("ermission denied") + result.errors.count("not permitted") == 3


def test_the_bounding_set_holds_for_set_uid_root(box: Box) -> None:
    """A set-uid program of root's gets what the bounding set has, and no more."""

    def gained(bounding: tuple[str, ...]) -> int:
        sets = Capabilities(bounding, bounding, (), bounding, ())
        shown = box.run("cat", "/proc/self/status", user=SOMEBODY, capabilities=sets).output
        line = next(line for line in shown.splitlines() if line.startswith("CapBnd"))
        return int(line.split()[1], 16)

    admin = 1 << 21
    assert gained(CAPABILITIES) & admin == 0
    assert gained((*CAPABILITIES, "CAP_SYS_ADMIN")) & admin


def test_a_number_that_another_process_has_by_now_is_not_entered(
    tmp_path: Path, monkeypatch: Weaken
) -> None:
    """The container ended after it was looked at, and its pid was given to a process of the host's.

    Whose namespaces an exec would enter then are the host's, as root.
    """
    host = subprocess.Popen(["sleep", "1000"])
    try:
        started = store.start_time_of(host.pid)
        plan, cgroup = ProcessPlan(("true",), (), "/"), CgroupPlan()
        record = store.Record("1.2.0", "c", host.pid, started - 1, "", "", "", "", plan, cgroup, {})
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(ConflictError, match="container not running"):
            store.open_init(record)
        assert len(os.listdir("/proc/self/fd")) == before
        monkeypatch.setattr(store, "is_alive", lambda *_: True)
        entered = store.open_init(record)
        assert f"Pid:\t{host.pid}\n" in Path(f"/proc/self/fdinfo/{entered}").read_text()
        os.close(entered)
    finally:
        host.kill()
        host.wait()
