"""A real launcher, real shims and real containers."""

import contextlib
import json
import os
import resource
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from boxship.base.ids import new_id
from boxship.oci.runtime import Namespace
from boxship.runtime import messages as m
from boxship.runtime.control_codec import encode, exit_from_json
from boxship.runtime.defaults import default_spec
from boxship.runtime.host import Host
from boxship.runtime.launcher_start import LOG, request_shim, spawn_launcher
from boxship.runtime.plan import plan, plan_process
from support.residue import RUN
from support.waiting import eventually

pytestmark = pytest.mark.privileged

INTERACTIVE = m.Stdio(open_stdin=True, stdin_once=True)
TERMINAL = m.Stdio(tty=True, open_stdin=True)


@dataclass
class Container:
    """One container as the daemon sees it."""

    id: str
    peer: "object"
    directory: Path
    log: Path
    pid: int
    shim: int

    def end(self) -> None:
        """Kill, release, and wait until the shim is gone."""
        with contextlib.suppress(ConnectionError):
            self.peer.request(m.Signal(signal=signal.SIGKILL))
            if self.peer.expect(m.State, m.StateQuery()).exit is None:
                self.peer.event(m.Exited)
            self.peer.request(m.Release())
        self.peer.sock.close()


class Site:
    """A launcher, a root file system, and the containers made there."""

    def __init__(self, base: Path, peer_type: type) -> None:
        self.base = base
        self.root = base / "rootfs"
        for name in ("bin", "proc", "sys", "dev", "etc", "tmp"):
            (self.root / name).mkdir(parents=True)
        subprocess.run(["cp", "/bin/busybox", self.root / "bin"], check=True)
        install = ["chroot", self.root, "/bin/busybox", "--install", "-s", "/bin"]
        subprocess.run(install, check=True)
        self.host = Host.look()
        self.containers: list[Container] = []
        self._peer_type = peer_type
        self.launcher, self.socket = spawn_launcher(str(base))

    def shim(self):
        ours, theirs = socket.socketpair()
        with theirs:
            request_shim(self.socket, theirs)
        return self._peer_type(ours)

    def request(self, *args: str, stdio=None, host_pids=False, **fields) -> m.Start:
        container_id = new_id()
        stdio = stdio or m.Stdio()
        spec = default_spec(args, terminal=stdio.tty, root=str(self.root))
        # Directly below the hierarchies' roots, so that no parent directory stays behind.
        spec = replace(spec, linux=replace(spec.linux, cgroups_path=f"/{RUN}{container_id}"))
        if host_pids:
            kinds = tuple(n for n in spec.linux.namespaces if n != Namespace("pid"))
            spec = replace(spec, linux=replace(spec.linux, namespaces=kinds))
        log = fields.pop("log", m.LogConfig(path=str(self.base / f"{container_id}-json.log")))
        return m.Start(
            container_id=container_id,
            directory=str(self.base / "c" / container_id),
            plan=plan(spec, container_id, self.host).to_plain(),
            stdio=stdio,
            log=log,
            **fields,
        )

    def run(self, *args: str, socks=(), **fields) -> Container:
        request = self.request(*args, **fields)
        peer = self.shim()
        started = peer.expect(m.Started, request, *socks)
        shim = int(Path(request.directory, "shim.pid").read_text().split()[0])
        made = Container(
            request.container_id,
            peer,
            Path(request.directory),
            Path(request.log.path),
            started.pid,
            shim,
        )
        self.containers.append(made)
        return made

    def exec_plan(self, *args: str, terminal: bool = False) -> m.Json:
        process = default_spec(args, terminal=terminal).process
        return plan_process(process, self.host, None, "x").to_plain()

    def close(self) -> None:
        for container in self.containers:
            container.end()
        self.socket.close()
        os.waitpid(self.launcher, 0)
        for container in self.containers:
            eventually(lambda c=container: has_ended(c.shim), "the shim's end")


