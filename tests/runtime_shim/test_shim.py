"""What a shim does with processes, clients and daemons; the processes are plain ones."""

import errno
import json
import os
import resource
import select
import signal
import socket
import struct
import time
from pathlib import Path

import pytest

from boxship.runtime import messages as m
from boxship.runtime.control_codec import encode, exit_from_json
from boxship.runtime.shim import process
from support.waiting import eventually

INTERACTIVE = m.Stdio(open_stdin=True, stdin_once=True)
TERMINAL = m.Stdio(tty=True, open_stdin=True)
ALL = m.Attachment(stdin=True)


def logged(path: Path) -> list[tuple[str, str]]:
    entries = map(json.loads, path.read_text().splitlines())
    return [(entry["stream"], entry["log"]) for entry in entries]


def frames(data: bytes) -> list[tuple[int, bytes]]:
    out = []
    while data:
        stream, length = struct.unpack(">BxxxI", data[:8])
        out.append((stream, data[8 : 8 + length]))
        data = data[8 + length :]
    return out


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def processor_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def asleep(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


@pytest.fixture
def patience_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shims forked from now on wait longer for output than any test does."""
    monkeypatch.setattr(process, "_DRAIN_SECONDS", 1000.0)


# ── start and end ────────────────────────────────────────────────────────────────────────────


def test_a_container_s_whole_life(shim):
    started = shim.start("sh", "-c", "echo out; echo err >&2; printf tail; exit 3")
    assert started.pid > 0
    exited = shim.peer.event(m.Exited).exit
    assert (exited.exit_code, exited.oom_killed, exited.error) == (3, False, "")
    assert started.started_ns - 10**9 < exited.finished_ns < time.time_ns()
    assert exit_from_json((shim.directory / "exit.json").read_bytes()) == exited
    entries = logged(shim.log)
    assert [text for stream, text in entries if stream == "stdout"] == ["out\n", "tail"]
    assert [text for stream, text in entries if stream == "stderr"] == ["err\n"]
    assert shim.peer.expect(m.State, m.StateQuery()).exit == exited
    shim.peer.expect(m.Released, m.Release())
    assert not shim.directory.exists()
    assert shim.peer.ended()
    assert shim.wait() == 0


def test_a_signal_is_128_plus_its_number(shim):
    shim.start("sh", "-c", "kill -TERM $$; sleep 60")
    assert shim.peer.event(m.Exited).exit.exit_code == 128 + signal.SIGTERM


def test_a_command_that_cannot_be_executed_leaves_nothing(shim, connection):
    client = connection()
    reply = shim.peer.request(
        m.Start(
            container_id="c1",
            directory=str(shim.directory),
            plan={"container_id": "c1", "process": {"args": ["/no/such"]}, "setup": [],
                  "cgroup": {}, "new_pid_namespace": True, "join_pid_namespace": ""},
            attachments=(m.Attachment(),),
        ),
        client.server,
    )  # fmt: skip
    assert isinstance(reply, m.Failed)
    assert (reply.step, reply.errno, reply.exit_code) == ("exec", 2, 127)
    assert client.read_all() == b""
    assert shim.peer.ended()
    assert shim.wait() == 0
    assert not shim.directory.exists()


def test_a_plan_that_is_none_names_the_field(shim):
    reply = shim.peer.request(
        m.Start(container_id="c1", directory=str(shim.directory), plan={"container_id": "c"})
    )
    assert isinstance(reply, m.Failed)
    assert "process" in reply.message
    assert shim.wait() == 0


def test_without_a_request_the_shim_leaves_with_the_daemon(shim):
    shim.peer.sock.close()
    assert shim.wait() == 0


def test_a_start_that_comes_from_the_grave_is_none(shim):
    """The next daemon has found nothing of it, and may start the same container."""
    starter = eventually(lambda: children(shim.pid), "its starter")[0]
    os.kill(starter, signal.SIGSTOP)
    start = m.Start(container_id="c1", directory=str(shim.directory), plan=shim.plan("sleep", "60"))
    shim.peer.sock.sendall(encode(start, seq=1))
    shim.peer.sock.close()
    os.kill(starter, signal.SIGCONT)
    assert shim.wait() == 0
    assert not shim.directory.exists()


def test_garbage_on_the_first_connection_ends_an_idle_shim(shim):
    shim.peer.sock.sendall(b"\xff" * 100)
    assert shim.wait() == 0


def test_release_of_a_running_container_is_refused(shim):
    shim.start("sleep", "60")
    assert isinstance(shim.peer.request(m.Release()), m.Failed)
    shim.peer.expect(m.Done, m.Signal(signal=signal.SIGKILL))
    assert shim.peer.event(m.Exited).exit.exit_code == 137


def test_a_second_start_costs_the_connection_and_nothing_else(shim):
    shim.start("sleep", "60")
    second = shim.connect()
    request = m.Start(container_id="c2", directory="/nowhere", plan={})
    second.sock.sendall(encode(request, seq=1))
    assert second.ended()
    assert shim.peer.expect(m.State, m.StateQuery()).container_id == "c1"


def test_the_first_request_must_be_start(shim):
    shim.peer.sock.sendall(encode(m.StateQuery(), seq=1))
    assert shim.peer.ended()
    assert shim.wait() == 0


def test_requests_may_follow_at_once(shim):
    start = m.Start(container_id="c1", directory=str(shim.directory), plan=shim.plan("sleep", "60"))
    shim.peer.sock.sendall(encode(start, seq=1) + encode(m.StateQuery(), seq=2))
    assert isinstance(shim.peer.reply(1), m.Started)
    assert isinstance(shim.peer.reply(2), m.State)


def test_signals_that_ask_to_end_do_not_end_the_shim(shim):
    shim.start("sleep", "60")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(shim.pid, number)
    assert shim.peer.expect(m.State, m.StateQuery()).status == "running"


def test_shim_pid_names_the_process(shim):
    shim.start("sleep", "60")
    pid, ticks = (shim.directory / "shim.pid").read_text().split()
    assert int(pid) == shim.pid
    assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19] == ticks
    assert shim.directory.stat().st_mode & 0o777 == 0o700


def test_a_very_long_directory_is_no_trouble(shim, tmp_path):
    shim.directory = tmp_path / ("d" * 120) / ("e" * 120)
    shim.start("true")
    assert shim.peer.event(m.Exited).exit.exit_code == 0


def test_an_exit_waits_for_output_that_somebody_else_still_holds_but_not_long(shim):
    shim.start("sh", "-c", "sleep 30 & echo $!; sleep 0.05")
    begin = time.monotonic()
    shim.peer.event(m.Exited)
    assert 1 < time.monotonic() - begin < 20
    os.kill(int(logged(shim.log)[0][1]), signal.SIGKILL)


def test_orphans_are_reaped(shim):
    shim.start("sh", "-c", "sleep 0.1; (sleep 0.01 & echo $!) ; sleep 60", own_pids=False)
    eventually(lambda: logged(shim.log), "the orphan's pid")
    pid = int(logged(shim.log)[0][1])
    eventually(lambda: gone(pid), "the orphan's end")


def test_stdin_is_empty_unless_it_was_opened(shim):
    shim.start("sh", "-c", "cat; readlink /proc/self/fd/0")
    assert shim.peer.event(m.Exited).exit.exit_code == 0
    assert logged(shim.log) == [("stdout", "/dev/null\n")]


# ── the daemon goes and comes ────────────────────────────────────────────────────────────────


def test_a_container_does_not_notice_that_the_daemon_is_gone(shim, connection, tmp_path):
    client = connection()
    os.mkfifo(tmp_path / "fifo")
    script = f"read x < {tmp_path}/fifo; echo alive"
    shim.start("sh", "-c", script, attachments=(m.Attachment(),), socks=(client.server,))
    shim.peer.sock.close()
    (tmp_path / "fifo").write_text("\n")
    assert client.read_all() == b"alive\n"
    client.client.close()
    assert shim.wait() == 0
    assert logged(shim.log) == [("stdout", "alive\n")]


def test_a_new_daemon_finds_everything(shim, process_plan):
    started = shim.start("sh", "-c", "read line; echo got $line; exit 7", stdio=INTERACTIVE)
    exec_ = shim.peer.expect(m.Started, m.Exec(exec_id="e1", plan=process_plan("sleep", "60")))
    quick = m.Exec(exec_id="e2", plan=process_plan("sh", "-c", "read x; exit 9"), stdio=INTERACTIVE)
    shim.peer.expect(m.Started, quick)
    shim.peer.sock.close()
    daemon = shim.connect()
    state = daemon.expect(m.State, m.StateQuery())
    assert (state.container_id, state.status) == ("c1", "running")
    assert (state.pid, state.started_ns) == (started.pid, started.started_ns)
    assert {(e.exec_id, e.running) for e in state.execs} == {("e1", True), ("e2", True)}
    daemon.expect(m.Done, m.Signal(signal=9, process="e1"))
    assert daemon.event(m.ExecExited) == m.ExecExited(exec_id="e1", exit_code=137)
    assert exec_.pid > 0


def test_what_ended_while_nobody_listened_is_told_once(shim, process_plan, tmp_path):
    shim.start("sleep", "60")
    os.mkfifo(tmp_path / "fifo")
    plan = process_plan("sh", "-c", f"read x < {tmp_path}/fifo; exit 9")
    started = shim.peer.expect(m.Started, m.Exec(exec_id="e1", plan=plan))
    shim.peer.sock.close()
    (tmp_path / "fifo").write_text("\n")
    eventually(lambda: gone(started.pid), "the exec's end")
    daemon = shim.connect()
    state = daemon.expect(m.State, m.StateQuery())
    assert [(e.exec_id, e.running, e.exit_code) for e in state.execs] == [("e1", False, 9)]
    assert daemon.expect(m.State, m.StateQuery()).execs == ()


def test_without_a_daemon_the_shim_leaves_the_exit_record_and_goes(shim):
    shim.start("sh", "-c", "sleep 0.1; exit 5")
    shim.peer.sock.close()
    assert shim.wait() == 0
    assert exit_from_json((shim.directory / "exit.json").read_bytes()).exit_code == 5
    assert [path.name for path in shim.directory.iterdir()] == ["exit.json"]


def test_every_connection_gets_the_events_and_its_own_replies(shim):
    shim.start("sleep", "60")
    second = shim.connect()
    second.expect(m.Done, m.Signal(signal=signal.SIGKILL))
    assert shim.peer.event(m.Exited) == second.event(m.Exited)
    # The last of them to leave takes the shim along.
    second.sock.close()
    assert shim.peer.expect(m.State, m.StateQuery()).status == "exited"
    shim.peer.expect(m.Released, m.Release())
    assert shim.wait() == 0


def test_garbage_costs_only_its_own_connection(shim):
    shim.start("sleep", "60")
    bad = shim.connect()
    bad.sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert bad.ended()
    assert shim.peer.expect(m.State, m.StateQuery()).status == "running"


def test_unasked_descriptors_are_closed(shim):
    shim.start("sleep", "60")
    shim.peer.expect(m.State, m.StateQuery())
    before = len(os.listdir(f"/proc/{shim.pid}/fd"))
    for _ in range(3):
        bad = shim.connect()
        socket.send_fds(bad.sock, [b"\0\0\0\1"], [0, 1, 2])
        bad.sock.shutdown(socket.SHUT_WR)
        assert bad.ended()
    a, b = socket.socketpair()
    shim.peer.expect(m.State, m.StateQuery(), a)
    reply = shim.peer.request(m.Attach(attachment=ALL, process="nothing"), b)
    assert isinstance(reply, m.Failed)
    assert len(os.listdir(f"/proc/{shim.pid}/fd")) == before


# ── clients ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_input_goes_in_and_output_comes_out_to_the_end(shim, connection, kind):
    client = connection(kind)
    shim.start("cat", stdio=INTERACTIVE, attachments=(ALL,), socks=(client.server,))
    payload = os.urandom(300_000)
    client.client.settimeout(None)
    pid = os.fork()
    if pid == 0:
        client.client.sendall(payload)
        client.client.shutdown(socket.SHUT_WR)
        os._exit(0)
    assert client.read_all() == payload
    os.waitpid(pid, 0)
    assert shim.peer.event(m.Exited).exit.exit_code == 0


def test_frames_name_the_stream_and_choices_are_respected(shim, connection):
    both, errors = connection(), connection()
    shim.start(
        "sh", "-c", "echo out; echo err >&2",
        attachments=(m.Attachment(framed=True), m.Attachment(framed=True, stdout=False)),
        socks=(both.server, errors.server),
    )  # fmt: skip
    assert sorted(frames(both.read_all())) == [(1, b"out\n"), (2, b"err\n")]
    assert frames(errors.read_all()) == [(2, b"err\n")]


def test_bytes_read_along_with_the_request_come_first(shim, connection):
    client = connection()
    spec = m.Attachment(stdin=True, prefix=b"first ")
    shim.start("cat", stdio=INTERACTIVE, attachments=(spec,), socks=(client.server,))
    client.client.sendall(b"second")
    client.half_close()
    assert client.read_all() == b"first second"


@pytest.mark.parametrize("kind", [m.Start, m.Exec])
def test_much_input_that_came_before_the_start_is_no_trouble(shim, connection, process_plan, kind):
    typed = os.urandom(2_000_000)
    spec = m.Attachment(stdin=True, prefix=typed)
    client = connection()
    if kind is m.Start:
        shim.start("cat", stdio=INTERACTIVE, attachments=(spec,), socks=(client.server,))
    else:
        shim.start("sleep", "60")
        exec_ = m.Exec(
            exec_id="e", plan=process_plan("cat"), stdio=INTERACTIVE, attachments=(spec,)
        )
        shim.peer.expect(m.Started, exec_, client.server)
    client.half_close()
    assert client.read_all() == typed
    before = os.listdir(f"/proc/{shim.pid}/fd")
    assert "boxship-birth" not in "".join(os.readlink(f"/proc/{shim.pid}/fd/{fd}") for fd in before)


def test_input_open_for_more_than_one_client(shim, connection):
    shim.start("cat", stdio=m.Stdio(open_stdin=True))
    watcher = connection()
    shim.peer.expect(m.Attached, m.Attach(attachment=m.Attachment()), watcher.server)
    for text in (b"one\n", b"two\n"):
        client = connection()
        shim.peer.expect(m.Attached, m.Attach(attachment=ALL), client.server)
        client.client.sendall(text)
        assert watcher.read_until(b"\n") == text
        client.half_close()
        client.read_all()
        assert not shim.peer.event(m.Detached).keys
    assert shim.peer.expect(m.State, m.StateQuery()).attachments == 1


def test_input_that_goes_nowhere_may_end_without_ending_output(shim, connection, tmp_path):
    client = connection()
    os.mkfifo(tmp_path / "fifo")
    script = f"read x < {tmp_path}/fifo; echo alive"
    shim.start("sh", "-c", script, attachments=(ALL,), socks=(client.server,))
    client.half_close()
    shim.peer.expect(m.State, m.StateQuery())
    (tmp_path / "fifo").write_text("\n")
    assert client.read_all() == b"alive\n"


def test_a_client_that_vanishes_ends_the_input_that_was_for_it_alone(shim, connection):
    client = connection()
    shim.start("cat", stdio=INTERACTIVE, attachments=(ALL,), socks=(client.server,))
    client.client.sendall(b"last words\n")
    client.client.close()
    assert shim.peer.event(m.Exited).exit.exit_code == 0
    assert logged(shim.log) == [("stdout", "last words\n")]


def test_a_process_that_does_not_read_makes_its_client_wait(shim, connection):
    client = connection()
    # Not a byte is read before the marker arrives from a second client's signal.
    script = "trap 'exec wc -c' USR1; echo ready; while :; do sleep 0.02; done"
    shim.start("sh", "-c", script, stdio=INTERACTIVE, attachments=(ALL,), socks=(client.server,))
    assert client.read_until(b"\n") == b"ready\n"
    client.client.setblocking(False)
    sent = 0
    quiet = time.monotonic() + 0.5
    while time.monotonic() < quiet:
        try:
            sent += client.client.send(b"x" * 65536)
            quiet = time.monotonic() + 0.5
        except BlockingIOError:
            time.sleep(0.01)
        assert sent < 4 << 20, "the shim takes all there is"
    client.half_close()
    client.client.settimeout(20)
    shim.peer.expect(m.Done, m.Signal(signal=signal.SIGUSR1))
    assert client.read_all().strip() == str(sent).encode()


def test_a_client_that_does_not_read_makes_the_process_wait_and_loses_nothing(shim, connection):
    slow, quick = connection(), connection()
    total = 6 << 20
    shim.start(
        "sh", "-c", f"head -c {total} /dev/zero; echo end >&2",
        attachments=(m.Attachment(), m.Attachment(stderr=False)),
        socks=(slow.server, quick.server),
    )  # fmt: skip
    got = 0
    quick.client.settimeout(0.5)
    with pytest.raises(TimeoutError):
        while True:
            got += len(quick.client.recv(1 << 16))
    assert 1 << 20 <= got < 3 << 20  # what the slow one's queue and the sockets hold
    received = {slow.client: b"", quick.client: b"\0" * got}
    open_ = set(received)
    while open_:
        for client in select.select(list(open_), [], [], 20)[0]:
            if not (data := client.recv(1 << 16)):
                open_.remove(client)
            received[client] += data
    assert received[slow.client] == b"\0" * total + b"end\n"
    assert received[quick.client] == b"\0" * total


def test_a_slow_client_that_goes_away_sets_the_process_free(shim, connection):
    slow = connection()
    shim.start(
        "sh", "-c", f"head -c {6 << 20} /dev/zero", attachments=(m.Attachment(),),
        socks=(slow.server,),
    )  # fmt: skip
    assert slow.client.recv(1)
    slow.client.close()
    assert shim.peer.event(m.Exited).exit.exit_code == 0


def test_the_end_is_told_though_a_client_does_not_read_and_it_gets_all_later(shim, connection):
    slow = connection()
    size = 900_000
    shim.start(
        "sh", "-c", f"head -c {size} /dev/zero", attachments=(m.Attachment(),),
        socks=(slow.server,),
    )  # fmt: skip
    shim.peer.event(m.Exited)
    shim.peer.expect(m.Released, m.Release())
    assert shim.peer.ended()
    assert len(slow.read_all()) == size
    assert shim.wait() == 0


def resident_kilobytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def test_who_writes_on_after_the_end_of_an_exec_waits_for_its_client_too(
    shim, connection, process_plan
):
    shim.start("sleep", "60")
    slow = connection()
    script = "echo $$ >&2; trap '' PIPE; yes 2>&- & exec 2>&-; exit 7"
    exec_ = m.Exec(
        exec_id="e", plan=process_plan("sh", "-c", script), attachments=(m.Attachment(),)
    )
    shim.peer.expect(m.Started, exec_, slow.server)
    before = resident_kilobytes(shim.pid)
    assert shim.peer.event(m.ExecExited).exit_code == 7
    assert resident_kilobytes(shim.pid) - before < 8 << 10
    assert 1 << 20 < len(slow.read_all()) < 4 << 20


def written(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


@pytest.mark.parametrize("stdio", [m.Stdio(), TERMINAL])
def test_an_end_does_not_wait_for_a_client_that_does_not_read(
    patience_without_end, shim, connection, process_plan, stdio
):
    shim.start("sleep", "60")
    slow = connection()
    exec_ = m.Exec(
        exec_id="e",
        plan=process_plan("cat", "/dev/zero"),
        stdio=stdio,
        attachments=(m.Attachment(),),
    )
    pid = shim.peer.expect(m.Started, exec_, slow.server).pid
    sizes = [0]

    def stands_still() -> bool:
        # Who waits for the processor does not stand still.
        sizes.append(written(pid) if asleep(pid) and asleep(shim.pid) else -1)
        return set(sizes[-10:]) == {sizes[-1]} and sizes[-1] > 1 << 19

    eventually(stands_still, "the client's congestion")
    shim.peer.expect(m.Done, m.Signal(signal=signal.SIGKILL, process="e"))
    assert shim.peer.event(m.ExecExited).exit_code == 137
    got = len(slow.read_all())
    assert sizes[-1] <= got < sizes[-1] + (1 << 18)  # the last write was cut short


def test_replay_and_follow_meet_without_gap_or_duplicate(shim, connection):
    script = "echo one; printf tw; read x; echo o; echo three; read x; echo four"
    shim.start("sh", "-c", script, stdio=m.Stdio(open_stdin=True))
    typist = connection()
    shim.peer.expect(m.Attached, m.Attach(attachment=ALL), typist.server)
    eventually(lambda: logged(shim.log), "the first line")
    time.sleep(0.05)
    client = connection()
    server = client.server.dup()
    attached = shim.peer.expect(
        m.Attached, m.Attach(attachment=m.Attachment(), hold=True), client.server
    )
    assert attached.log.inode == shim.log.stat().st_ino
    typist.client.sendall(b"\n")
    typist.read_until(b"three\n")
    replay = shim.log.read_bytes()[: attached.log.offset]
    for line in replay.splitlines():
        server.sendall(json.loads(line)["log"].encode())
    server.close()
    assert client.read_until(b"one\n") == b"one\n"
    shim.peer.expect(m.Done, m.Resume(attachment=attached.attachment))
    typist.client.sendall(b"\n")
    assert client.read_all() == b"two\nthree\nfour\n"


def test_a_replay_whose_daemon_dies_is_cut_and_does_not_block_the_container(shim, connection):
    shim.start("sh", "-c", f"read x; head -c {5 << 20} /dev/zero", stdio=INTERACTIVE)
    client, typist = connection(), connection()
    shim.peer.expect(m.Attached, m.Attach(attachment=m.Attachment(), hold=True), client.server)
    second = shim.connect()
    second.expect(m.Attached, m.Attach(attachment=ALL), typist.server)
    shim.peer.sock.close()
    assert client.read_all() == b""
    typist.client.sendall(b"\n")
    typist.half_close()
    assert len(typist.read_all()) == 5 << 20
    second.event(m.Exited)


def test_attach_needs_a_socket_and_a_process(shim):
    shim.start("sleep", "60")
    with open(os.devnull) as null:
        data = m.Attach(attachment=ALL)
        reply = shim.peer.request(data, null)  # type: ignore[arg-type]
    assert isinstance(reply, m.Failed)
    shim.peer.expect(m.Done, m.Signal(signal=9))
    shim.peer.event(m.Exited)
    a, b = socket.socketpair()
    assert isinstance(shim.peer.request(m.Attach(attachment=ALL), a), m.Failed)
    b.close()


# ── no room for descriptors ──────────────────────────────────────────────────────────────────


def limit_descriptors(shim, more: int) -> None:
    """Let the shim have ``more`` descriptors than it has."""
    shim.peer.expect(m.State, m.StateQuery())  # it has begun
    used = set(map(int, os.listdir(f"/proc/{shim.pid}/fd")))
    free = [number for number in range(1000) if number not in used]
    _, hard = resource.prlimit(shim.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(shim.pid, resource.RLIMIT_NOFILE, (free[more], hard))


@pytest.mark.parametrize("more", range(0, 12, 2))
def test_without_room_requests_fail_and_nothing_else(shim, connection, process_plan, more):
    shim.start("sleep", "60")
    limit_descriptors(shim, 0)
    reply = shim.peer.expect(m.Failed, m.Attach(attachment=ALL), connection().server)
    assert reply.errno == errno.EMFILE
    limit_descriptors(shim, more)
    spec = m.Attachment(stdin=True, prefix=bytes(100_000))
    exec_ = m.Exec(exec_id="e", plan=process_plan("cat"), stdio=INTERACTIVE, attachments=(spec,))
    client = connection()
    reply = shim.peer.request(exec_, client.server)
    if isinstance(reply, m.Started):
        client.half_close()
        assert client.read_all() == bytes(100_000)
        assert shim.peer.event(m.ExecExited).exit_code == 0
    limit_descriptors(shim, 100)
    shim.peer.expect(m.Started, m.Exec(exec_id="e2", plan=process_plan("true")))
    assert shim.peer.event(m.ExecExited).exec_id == "e2"
    children = Path(f"/proc/{shim.pid}/task/{shim.pid}/children")
    eventually(lambda: len(children.read_text().split()) == 1, "the end of what was not told")


def test_a_daemon_that_calls_when_there_is_no_room_is_heard_later(shim):
    shim.start("sleep", "60")
    shim.peer.expect(m.State, m.StateQuery())
    resource.prlimit(shim.pid, resource.RLIMIT_NOFILE, (3, 4096))
    late = shim.connect()
    used = processor_ticks(shim.pid)
    time.sleep(0.4)
    assert processor_ticks(shim.pid) - used < 10, "it spins"
    limit_descriptors(shim, 100)
    late.expect(m.State, m.StateQuery())


# ── terminals ────────────────────────────────────────────────────────────────────────────────


def test_a_terminal_is_one_raw_stream_with_a_size(shim, connection):
    client = connection()
    spec = m.Attachment(stdin=True, framed=True)
    shim.start(
        "sh", "-c", "tty >&2; read x; stty size",
        stdio=TERMINAL, attachments=(spec,), socks=(client.server,),
    )  # fmt: skip
    assert client.read_until(b"\n").startswith(b"/dev/pts/")
    shim.peer.expect(m.Done, m.Resize(height=33, width=111))
    client.client.sendall(b"\n")
    assert client.read_all().endswith(b"33 111\r\n")
    assert {stream for stream, _ in logged(shim.log)} == {"stdout"}


def test_a_terminal_that_nobody_has_open_for_a_while_is_not_at_its_end(shim, connection, tmp_path):
    client = connection()
    # A FIFO each: a shell that comes back while the writer has not closed yet would hear its end.
    for name in ("closed", "opened", "over"):
        os.mkfifo(tmp_path / name)
    script = f"""
        terminal=$(tty); echo first; exec </dev/null >/dev/null 2>&1
        read x < {tmp_path}/closed; read x < {tmp_path}/opened
        (echo again; read typed; echo got $typed) <>$terminal >&0; read x < {tmp_path}/over
        echo last >$terminal; exit 3
    """
    shim.start("sh", "-c", script, stdio=TERMINAL, attachments=(ALL,), socks=(client.server,))
    client.read_until(b"first\r\n")
    (tmp_path / "closed").write_text("\n")  # once it reads that, it has closed the terminal,
    client.client.sendall(b"typed\n")  # which would take what is typed before with it
    used = processor_ticks(shim.pid)
    time.sleep(0.4)
    assert processor_ticks(shim.pid) - used < 10, "it spins"
    (tmp_path / "opened").write_text("\n")
    client.read_until(b"got typed\r\n")
    (tmp_path / "over").write_text("\n")
    assert client.read_all() == b"last\r\n"
    assert shim.peer.event(m.Exited).exit.exit_code == 3
    assert [text for _, text in logged(shim.log)][-1] == "last\r\n"


def test_no_terminal_has_no_size(shim):
    shim.start("sleep", "60")
    assert isinstance(shim.peer.request(m.Resize(height=1, width=1)), m.Failed)
    assert isinstance(shim.peer.request(m.Resize(height=1, width=1, process="e")), m.Failed)


@pytest.mark.parametrize(("height", "width"), [(70000, 1), (1, -1), (10**30, 1)])
def test_a_size_that_no_terminal_can_have_is_refused(shim, height, width):
    shim.start("cat", stdio=TERMINAL)
    failed = shim.peer.expect(m.Failed, m.Resize(height=height, width=width))
    assert failed.errno == errno.EINVAL
    assert shim.peer.expect(m.State, m.StateQuery()).status == "running"


def test_detach_keys_leave_the_container_running(shim, connection):
    client = connection()
    spec = m.Attachment(stdin=True, detach_keys=b"\x10\x11")
    shim.start("cat", stdio=TERMINAL, attachments=(spec,), socks=(client.server,))
    client.client.sendall(b"hi\n")
    client.read_until(b"hi\r\nhi\r\n")
    client.client.sendall(b"\x10")
    client.client.sendall(b"\x11")
    assert client.read_all() == b""
    assert shim.peer.event(m.Detached).keys
    again = connection()
    shim.peer.expect(m.Attached, m.Attach(attachment=spec), again.server)
    again.client.sendall(b"still\n")
    again.read_until(b"still\r\nstill\r\n")


def test_without_a_terminal_detach_keys_are_input(shim, connection):
    client = connection()
    spec = m.Attachment(stdin=True, detach_keys=b"\x10\x11")
    shim.start("cat", stdio=INTERACTIVE, attachments=(spec,), socks=(client.server,))
    client.client.sendall(b"\x10\x11")
    client.half_close()
    assert client.read_all() == b"\x10\x11"


# ── execs ────────────────────────────────────────────────────────────────────────────────────


def test_an_exec_has_its_own_streams_and_exit_code_and_no_log(shim, connection, process_plan):
    shim.start("sleep", "60")
    client = connection()
    exec_ = m.Exec(
        exec_id="e1",
        plan=process_plan("sh", "-c", "cat; exit 4"),
        stdio=INTERACTIVE,
        attachments=(m.Attachment(stdin=True, framed=True),),
    )
    shim.peer.expect(m.Started, exec_, client.server)
    assert isinstance(shim.peer.request(exec_, connection().server), m.Failed)
    client.client.sendall(b"hello")
    client.half_close()
    assert frames(client.read_all()) == [(1, b"hello")]
    assert shim.peer.event(m.ExecExited) == m.ExecExited(exec_id="e1", exit_code=4)
    assert logged(shim.log) == []


def test_the_end_of_an_exec_is_told_though_the_container_ended_first(shim, process_plan):
    shim.start("sleep", "60", own_pids=False)
    exec_ = m.Exec(exec_id="e", plan=process_plan("sh", "-c", "sleep 0.5; exit 4"))
    shim.peer.expect(m.Started, exec_)
    shim.peer.expect(m.Done, m.Signal(signal=signal.SIGKILL))
    shim.peer.event(m.Exited)
    shim.peer.expect(m.Released, m.Release())
    assert shim.peer.event(m.ExecExited).exit_code == 4
    assert shim.peer.ended()
    assert shim.wait() == 0


def test_an_exec_that_does_not_end_keeps_the_shim_a_few_seconds_only(shim, process_plan):
    shim.start("sleep", "60", own_pids=False)
    exec_ = m.Exec(exec_id="e", plan=process_plan("sleep", "60"))
    pid = shim.peer.expect(m.Started, exec_).pid
    shim.peer.expect(m.Done, m.Signal(signal=signal.SIGKILL))
    shim.peer.event(m.Exited)
    shim.peer.expect(m.Released, m.Release())
    assert shim.peer.ended()
    assert shim.wait() == 0
    os.kill(pid, signal.SIGKILL)


def test_an_exec_that_cannot_be_executed(shim, connection, process_plan):
    shim.start("sleep", "60")
    client = connection()
    exec_ = m.Exec(exec_id="e", plan=process_plan("/no/such"), attachments=(m.Attachment(),))
    reply = shim.peer.request(exec_, client.server)
    assert isinstance(reply, m.Failed)
    assert (reply.step, reply.exit_code) == ("exec", 127)
    assert client.read_all() == b""


def test_an_exec_with_a_terminal_can_be_resized(shim, connection, process_plan):
    shim.start("sleep", "60")
    client = connection()
    exec_ = m.Exec(
        exec_id="e1",
        plan=process_plan("sh", "-c", "read x; stty size"),
        stdio=TERMINAL,
        attachments=(ALL,),
    )
    shim.peer.expect(m.Started, exec_, client.server)
    shim.peer.expect(m.Done, m.Resize(height=7, width=8, process="e1"))
    client.client.sendall(b"\n")
    assert client.read_all().endswith(b"7 8\r\n")


def test_execs_leave_no_descriptor_behind(shim, process_plan):
    shim.start("sleep", "60")
    shim.peer.expect(m.State, m.StateQuery())
    before = len(os.listdir(f"/proc/{shim.pid}/fd"))
    for number in range(10):
        stdio = TERMINAL if number % 2 else INTERACTIVE
        exec_ = m.Exec(exec_id=f"e{number}", plan=process_plan("true"), stdio=stdio)
        shim.peer.expect(m.Started, exec_)
        shim.peer.event(m.ExecExited)
    assert len(os.listdir(f"/proc/{shim.pid}/fd")) == before


@pytest.mark.parametrize("everyone", [False, True])
@pytest.mark.parametrize("number", [-1, 1000, 10**30])
def test_a_signal_that_is_none_is_refused(shim, number, everyone):
    shim.start("sleep", "60")
    failed = shim.peer.expect(m.Failed, m.Signal(signal=number, everyone=everyone))
    assert failed.errno == errno.EINVAL
    assert shim.peer.expect(m.State, m.StateQuery()).status == "running"


def test_a_signal_to_everyone(shim, process_plan):
    shim.start("sleep", "60")
    shim.peer.expect(m.Started, m.Exec(exec_id="e1", plan=process_plan("sleep", "60")))
    shim.peer.expect(m.Done, m.Signal(signal=signal.SIGKILL, everyone=True))
    assert shim.peer.event(m.Exited).exit.exit_code == 137
    shim.peer.event(m.ExecExited)


# ── much output ──────────────────────────────────────────────────────────────────────────────


def test_every_line_is_logged_once_and_in_order(shim):
    count = 200_000
    log = m.LogConfig(path=str(shim.log), max_size=-1)
    shim.start("seq", "-f", "%079.0f", str(count), log=log)
    shim.peer.event(m.Exited)
    with shim.log.open() as lines:
        for number, line in enumerate(lines, 1):
            assert line.startswith(f'{{"log":"{number:079}\\n","stream":"stdout"')
    assert number == count
