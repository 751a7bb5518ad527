"""run, start, attach and exec with pipes and with a terminal, against a scripted container."""

import fcntl
import json
import os
import pty
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.scripted import Exchange, Server, scripted_daemon

RAW = "application/vnd.docker.raw-stream"
PATIENCE = 10.0


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


@dataclass
class Container:
    """One container: attach, wait and start as the daemon does them, the process by ``process``."""

    process: Callable[["Container"], int] = lambda _: 0
    tty: bool = False
    start_answer: tuple[int, str] = (204, "")
    images: set[str] = field(default_factory=lambda: {"bb"})
    attached: socket.socket | None = None
    waiting: socket.socket | None = None
    exit_code: int = -1
    said: list[str] = field(default_factory=list)  # kill and resize requests
    bodies: dict[str, bytes] = field(default_factory=dict)
    lives: list[threading.Thread] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)

    def say(self, data: bytes) -> None:
        assert self.attached is not None
        self.attached.sendall(data)

    def hear(self) -> bytes:
        assert self.attached is not None
        return self.attached.recv(65536)

    def wait_to_be_asked(self) -> str:
        assert self.asked.wait(PATIENCE)
        self.asked.clear()
        return self.said[-1]

    def __call__(self, exchange: Exchange) -> None:
        method, target, _ = exchange.line.split()
        path = target.removeprefix("/v1.50").partition("?")[0]
        self.bodies[path] = exchange.rest
        if path == "/containers/create":
            self._create(exchange)
        elif path in ("/containers/c/attach", "/exec/e/start") and method == "POST":
            self._hijack(exchange, path)
        elif path == "/containers/c/wait":
            # Ours before the client hears: it starts the container then, whose end looks for it.
            self.waiting = exchange.connection.dup()
            exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            exchange.connection.close()
        elif path == "/containers/c/start":
            status, text = self.start_answer
            exchange.reply(status, text.encode())
            if status == 204:
                self.begin()
        elif path.endswith(("/kill", "/resize")):
            self.said.append(target.removeprefix("/v1.50"))
            exchange.reply(204)
            self.asked.set()
        elif path == "/images/create":
            self.images.add("missing")
            exchange.reply(200, b'{"status":"Pulling","id":"latest"}\r\n{"status":"Done"}\r\n')
        else:
            self._describe(exchange, method, path)

    def _create(self, exchange: Exchange) -> None:
        image = json.loads(exchange.rest)["Image"]
        if image in self.images:
            exchange.reply(201, b'{"Id":"c","Warnings":["mind the gap"]}')
        else:
            exchange.reply(404, b'{"message":"No such image"}')

    def _describe(self, exchange: Exchange, method: str, path: str) -> None:
        answers: dict[str, object] = {
            "GET /containers/c/json": {
                "Id": "c",
                "State": {"Running": True, "Paused": False, "Restarting": False},
                "Config": {"Tty": self.tty, "OpenStdin": True},
                "HostConfig": {"AutoRemove": False},
            },
            "POST /containers/c/exec": {"Id": "e"},
            "GET /exec/e/json": {"ExitCode": self.exit_code},
        }
        answer = answers.get(f"{method} {path}")
        status = 404 if answer is None else 200
        exchange.reply(status, json.dumps(answer or {"message": "not here"}).encode())

    def _hijack(self, exchange: Exchange, path: str) -> None:
        self.attached = exchange.connection.dup()
        exchange.send(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        if path.startswith("/exec"):
            self._live()
        exchange.connection.close()

    def begin(self) -> None:
        """The process starts."""
        thread = threading.Thread(target=self._live, daemon=True)
        self.lives.append(thread)
        thread.start()

    def _live(self) -> None:
        self.exit_code = self.process(self)
        with suppress(OSError):  # the client may have gone
            if self.attached is not None:
                self.attached.shutdown(socket.SHUT_RDWR)
            if self.waiting is not None:
                body = json.dumps({"StatusCode": self.exit_code}).encode()
                self.waiting.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))

    def close(self) -> None:
        for thread in self.lives:
            thread.join(PATIENCE)
        for connection in (self.attached, self.waiting):
            if connection is not None:
                connection.close()


@pytest.fixture
def container() -> Container:
    return Container()


@pytest.fixture
def daemon(container: Container, tmp_path: Path) -> Iterator[Server]:
    with scripted_daemon(str(tmp_path / "s.sock")) as server:
        server.version = "1.50"
        server.script = container
        yield server
        container.close()


def command(daemon: Server, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "boxship", "-H", f"unix://{daemon.path}", *arguments]


def run(
    daemon: Server, *arguments: str, stdin: bytes = b"", cwd: Path | None = None
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        command(daemon, *arguments),
        input=stdin,
        capture_output=True,
        timeout=30,
        check=False,
        cwd=cwd,
    )


def test_attach_and_wait_come_before_start(container, daemon) -> None:
    assert run(daemon, "run", "bb").returncode == 0
    steps = [line.split()[1].removeprefix("/v1.50") for line in daemon.lines]
    assert steps == [
        "/_ping",
        "/containers/create",
        "/containers/c/attach?stream=1&stdout=1&stderr=1",
        "/containers/c/wait?condition=next-exit",
        "/containers/c/start",
    ]