def has_ended(pid: int) -> bool:
    """Tell whether a process is gone, or only waits for the host's init to reap it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture
def site(tmp_path: Path, peer_type: type) -> Iterator[Site]:
    made = Site(tmp_path, peer_type)
    yield made
    made.close()
    assert (tmp_path / LOG).read_text() == ""
    for hierarchy in Path("/sys/fs/cgroup").iterdir():
        for container in made.containers:
            assert not (hierarchy / f"{RUN}{container.id}").exists()


def texts(log: Path) -> list[str]:
    return [json.loads(line)["log"] for line in log.read_text().splitlines()]


# ── launcher ─────────────────────────────────────────────────────────────────────────────────


def test_the_launcher_survives_bad_messages_and_leaves_with_its_daemon(site: Site):
    a, b = socket.socketpair()
    site.socket.send(b"\xff\xfe")
    socket.send_fds(site.socket, [b"{}"], [a.fileno(), b.fileno()])
    socket.send_fds(site.socket, [b'{"op": "shim"}'], [a.fileno(), b.fileno()])
    container = site.run("sleep", "1000")
    assert len(os.listdir(f"/proc/{site.launcher}/fd")) == 5  # 0, 1, 2, the socket, its name
    site.socket.close()
    os.waitpid(site.launcher, 0)
    assert container.peer.expect(m.State, m.StateQuery()).status == "running"
    site.launcher, site.socket = spawn_launcher(str(site.base))
    a.close()
    b.close()


def test_the_interpreter_cannot_be_overwritten_and_no_descriptor_leaks(site: Site):
    with open(os.devnull) as stray:
        os.set_inheritable(stray.fileno(), True)
        script = "ls -l /proc/self/fd; cat /proc/self/status"
        container = site.run("sh", "-c", f"{script}; sleep 1000")
        eventually(lambda: any("Seccomp" in text for text in texts(container.log)), "output")
    exe = f"/proc/{container.shim}/exe"
    assert os.statvfs(exe).f_flag & os.ST_RDONLY
    with pytest.raises(OSError, match="Read-only file system"):
        os.chmod(exe, os.stat(exe).st_mode & 0o7777)
    lines = texts(container.log)
    assert 3 <= sum(" -> " in line for line in lines) <= 4  # 0, 1, 2 and what ls has open
    assert "SigIgn:\t0000000000000000\n" in lines
    assert "SigBlk:\t0000000000000000\n" in lines


def test_shims_have_their_name_and_a_session_of_their_own(site: Site):
    container = site.run("sleep", "1000")
    assert Path(f"/proc/{container.shim}/comm").read_text() == "boxship-shim\n"
    assert Path(f"/proc/{site.launcher}/comm").read_text() == "boxship-launche\n"
    assert os.getsid(container.shim) == container.shim
    status = Path(f"/proc/{container.pid}/status").read_text()
    assert f"PPid:\t{container.shim}\n" in status


# ── containers ───────────────────────────────────────────────────────────────────────────────


def test_run_to_the_end(site: Site):
    container = site.run("sh", "-c", "echo $$ $(hostname); exit 42")
    exited = container.peer.event(m.Exited).exit
    assert exited.exit_code == 42
    assert texts(container.log) == ["1 boxship\n"]
    assert exit_from_json((container.directory / "exit.json").read_bytes()) == exited
    container.peer.expect(m.Released, m.Release())
    assert not container.directory.exists()


@pytest.mark.parametrize(("command", "code"), [("/no/such", 127), ("/etc", 126)])
def test_a_command_that_cannot_be_executed(site: Site, command: str, code: int):
    request = site.request(command)
    peer = site.shim()
    failed = peer.expect(m.Failed, request)
    assert failed.exit_code == code
    assert peer.ended()
    peer.sock.close()
    assert not Path(request.directory).exists()


def test_steps_are_timed(site: Site):
    peer = site.shim()
    started = peer.expect(m.Started, site.request("true"))
    peer.event(m.Exited)
    peer.expect(m.Released, m.Release())
    peer.sock.close()
    assert {"fork", "PivotRoot", "exec"} <= {timing.step for timing in started.timings}
    assert all(timing.started <= timing.ended for timing in started.timings)


def test_attach_with_input_and_half_close(site: Site, connection):
    client, watcher = connection(), connection("tcp")
    container = site.run(
        "sort",
        stdio=INTERACTIVE,
        attachments=(m.Attachment(stdin=True), m.Attachment()),
        socks=(client.server, watcher.server),
    )
    client.client.sendall(b"b\na\n")
    client.half_close()
    assert client.read_all() == watcher.read_all() == b"a\nb\n"
    assert container.peer.event(m.Exited).exit.exit_code == 0


def test_a_terminal_resized_left_and_attached_again(site: Site, connection):
    client = connection()
    spec = m.Attachment(stdin=True, detach_keys=b"\x10\x11")
    container = site.run("sh", stdio=TERMINAL, attachments=(spec,), socks=(client.server,))
    container.peer.expect(m.Done, m.Resize(height=30, width=99))
    client.client.sendall(b"stty size; tty; echo d'one'\n")
    shown = client.read_until(b"done\r\n")
    assert b"30 99\r\n" in shown
    assert b"/dev/pts/0\r\n" in shown or b"/dev/console\r\n" in shown
    client.client.sendall(b"\x10\x11")
    client.read_all()
    assert container.peer.event(m.Detached).keys
    again = connection()
    container.peer.expect(m.Attached, m.Attach(attachment=spec), again.server)
    again.client.sendall(b"exit 5\n")
    again.read_all()
    assert container.peer.event(m.Exited).exit.exit_code == 5


def test_exec(site: Site, connection):
    container = site.run("sleep", "1000")
    client = connection()
    exec_ = m.Exec(
        exec_id="e1",
        plan=site.exec_plan("sh", "-c", "hostname; cat; exit 6"),
        stdio=INTERACTIVE,
        attachments=(m.Attachment(stdin=True),),
    )
    started = container.peer.expect(m.Started, exec_, client.server)
    cgroup = Path(f"/proc/{started.pid}/cgroup").read_text()
    assert container.id in cgroup
    client.client.sendall(b"typed")
    client.half_close()
    assert client.read_all() == b"boxship\ntyped"
    assert container.peer.event(m.ExecExited).exit_code == 6


def test_a_container_has_the_daemon_s_limit_of_open_files_and_its_shim_the_highest(site: Site):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    container = site.run("sh", "-c", "ulimit -Sn; ulimit -Hn; sleep 1000")
    assert resource.prlimit(container.shim, resource.RLIMIT_NOFILE) == (hard, hard)
    eventually(lambda: len(texts(container.log)) == 2, "the limits")
    assert texts(container.log) == [f"{soft}\n", f"{hard}\n"]


def test_execs_that_fail_do_not_keep_the_container_from_ending(site: Site):
    container = site.run("sleep", "1000")
    for number in range(10):
        missing = m.Exec(exec_id=f"e{number}", plan=site.exec_plan("/no/such"))
        assert container.peer.expect(m.Failed, missing).exit_code == 127
    container.peer.expect(m.Done, m.Signal(signal=signal.SIGKILL))
    assert container.peer.event(m.Exited).exit.exit_code == 137


def test_exec_with_a_terminal(site: Site, connection):
    container = site.run("sleep", "1000")
    client = connection()
    exec_ = m.Exec(
        exec_id="e1",
        plan=site.exec_plan("sh", terminal=True),
        stdio=TERMINAL,
        attachments=(m.Attachment(stdin=True),),
    )
    container.peer.expect(m.Started, exec_, client.server)
    container.peer.expect(m.Done, m.Resize(process="e1", height=11, width=22))
    client.client.sendall(b"stty size; exit\n")
    assert b"11 22\r\n" in client.read_all()
    assert container.peer.event(m.ExecExited).exit_code == 0


def test_execs_end_with_the_container(site: Site):
    container = site.run("sleep", "1000")
    plan_ = site.exec_plan("sleep", "1000")
    container.peer.expect(m.Started, m.Exec(exec_id="e", plan=plan_))
    container.peer.expect(m.Done, m.Signal(signal=signal.SIGKILL))
    container.peer.event(m.Exited)
    assert container.peer.event(m.ExecExited).exit_code == 137


def test_execs_that_the_container_stops_keep_nobody_from_ending_it(site: Site):
    container = site.run("sh", "-c", "echo ready; while :; do kill -STOP -1; done")
    eventually(lambda: texts(container.log), "its first line")
    for number in range(5):
        exec_ = m.Exec(exec_id=f"e{number}", plan=site.exec_plan("sleep", "1000"))
        container.peer.sock.sendall(encode(exec_, seq=100 + number))
    begin = time.monotonic()
    container.peer.sock.sendall(encode(m.Signal(signal=signal.SIGKILL), seq=200))
    replies = {seq: container.peer.reply(seq) for seq in (200, *range(100, 105))}
    assert isinstance(replies[200], m.Done)
    assert container.peer.event(m.Exited).exit.exit_code == 137
    assert time.monotonic() - begin < 5


def test_a_container_among_the_host_s_processes_leaves_none(site: Site):
    container = site.run("sh", "-c", "sleep 1000 & echo $!; sleep 0.2", host_pids=True)
    child = int(eventually(lambda: texts(container.log), "output")[0])
    assert container.peer.event(m.Exited).exit.exit_code == 0
    assert not Path(f"/proc/{child}").exists()


# ── faults ───────────────────────────────────────────────────────────────────────────────────


def test_a_killed_shim_takes_its_container_along(site: Site):
    container = site.run("sleep", "1000")
    pidfd = os.pidfd_open(container.pid)
    exec_ = m.Exec(exec_id="e", plan=site.exec_plan("sleep", "1000"))
    exec_pidfd = os.pidfd_open(container.peer.expect(m.Started, exec_).pid)
    os.kill(container.shim, signal.SIGKILL)
    for fd in (pidfd, exec_pidfd):
        assert select.select([fd], [], [], 10)[0]
        os.close(fd)
    assert container.peer.ended()
    # What the daemon does then.
    for path in Path("/sys/fs/cgroup").glob(f"*/{RUN}{container.id}"):
        eventually(lambda p=path: not (p / "cgroup.procs").read_text(), "the cgroup's emptiness")
        path.rmdir()


def test_daemon_lost_and_regained(site: Site, connection, peer_type):
    client = connection()
    script = "i=0; while read x; do i=$((i+1)); echo $i; done; exit $i"
    container = site.run(
        "sh", "-c", script, stdio=INTERACTIVE,
        attachments=(m.Attachment(stdin=True),), socks=(client.server,),
    )  # fmt: skip
    container.peer.sock.close()
    client.client.sendall(b"\n")
    assert client.read_until(b"\n") == b"1\n"
    container.peer = peer_type(socket.socket(socket.AF_UNIX))
    # The directory's path may be longer than a socket's name.
    directory = os.open(container.directory, os.O_PATH)
    container.peer.sock.connect(f"/proc/self/fd/{directory}/shim.sock")
    os.close(directory)
    state = container.peer.expect(m.State, m.StateQuery())
    assert (state.pid, state.attachments, state.container_id) == (container.pid, 1, container.id)
    client.client.sendall(b"\n")
    client.half_close()
    assert client.read_all() == b"2\n"
    assert container.peer.event(m.Exited).exit.exit_code == 2


def test_a_million_lines_are_all_there_in_order(site: Site, connection):
    count = 1_000_000
    client = connection()
    log = m.LogConfig(path=str(site.base / "million.log"), max_size=-1)
    script = f"read x; yes {'y' * 79} | head -n {count} | cat -n"
    container = site.run(
        "sh", "-c", script, log=log, stdio=INTERACTIVE,
        attachments=(m.Attachment(stdin=True, stdout=False),), socks=(client.server,),
    )  # fmt: skip
    begin = time.monotonic()
    client.client.sendall(b"\n")
    container.peer.event(m.Exited)
    seconds = time.monotonic() - begin
    with container.log.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            assert line.startswith(b'{"log":"%6d\\t' % number) or b"\\u0009" in line[:24]
            assert int(line[8:20].split(b"\\")[0]) == number
    assert number == count
    print(f"\n{count} lines in {seconds:.2f} s")
    assert container.peer.expect(m.State, m.StateQuery()).lost_log_lines == 0


def test_a_full_disk_costs_log_lines_and_nothing_else(site: Site, connection):
    disk = site.base / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], check=True)
    try:
        client = connection()
        log = m.LogConfig(path=str(disk / "x.log"), max_size=-1)
        container = site.run(
            "sh", "-c", "seq 100000; read x; echo late", stdio=INTERACTIVE, log=log,
            attachments=(m.Attachment(stdin=True),), socks=(client.server,),
        )  # fmt: skip
        shown = client.read_until(b"\n100000\n")
        assert shown.count(b"\n") == 100_000

        def logged() -> list[str]:
            entries = texts(container.log)
            lost = container.peer.expect(m.State, m.StateQuery()).lost_log_lines
            return entries if lost and len(entries) + lost == 100_000 else []

        entries = eventually(logged, "each line to be in the log or counted as lost")
        assert entries == [f"{number}\n" for number in range(1, len(entries) + 1)]
        os.truncate(container.log, 0)
        client.client.sendall(b"\n")
        client.half_close()
        container.peer.event(m.Exited)
        assert texts(container.log) == ["late\n"]
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_memory_of_an_idle_shim(site: Site):
    shims = [site.run("sleep", "1000").shim for _ in range(10)]
    private = [private_kilobytes(shim) for shim in shims]
    print(f"\nprivate memory of idle shims, kB: {private}")
    assert max(private) < 1200


def private_kilobytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
