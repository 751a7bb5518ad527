"""The shim's decisions: what each request does, and what happens when a process ends.

::

    running ──init reaped and drained──► ended ──release, or no daemon──► gone
                                         exit.json, exited

Being gone waits for attached clients that still have output to take, for the log's target, and for
execs to end, but not long: they have been killed with the container. A control connection that
ends changes nothing for a running container.

Memory is what this process must not use: it stays small as long as it touches few of the objects
it shares with the launcher. Therefore starting is left to ``starter.py``, requests are parsed only
when they are not for it, and plain descriptors and ``_socket`` stand where the standard library's
wrappers would do.
"""

import _socket
import contextlib
import errno
import gc
import json
import os
import time
from collections.abc import Callable
from itertools import count
from select import EPOLLIN
from signal import SIGKILL, pidfd_send_signal
from typing import Any, Final

from boxship.base.errors import BoxshipError
from boxship.runtime import messages as m
from boxship.runtime.blueprint import Plan
from boxship.runtime.control_codec import MAX_FDS, ProtocolError, RawFrame, parse
from boxship.runtime.shim import starter
from boxship.runtime.shim.attachment import Client, Spec
from boxship.runtime.shim.births import Births, Wish
from boxship.runtime.shim.children import adopt_orphans, hear_of_children
from boxship.runtime.shim.containerlog import ContainerLog, LogSpec
from boxship.runtime.shim.containment import Containment
from boxship.runtime.shim.control import Connection
from boxship.runtime.shim.directory import leave_directory, remove_directory, write_exit
from boxship.runtime.shim.loop import Loop
from boxship.runtime.shim.process import Notices, Process, Streams

Descriptors = tuple[int, ...]

_EXEC_SECONDS: Final = 5.0
"""How long an ended container's execs may take to end; somebody may hold their output open."""
_NO_ROOM_SECONDS: Final = 0.1
"""How long to wait before looking again whether there are descriptors."""


