"""A daemon's end of the control protocol, and shims to talk to."""

import contextlib
import fcntl
import gc
import os
import signal
import socket
import termios
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from boxship.kernel.processes import fork_sibling
from boxship.runtime import messages as m
from boxship.runtime.blueprint import CgroupPlan, Plan, ProcessPlan
from boxship.runtime.control_codec import Decoder, encode
from boxship.runtime.process import Spawned, StepFailedError
from boxship.runtime.shim import main

PATIENCE = 20.0
T = TypeVar("T")


class Peer:
    """Speaks to a shim as the daemon does, requests in, replies and events out."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        self.sock = sock
        self.events: list[m.Message] = []
        self._decoder = Decoder()
        self._seq = 0
        self._early: dict[int, m.Message] = {}

    def request(self, message: m.Message, *socks: socket.socket) -> m.Message:
        """Send a request with descriptors, of which our copies are closed; return the reply."""
        self._seq += 1
        data = encode(message, seq=self._seq, fds=len(socks))
        fds = [sock.fileno() for sock in socks]
        sent = socket.send_fds(self.sock, [data], fds) if fds else self.sock.send(data)
        if data[sent:]:  # nothing would fail as well if the shim has answered and gone
            self.sock.sendall(data[sent:])
        for sock in socks:
            sock.close()
        return self.reply(self._seq)

    def reply(self, seq: int) -> m.Message:
        """Wait for a reply; events and other replies are kept."""
        while seq not in self._early:
            self._keep(self._next())
        return self._early.pop(seq)

    def expect(self, kind: type[T], message: m.Message, *socks: socket.socket) -> T:
        """Send a request whose reply is of that kind."""
        reply = self.request(message, *socks)
        assert isinstance(reply, kind), reply
        return reply

    def event(self, kind: type[T]) -> T:
        """Wait for an event of that kind; others are kept."""
        while True:
            for event in self.events:
                if isinstance(event, kind):
                    self.events.remove(event)
                    return event
            self._keep(self._next())

    def ended(self) -> bool:
        """Wait for the end of the stream."""
        return self.sock.recv(1) == b""

    def _keep(self, frame) -> None:
        if frame.seq == 0:
            self.events.append(frame.message)
        else:
            self._early[frame.seq] = frame.message

    def _next(self):
        while (frame := self._decoder.next_frame()) is None:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError("the shim has closed the connection")
            self._decoder.feed(data)
        return frame


class PlainContainment:
    """Runs processes as they are: no namespaces, no root of their own, no cgroups."""

    def spawn_init(self, plan: Plan, streams, *, terminal: bool) -> Spawned:
        return _spawn(plan.process, streams, terminal)

    def spawn_exec(self, init, plan: ProcessPlan, streams, *, terminal, name) -> Spawned:
        return _spawn(plan, streams, terminal)

    def destroy(self, plan: Plan) -> None:
        pass

    def out_of_memory(self, cgroup: CgroupPlan) -> bool:
        return False

    def memory(self, cgroup: CgroupPlan) -> tuple[int, int]:
        return 0, 0

    def processes(self, cgroup: CgroupPlan) -> tuple[int, ...]:
        text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        return tuple(map(int, text.split()))


HELD = "held:"
"""A command's first word that names a FIFO: the process waits there before it executes the rest."""


def _spawn(plan: ProcessPlan, streams: tuple[int, int, int], terminal: bool) -> Spawned:
    args = plan.args
    master, slave = os.openpty() if terminal else (-1, -1)
    reading, writing = os.pipe()
    pid = fork_sibling()
    if pid == 0:
        try:
            os.setsid()
            if terminal:
                streams = (slave, slave, slave)
                fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for target, fd in enumerate(streams):
                os.dup2(fd, target)
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_DFL)
            if args[0].startswith(HELD):
                Path(args[0].removeprefix(HELD)).read_bytes()
                args = args[1:]
            os.execvpe(args[0], args, dict(e.split("=", 1) for e in plan.env))
        except OSError as error:
            os.write(writing, error.errno.to_bytes(1, "big"))
        finally:
            os._exit(1)
    os.close(writing)
    if terminal:
        os.close(slave)
    errno = os.read(reading, 1)
    os.close(reading)
    if errno:
        raise StepFailedError("exec", errno[0], os.strerror(errno[0]), 127)
    return Spawned(pid, os.pidfd_open(pid), master, (), ())