def test_output_is_taken_apart_and_the_exit_code_is_the_containers(container, daemon) -> None:
    def process(here: Container) -> int:
        here.say(frame(1, b"out\n") + frame(2, b"err\n")[:10])
        here.say(frame(2, b"err\n")[10:] + frame(1, b"more\n"))
        return 42

    container.process = process
    done = run(daemon, "run", "bb")
    assert (done.returncode, done.stdout) == (42, b"out\nmore\n")
    assert done.stderr == b"WARNING: mind the gap\nerr\n"


def test_the_end_of_input_reaches_the_container_and_output_still_comes(container, daemon) -> None:
    def process(here: Container) -> int:
        heard = b""
        while data := here.hear():
            heard += data
        here.say(frame(1, heard.upper()))
        return 0

    container.process = process
    done = run(daemon, "run", "-i", "bb", stdin=b"some words" * 20_000)
    assert done.stdout == b"SOME WORDS" * 20_000


def test_a_container_that_copies_input_to_output_never_stalls(container, daemon) -> None:
    def process(here: Container) -> int:
        while data := here.hear():
            here.say(frame(1, data))  # blocks until the client takes it
        return 0

    container.process = process
    data = os.urandom(1_000_003) * 20
    done = run(daemon, "run", "-i", "bb", stdin=data)
    assert done.stdout == data


def test_closed_streams_of_ours_do_no_harm(container, daemon) -> None:
    def process(here: Container) -> int:
        assert here.hear() == b""
        here.say(frame(1, b"out") + frame(2, b"err"))
        return 6

    container.process = process
    shell = f"{shlex.join(command(daemon, 'run', '-i', 'bb'))} <&- >&-"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (6, b"WARNING: mind the gap\nerr")


def test_a_container_that_ends_without_reading_its_input_is_no_error(container, daemon) -> None:
    done = run(daemon, "run", "-i", "bb", stdin=b"x" * 4_000_000)
    assert done.returncode == 0


def test_with_rm_the_wait_is_for_the_removal(container, daemon) -> None:
    run(daemon, "run", "--rm", "bb")
    assert any("condition=removed" in line for line in daemon.lines)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('exec: "x": executable file not found in $PATH', 127),
        ("stat /x: no such file or directory", 127),
        ('exec: "/etc": permission denied', 126),
        ("exec /etc: is a directory", 126),
        ("something else", 125),
    ],
)
def test_a_failed_start_has_the_shells_exit_codes(message, code, container, daemon) -> None:
    container.start_answer = (400, json.dumps({"message": message}))
    for extra in ((), ("-d",)):
        done = run(daemon, "run", *extra, "bb")
        assert done.returncode == code
        assert message in done.stderr.decode()
        assert done.stdout == b""


def test_detached_prints_the_id(container, daemon) -> None:
    done = run(daemon, "run", "-d", "bb")
    assert done.stdout == b"c\n"
    body = json.loads(container.bodies["/containers/create"])
    assert (body["AttachStdout"], body["AttachStderr"]) == (False, False)


def test_a_missing_image_is_pulled(container, daemon) -> None:
    done = run(daemon, "run", "missing")
    assert done.returncode == 0
    assert b"Unable to find image 'missing:latest' locally\n" in done.stderr
    assert b"latest: Pulling\nDone\n" in done.stderr
    assert done.stdout == b""
    pull = next(line for line in daemon.lines if "/images/create" in line)
    assert "fromImage=docker.io%2Flibrary%2Fmissing&tag=latest" in pull


def test_a_quiet_pull_says_nothing(container, daemon) -> None:
    assert b"Pulling" not in run(daemon, "run", "-q", "missing").stderr


def test_never_pulling_is_an_error(container, daemon) -> None:
    assert run(daemon, "run", "--pull", "never", "missing").returncode == 125


def test_always_pulling_pulls_first(container, daemon) -> None:
    run(daemon, "run", "--pull", "always", "bb")
    steps = [line.split()[1].partition("?")[0] for line in daemon.lines]
    assert steps[1:3] == ["/v1.50/images/create", "/v1.50/containers/create"]


def test_the_id_file_is_written_once(container, daemon, tmp_path) -> None:
    assert run(daemon, "run", "--cidfile", "id", "bb", cwd=tmp_path).returncode == 0
    assert (tmp_path / "id").read_text() == "c"
    done = run(daemon, "run", "--cidfile", "id", "bb", cwd=tmp_path)
    assert done.returncode == 125
    assert b"container ID file found" in done.stderr


def test_no_id_file_is_left_when_nothing_was_created(container, daemon, tmp_path) -> None:
    run(daemon, "run", "--pull", "never", "--cidfile", "id", "missing", cwd=tmp_path)
    assert not (tmp_path / "id").exists()


def test_a_terminal_inside_needs_one_outside(container, daemon) -> None:
    done = run(daemon, "run", "-it", "bb")
    assert (done.returncode, done.stderr) == (1, b"the input device is not a TTY\n")
    assert not any("create" in line for line in daemon.lines)