class Supervisor:
    """Keeps one container."""

    def __init__(self, loop: Loop, containment: Containment) -> None:
        self._loop = loop
        self._containment = containment
        self._connections: list[Connection] = []
        self._clients: dict[int, Client] = {}
        self._numbers = count(MAX_FDS + 1)  # those of the start's attachments come before
        self._processes: dict[str, Process] = {}
        self._births = Births(loop, self._born)
        self._pidfds: dict[int, int] = {}
        self._unreported: list[m.ExecState] = []
        self._notices = Notices(ended=self._process_ended, detached=self._client_detached)
        self._birth = starter.Birth()
        self._listener: _socket.socket | None = None
        self._log: ContainerLog | None = None
        # Set at the end:
        self._finished_ns = 0
        self._killed_by = 0
        self._oom_killed = False
        self._memory = (0, 0)
        self._exit: m.Exit | None = None
        self._recorded = False
        self._released = False
        self._patience_over = False
        self._hears_of_children = False

    def begin(self, control: _socket.socket, birth: starter.Birth, fds: Descriptors) -> None:
        """Take over a container that has just been started on behalf of ``control``."""
        self._birth = birth
        streams = len(birth.streams)
        self._listener = _socket.socket(fileno=fds[streams])
        self._loop.watch(fds[streams], EPOLLIN, self._daemon_calls)
        log = LogSpec(*birth.log)
        if log.path or log.target:
            self._log = ContainerLog(log, self._loop, self._go_if_done)
        process = self._keep(birth, fds[:streams])
        self.accept(control)
        for number, fd in enumerate(fds[streams + 1 :], 1):
            spec = Spec(*birth.attachments[number - 1])
            process.attach(self._add_client(number, _socket.socket(fileno=fd), spec))
        if birth.adopts:
            # Last: it may find the process ended already, which must be known by then.
            self._hears_of_children = True
            adopt_orphans(self._loop, self._reap)

    # ── control connections ──────────────────────────────────────────────────────────────────

    def accept(self, sock: _socket.socket) -> None:
        """Serve a daemon at ``sock``."""
        connection = Connection(
            sock, loop=self._loop, on_request=self._request, on_closed=self._disconnected
        )
        self._connections.append(connection)

    def _disconnected(self, connection: Connection) -> None:
        """A daemon is gone. What it was replaying to held clients can never be whole: drop them."""
        if connection in self._connections:
            self._connections.remove(connection)
        for number in tuple(connection.attachments):
            client = self._clients.get(number)
            if client is not None and client.held:
                client.close()
        self._go_if_done()

    def _request(self, connection: Connection, raw: RawFrame) -> None:
        """Answer one request. Raise ProtocolError for what is none."""
        if raw.cut:
            _close(raw.fds)
            connection.send(_failed("descriptors", _no_room()), seq=raw.seq)
        elif raw.kind is m.Exec:
            self._exec(connection, raw)
        else:
            self._answer(connection, raw)
        self._go_if_done()

    def _answer(self, connection: Connection, raw: RawFrame) -> None:
        answer = _ANSWERS.get(raw.kind)
        if answer is None or raw.seq == 0:
            _close(raw.fds)
            raise ProtocolError("not a request")
        if raw.kind is not m.Attach:
            _close(raw.fds)
        reply = answer(self, connection, parse(raw).message, raw.fds)
        connection.send(reply, seq=raw.seq)
        if isinstance(reply, m.Released):
            self._released = True

    def _tell(self, event: m.Message) -> bool:
        for connection in tuple(self._connections):
            connection.send(event)
        return bool(self._connections)

    # ── starting processes ───────────────────────────────────────────────────────────────────

    def _exec(self, connection: Connection, raw: RawFrame) -> None:
        init = self._processes.get(m.INIT)
        if init is None or init.exit_code is not None:
            _close(raw.fds)
            failed = m.Failed(step="exec", message="the container is not running")
            connection.send(failed, seq=raw.seq)
            return
        numbers = tuple(next(self._numbers) for _ in raw.fds)
        container = (init.pid, self._pidfds[init.pid], self._birth.plan)
        taken = tuple(self._processes)
        try:
            self._births.expect(
                Wish(connection, raw.seq, raw.fds, numbers),
                lambda: starter.serve_exec(raw, self._containment, numbers, container, taken),
            )
        except OSError as error:
            _close(raw.fds)
            connection.send(_failed("exec", error), seq=raw.seq)

    def _born(self, wish: Wish, birth: starter.Birth, fds: Descriptors) -> None:
        """Answer an exec, now that it is known what came of it."""
        failed = None
        if birth.pid:
            failed = self._welcome(wish, birth, fds)
        if failed is not None or not birth.pid:
            # The daemon keeps its copies of the clients' connections: it may tell them why.
            _close(wish.clients)
            self._expect_unborn()
            if failed is not None:
                wish.connection.send(failed, seq=wish.seq)
            elif birth.broken:
                wish.connection.close()
            else:
                wish.connection.send_encoded(birth.reply)
        self._reap()  # also those that were left alone meanwhile
        self._go_if_done()

    def _welcome(self, wish: Wish, birth: starter.Birth, fds: Descriptors) -> m.Failed | None:
        """Take care of an exec's process and its clients, or end it and tell why."""
        if birth.name in self._processes:  # asked for twice at the same time
            _close(fds)
            os.kill(birth.pid, SIGKILL)
            return m.Failed(step="exec", message="the exec id is in use")
        try:
            process = self._keep(birth, fds)
        except OSError as error:
            _close(fds)
            os.kill(birth.pid, SIGKILL)
            return _failed("exec", error)
        wish.connection.send_encoded(birth.reply)
        for number, fd, fields in zip(wish.numbers, wish.clients, birth.attachments, strict=True):
            client = self._add_client(number, _socket.socket(fileno=fd), Spec(*fields))
            process.attach(client)
        return None

    def _expect_unborn(self) -> None:
        """Reap, now or later, a process that was forked and could not execute."""
        if self._hears_of_children:
            return
        try:
            hear_of_children(self._loop, self._reap)
            self._hears_of_children = True
        except OSError:
            self._loop.call_later(_NO_ROOM_SECONDS, self._expect_unborn)

    def _keep(self, birth: starter.Birth, fds: Descriptors) -> Process:
        """Take care of a process that has just been started. Raise OSError, having done nothing."""
        if len(fds) < len(birth.streams):
            raise _no_room()
        pidfd = os.pidfd_open(birth.pid)
        inlet = -1
        outlets = {}
        for fd, stream in zip(fds, birth.streams, strict=True):
            if stream:
                outlets[fd] = stream
            else:
                inlet = fd
        process = Process(
            birth.name,
            birth.pid,
            Streams(birth.tty, birth.stdin_once, inlet, outlets),
            loop=self._loop,
            notices=self._notices,
            sink=self._log if birth.name == m.INIT else None,
        )
        if birth.name == m.INIT and self._log is not None:
            self._log.on_room = process.drained
        self._processes[birth.name] = process
        self._pidfds[birth.pid] = pidfd
        self._loop.watch(pidfd, EPOLLIN, self._reap)
        return process

    def _daemon_calls(self, _events: int) -> None:
        assert self._listener is not None
        try:
            fd, _ = self._listener._accept()  # type: ignore[attr-defined]
        except BlockingIOError:  # the peer has gone again
            return
        except OSError:  # descriptors have run out, and the peer goes on waiting
            self._loop.rest(self._listener.fileno(), _NO_ROOM_SECONDS)
            return
        self.accept(_socket.socket(fileno=fd))

    # ── processes that end ───────────────────────────────────────────────────────────────────

    def _reap(self, _events: int = 0) -> None:
        """Collect every child that has ended, and may be collected."""
        if self._births.pending:
            # Not one that is just being born: its number could not be told from an orphan's.
            for pid in tuple(self._pidfds):
                self._collect(pid)
        else:
            while self._collect(-1):
                pass

    def _collect(self, which: int) -> bool:
        """Collect one child, -1 any; tell whether there was one that had ended."""
        try:
            pid, status = os.waitpid(which, os.WNOHANG)
        except ChildProcessError:
            return False
        pidfd = self._pidfds.pop(pid, None)
        if pidfd is not None:  # else an orphan of the container's, or one that was not born
            self._loop.forget(pidfd)
            os.close(pidfd)
            code = os.waitstatus_to_exitcode(status)
            for process in tuple(self._processes.values()):
                if process.pid == pid:
                    self._reaped(process, code)
        return pid != 0

    def _reaped(self, process: Process, code: int) -> None:
        """It has ended with ``code``; negative: by that signal."""
        if process.name == m.INIT:
            self._finished_ns = time.time_ns()
            plan = self._plan()
            self._killed_by = max(0, -code)
            self._oom_killed = self._containment.out_of_memory(plan.cgroup)
            if self._oom_killed:  # the evidence goes with the cgroup
                self._memory = self._containment.memory(plan.cgroup)
            if not plan.new_pid_namespace:
                # The kernel ends a pid namespace with its init; elsewhere that is our duty.
                self._destroy(plan)
        process.reaped(code if code >= 0 else 128 - code)

    def _process_ended(self, process: Process) -> None:
        if process.name == m.INIT:
            self._container_ended(process)
            return
        del self._processes[process.name]
        code = process.exit_code or 0
        if not self._tell(m.ExecExited(exec_id=process.name, exit_code=code)):
            self._unreported.append(
                m.ExecState(exec_id=process.name, pid=process.pid, running=False, exit_code=code)
            )
        # The collector is off; the objects of a process refer to each other.
        gc.collect()
        self._loop.call_later(0, self._go_if_done)

    def _container_ended(self, init: Process) -> None:
        for process in tuple(self._processes.values()):
            if process is not init and process.exit_code is not None:
                process.drain()
        if self._log is not None:
            self._log.finish()
        self._exit = m.Exit(
            exit_code=init.exit_code or 0,
            oom_killed=self._oom_killed,
            finished_ns=self._finished_ns,
            signal=self._killed_by,
            memory_peak=self._memory[0],
            memory_limit=self._memory[1],
        )
        self._recorded = write_exit(self._birth.directory, self._exit)
        self._tell(m.Exited(exit=self._exit))
        self._destroy(self._plan())
        # Not at once: the clients of the process have not been told to finish yet.
        self._loop.call_later(0, self._go_if_done)
        if len(self._processes) > 1 or self._births.pending:
            self._loop.call_later(_EXEC_SECONDS, self._wait_no_longer)

    def _wait_no_longer(self) -> None:
        self._patience_over = True
        self._go_if_done()

    def _plan(self) -> Plan:
        return Plan.from_plain(json.loads(self._birth.plan))

    def _destroy(self, plan: Plan) -> None:
        """Remove the cgroups; should one stay, the daemon's own clean-up tries again."""
        with contextlib.suppress(OSError, BoxshipError):
            self._containment.destroy(plan)

    def _go_if_done(self) -> None:
        """Leave when nobody needs this process any more."""
        ending = len(self._processes) > 1 or self._births.pending
        if ending and not self._patience_over:
            return
        if self._released:
            for connection in tuple(self._connections):
                connection.finish()
        unheard = self._exit is not None and self._recorded and not self._released
        if self._connections or self._clients or (self._log is not None and self._log.busy):
            return
        if not (unheard or self._released):
            return
        if unheard:
            leave_directory(self._birth.directory)
        self._loop.stop()

    # ── clients ──────────────────────────────────────────────────────────────────────────────

    def _add_client(self, number: int, sock: _socket.socket, spec: Spec) -> Client:
        client = Client(number, sock, spec, loop=self._loop, on_closed=self._client_closed)
        self._clients[number] = client
        return client

    def _client_detached(self, process: Process, client: Client, keys: bool) -> None:
        if process.exit_code is None:
            self._tell(m.Detached(attachment=client.number, process=process.name, keys=keys))

    def _client_closed(self, client: Client) -> None:
        del self._clients[client.number]
        for connection in self._connections:
            connection.attachments.discard(client.number)
        self._go_if_done()

    # ── other requests ───────────────────────────────────────────────────────────────────────

    def _attach(self, connection: Connection, request: m.Attach, fds: Descriptors) -> m.Message:
        process = self._processes.get(request.process)
        if len(fds) != 1 or process is None or process.ended:
            _close(fds)
            return m.Failed(step="attach", message="the process is not running")
        try:
            sock = _socket.socket(fileno=fds[0])
        except OSError as error:
            _close(fds)
            return _failed("attach", error)
        position = m.LogPosition()
        if request.process == m.INIT and self._log is not None:
            position = self._log.position()
        spec = starter.spec_of(request.attachment)
        client = self._add_client(next(self._numbers), sock, spec)
        connection.attachments.add(client.number)
        process.attach(client, hold=request.hold)
        return m.Attached(attachment=client.number, log=position)

    def _resume(self, _connection: Connection, request: m.Resume, _fds: Descriptors) -> m.Message:
        client = self._clients.get(request.attachment)
        if client is None:
            return m.Failed(step="resume", message="the client has gone")
        client.resume()
        return m.Done()

    def _resize(self, _connection: Connection, request: m.Resize, _fds: Descriptors) -> m.Message:
        process = self._processes.get(request.process)
        if process is None:
            return m.Failed(step="resize", message="the process is not running")
        try:
            process.resize(request.height, request.width)
        except OSError as error:
            return _failed("resize", error)
        return m.Done()

    def _signal(self, _connection: Connection, request: m.Signal, _fds: Descriptors) -> m.Message:
        process = self._processes.get(request.process)
        if process is None or process.exit_code is not None:
            return m.Failed(step="signal", message="the process is not running")
        try:
            if request.everyone:
                _signal_all(self._containment.processes(self._plan().cgroup), request.signal)
            else:
                # Our own child, not reaped yet: the number still means this process.
                os.kill(process.pid, request.signal)
        except (OSError, OverflowError) as error:  # the latter: a number of more than 32 bits
            return _failed("signal", error)
        return m.Done()

    def _state(self, *_: object) -> m.Message:
        unreported, self._unreported = self._unreported, []
        running = (
            m.ExecState(exec_id=process.name, pid=process.pid, running=True)
            for process in self._processes.values()
            if process.name != m.INIT
        )
        birth = self._birth
        return m.State(
            container_id=birth.container_id,
            status="exited" if self._exit else "running",
            pid=0 if self._exit else birth.pid,
            started_ns=birth.started_ns,
            execs=(*running, *unreported),
            exit=self._exit,
            lost_log_lines=self._log.lost_lines if self._log is not None else 0,
            log_waits=self._log is not None and self._log.congested,
            log_trouble=self._log.trouble if self._log is not None else "",
            attachments=len(self._clients),
            protocol=m.PROTOCOL,
        )

    def _release(self, *_: object) -> m.Message:
        if self._exit is None:
            return m.Failed(step="release", message="the container has not ended")
        if self._listener is not None:
            self._loop.forget(self._listener.fileno())
            self._listener.close()
        remove_directory(self._birth.directory)
        return m.Released()


_Answer = Callable[[Supervisor, Connection, Any, Descriptors], m.Message]
_ANSWERS: Final[dict[type[m.Message], _Answer]] = {
    m.Attach: Supervisor._attach,
    m.Resume: Supervisor._resume,
    m.Resize: Supervisor._resize,
    m.Signal: Supervisor._signal,
    m.StateQuery: Supervisor._state,
    m.Release: Supervisor._release,
}


def _no_room() -> OSError:
    return OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def _close(fds: Descriptors) -> None:
    for fd in fds:
        os.close(fd)


def _signal_all(pids: tuple[int, ...], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            pidfd = os.pidfd_open(pid)
            try:
                pidfd_send_signal(pidfd, number)
            finally:
                os.close(pidfd)


def _failed(step: str, error: OSError | OverflowError) -> m.Failed:
    number = error.errno or 0 if isinstance(error, OSError) else errno.EINVAL
    return m.Failed(step=step, message=str(error), errno=number)