@dataclass
class Shim:
    """A shim process and the daemon's first connection to it."""

    pid: int
    peer: Peer
    directory: Path
    log: Path
    others: list[Peer] = field(default_factory=list)

    def start(
        self,
        *args: str,
        stdio: m.Stdio | None = None,
        attachments: tuple[m.Attachment, ...] = (),
        socks: tuple[socket.socket, ...] = (),
        log: m.LogConfig | None = None,
        own_pids: bool = True,
    ) -> m.Started:
        return self.peer.expect(
            m.Started,
            m.Start(
                container_id="c1",
                directory=str(self.directory),
                plan=plan_of(*args, own_pids=own_pids),
                stdio=stdio or m.Stdio(),
                log=log or m.LogConfig(path=str(self.log)),
                attachments=attachments,
            ),
            *socks,
        )

    def plan(self, *args: str) -> m.Json:
        return plan_of(*args)

    def connect(self) -> Peer:
        """Connect as a new daemon does."""
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(self.directory / "shim.sock"))
        self.others.append(Peer(sock))
        return self.others[-1]

    def wait(self) -> int:
        """Wait for the shim's own end and return its exit code."""
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)


def plan_of(*args: str, own_pids: bool = True) -> m.Json:
    env = (f"PATH={os.environ['PATH']}", "TERM=dumb")
    return Plan("c1", ProcessPlan(args=args, env=env), new_pid_namespace=own_pids).to_plain()


def process_plan_of(*args: str) -> m.Json:
    return plan_of(*args)["process"]


@pytest.fixture
def shim(tmp_path: Path) -> Iterator[Shim]:
    """A shim of plain processes, forked from the test itself."""
    assert threading.active_count() == 1
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # pytest's handler would fail another test
        signal.alarm(60)
        gc.disable()
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        main.be_shim(main.Prepared(PlainContainment()), theirs.detach())
    theirs.close()
    made = Shim(pid, Peer(ours), tmp_path / "c" / "c1", tmp_path / "c1-json.log")
    yield made
    for peer in (made.peer, *made.others):
        peer.sock.close()
    if made.pid:
        with contextlib.suppress(ProcessLookupError):
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.fixture
def peer_type() -> type[Peer]:
    """The daemon's end, for shims made elsewhere."""
    return Peer


@pytest.fixture
def process_plan() -> Callable[..., m.Json]:
    """Makes the plan of an exec."""
    return process_plan_of


@dataclass
class Connection:
    """The client's side of an attached connection."""

    client: socket.socket
    server: socket.socket

    def read_all(self) -> bytes:
        data = b""
        while chunk := self.client.recv(1 << 16):
            data += chunk
        return data

    def read_until(self, end: bytes) -> bytes:
        data = b""
        while end not in data:
            chunk = self.client.recv(1 << 16)
            assert chunk, f"the stream ended with {data[-80:]!r}"
            data += chunk
        return data

    def half_close(self) -> None:
        self.client.shutdown(socket.SHUT_WR)


@pytest.fixture
def connection() -> Iterator[Callable[[], Connection]]:
    """Makes connections between a client and a server."""
    made: list[Connection] = []

    def make(kind: str = "unix") -> Connection:
        if kind == "unix":
            client, server = socket.socketpair()
        else:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                client = socket.create_connection(listener.getsockname())
                server, _ = listener.accept()
        client.settimeout(PATIENCE)
        made.append(Connection(client, server))
        return made[-1]

    yield make
    for each in made:
        each.client.close()
        each.server.close()