def test_start_attached(container, daemon) -> None:
    def process(here: Container) -> int:
        here.say(frame(1, b"hello\n"))
        return 5

    container.process = process
    done = run(daemon, "start", "-a", "c")
    assert (done.returncode, done.stdout) == (5, b"hello\n")


def test_exec_ends_with_the_commands_code(container, daemon) -> None:
    def process(here: Container) -> int:
        here.say(frame(1, here.hear()) + frame(2, b"e"))
        return 9

    container.process = process
    done = run(daemon, "exec", "-i", "-e", "A=b", "c", "cat", "-n", stdin=b"in")
    assert (done.returncode, done.stdout, done.stderr) == (9, b"in", b"e")
    body = json.loads(container.bodies["/containers/c/exec"])
    assert body["Cmd"] == ["cat", "-n"]
    assert body["Env"] == ["A=b"]


def test_signals_are_passed_on(container, daemon) -> None:
    running = threading.Event()

    def process(here: Container) -> int:
        running.set()
        assert here.wait_to_be_asked() == "/containers/c/kill?signal=TERM"
        assert here.wait_to_be_asked() == "/containers/c/kill?signal=INT"
        return 3

    container.process = process
    client = subprocess.Popen(command(daemon, "run", "bb"), stderr=subprocess.DEVNULL)
    assert running.wait(PATIENCE)
    client.send_signal(signal.SIGTERM)
    while len(container.said) < 1:
        time.sleep(0.01)
    client.send_signal(signal.SIGINT)
    assert client.wait(PATIENCE) == 3


def test_without_sig_proxy_a_signal_ends_the_client_only(container, daemon) -> None:
    running, over = threading.Event(), threading.Event()

    def process(_here: Container) -> int:
        running.set()
        over.wait(PATIENCE)
        return 0

    container.process = process
    client = subprocess.Popen(command(daemon, "run", "--sig-proxy=false", "bb"), stderr=-3)
    assert running.wait(PATIENCE)
    client.send_signal(signal.SIGINT)
    assert client.wait(PATIENCE) == 130
    assert container.said == []
    over.set()


class Terminal:
    """A client under a pseudo terminal."""

    def __init__(self, arguments: list[str], rows: int = 33, columns: int = 77) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execv(arguments[0], arguments)
        self.seen = b""

    def resize(self, rows: int, columns: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, size)

    def type(self, data: bytes) -> None:
        os.write(self.descriptor, data)

    def read_until(self, wanted: bytes) -> None:
        deadline = time.monotonic() + PATIENCE
        while wanted not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0, self.seen
            if select.select([self.descriptor], [], [], left)[0]:
                self.seen += os.read(self.descriptor, 65536)

    def end(self) -> int:
        """Read to the end; the exit code."""
        while True:
            try:
                data = os.read(self.descriptor, 65536)
            except OSError:
                break
            if not data:
                break
            self.seen += data
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_a_terminal_is_raw_and_has_our_size(container, daemon) -> None:
    def process(here: Container) -> int:
        assert here.wait_to_be_asked() == "/containers/c/resize?h=33&w=77"
        here.say(b"$ ")
        assert here.hear() == b"\x03\r"  # neither a signal nor a newline of ours
        here.say(b"\x1b[1mbold\x1b[0m\r\n")
        assert here.wait_to_be_asked() == "/containers/c/resize?h=20&w=50"
        return 4

    container.process = process
    screen = Terminal(command(daemon, "run", "-it", "bb"))
    screen.read_until(b"$ ")
    screen.type(b"\x03\r")
    screen.read_until(b"bold")
    screen.resize(20, 50)
    assert screen.end() == 4
    assert b"\x1b[1mbold\x1b[0m\r\n" in screen.seen
    assert json.loads(container.bodies["/containers/create"])["HostConfig"]["ConsoleSize"] == [
        33,
        77,
    ]


@pytest.mark.parametrize(
    ("arguments", "keys", "code"),
    [
        (("run", "-it", "bb"), b"\x10\x11", 0),
        (("run", "-it", "--detach-keys", "ctrl-a,x", "bb"), b"\x01x", 0),
        (("start", "-ai", "c"), b"\x10\x11", 0),
        (("attach", "c"), b"\x10\x11", 1),
        (("exec", "-it", "c", "sh"), b"\x10\x11", 1),
    ],
)
def test_the_detach_keys_leave_it_running(arguments, keys, code, container, daemon) -> None:
    over = threading.Event()

    def process(here: Container) -> int:
        here.say(b"$ ")
        over.wait(PATIENCE)
        return 0

    container.tty = True
    container.process = process
    screen = Terminal(command(daemon, *arguments))
    if arguments[0] == "attach":
        while container.attached is None:
            time.sleep(0.01)
        container.begin()
    screen.read_until(b"$ ")
    screen.type(b"a" + keys + b"z")
    assert screen.end() == code
    assert (b"read escape sequence" in screen.seen) is (code == 1)
    over.set()
