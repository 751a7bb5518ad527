"""The shim's decisions: what each request does, and what happens when a process ends.

::

    idle ──start──► running ──init reaped and drained──► ended ──release, or no daemon──► gone
      │ failed, or the daemon leaves                       exit.json, exited
      └──────────────────────────────────────────────────────────────────────────────────► gone

Being gone waits for attached clients that still have output to take. A control connection that
ends changes nothing for a running container.
"""

import contextlib
import gc
import os
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from select import EPOLLIN
from signal import pidfd_send_signal
from typing import Any, Final

from boxship.base.errors import BoxshipError
from boxship.runtime import messages as m
from boxship.runtime.blueprint import Plan, ProcessPlan
from boxship.runtime.control_codec import Frame, ProtocolError
from boxship.runtime.process import Spawned, StepFailedError
from boxship.runtime.shim.attachment import Client
from boxship.runtime.shim.containerlog import ContainerLog
from boxship.runtime.shim.containment import Containment
from boxship.runtime.shim.control import Connection
from boxship.runtime.shim.directory import Directory
from boxship.runtime.shim.loop import Loop
from boxship.runtime.shim.process import Notices, Process
from boxship.runtime.shim.stdio import open_pipes, terminal_ends

_BUILD_FAILED: Final = 125


class Supervisor:
    """Keeps one container. Give it control connections with ``accept``."""

    def __init__(self, loop: Loop, containment: Containment) -> None:
        self._loop = loop
        self._containment = containment
        self._connections: list[Connection] = []
        self._clients: dict[int, Client] = {}
        self._numbers = count(1)
        self._processes: dict[str, Process] = {}
        self._unreported: list[m.ExecState] = []
        self._notices = Notices(ended=self._process_ended, detached=self._client_detached)
        # Set by start:
        self._container_id = ""
        self._plan: Plan | None = None
        self._directory: Directory | None = None
        self._log: ContainerLog | None = None
        self._pid = 0
        self._pidfd = -1
        self._started_ns = 0
        # Set at the end:
        self._finished_ns = 0
        self._oom_killed = False
        self._exit: m.Exit | None = None
        self._recorded = False
        self._released = False

    # ── control connections ──────────────────────────────────────────────────────────────────

    def accept(self, connection: Connection) -> None:
        """Take a connection whose requests come to ``request`` and end to ``disconnected``."""
        self._connections.append(connection)

    def disconnected(self, connection: Connection) -> None:
        """A daemon is gone. What it was replaying to held clients can never be whole: drop them."""
        if connection in self._connections:
            self._connections.remove(connection)
        for number in connection.attachments:
            client = self._clients.get(number)
            if client is not None and client.held:
                client.close()
        self._go_if_done()

    def request(self, connection: Connection, frame: Frame) -> None:
        """Answer one request. Raise ProtocolError for what is none."""
        answer = _REQUESTS.get(type(frame.message))
        if answer is None or frame.seq <= 0:
            _close(frame.fds)
            raise ProtocolError("not a request")
        reply = answer(self, connection, frame.message, frame.fds)
        connection.send(reply, seq=frame.seq)
        if isinstance(reply, m.Released):
            self._released = True
        self._go_if_done()

    def _tell(self, event: m.Message) -> bool:
        for connection in tuple(self._connections):
            connection.send(event)
        return bool(self._connections)

    # ── start ────────────────────────────────────────────────────────────────────────────────

    def _start(self, connection: Connection, request: m.Start, fds: tuple[int, ...]) -> m.Message:
        if self._directory is not None:
            _close(fds)
            return m.Failed(step="start", message="already started")
        try:
            clients = self._make_clients(request.attachments, fds)
            self._directory = Directory(request.directory)
            plan = Plan.from_plain(request.plan)
        except (OSError, ValueError) as error:
            return self._start_failed(_failed("shim", error))
        self._container_id = request.container_id
        self._listen(self._directory)
        if request.log.path:
            self._log = ContainerLog(request.log)

        def spawn(streams: tuple[int, int, int]) -> Spawned:
            return self._containment.spawn_init(plan, streams, terminal=request.stdio.tty)

        try:
            spawned = self._spawn(m.INIT, request.stdio, spawn, clients)
        except (OSError, StepFailedError) as error:
            return self._start_failed(_failed("stdio", error))
        self._pid, self._pidfd = spawned.pid, spawned.pidfd
        self._started_ns = time.time_ns()
        # The rest of the plan is not needed again, and large.
        self._plan = replace(plan, setup=(), process=ProcessPlan(args=()))
        return _started(spawned, self._started_ns, clients)

    def _start_failed(self, reply: m.Failed) -> m.Failed:
        for client in tuple(self._clients.values()):
            client.finish()
        if self._log is not None:
            self._log.finish()
        if self._directory is not None:
            self._loop.forget(self._directory.listener.fileno())
            self._directory.remove()
        self._released = True
        return reply

    def _listen(self, directory: Directory) -> None:
        def on_event(_events: int) -> None:
            try:
                sock, _ = directory.listener.accept()
            except OSError:  # the peer has gone again, or descriptors have run out
                return
            self.accept(
                Connection(
                    sock,
                    loop=self._loop,
                    on_request=self.request,
                    on_closed=self.disconnected,
                )
            )

        self._loop.watch(directory.listener.fileno(), EPOLLIN, on_event)

    # ── processes ────────────────────────────────────────────────────────────────────────────

    def _spawn(
        self,
        name: str,
        stdio: m.Stdio,
        spawn: Callable[[tuple[int, int, int]], Spawned],
        clients: list[Client],
    ) -> Spawned:
        """Bring a process to life with ``clients`` attached before its first output is read."""
        ends = open_pipes(stdio)
        try:
            spawned = spawn(ends.child)
        except BaseException:
            ends.close()
            raise
        ends.close_child()
        if stdio.tty:
            ends = terminal_ends(spawned.master)
        sink = self._log if name == m.INIT else None
        process = Process(
            name, spawned.pid, stdio, ends, loop=self._loop, notices=self._notices, sink=sink
        )
        self._processes[name] = process
        for client in clients:
            process.attach(client)
        return spawned

    def _exec(self, connection: Connection, request: m.Exec, fds: tuple[int, ...]) -> m.Message:
        init = self._processes.get(m.INIT)
        plan = self._plan
        if plan is None or init is None or init.exit_code is not None:
            _close(fds)
            return m.Failed(step="exec", message="the container is not running")
        if not request.exec_id or request.exec_id in self._processes:
            _close(fds)
            return m.Failed(step="exec", message="the exec id is empty or in use")
        try:
            process = ProcessPlan.from_plain(request.plan)
            clients = self._make_clients(request.attachments, fds)
        except (OSError, ValueError) as error:
            return _failed("exec", error)

        def spawn(streams: tuple[int, int, int]) -> Spawned:
            return self._containment.spawn_exec(
                self._pidfd, process, plan.cgroup, streams, terminal=request.stdio.tty
            )

        try:
            spawned = self._spawn(request.exec_id, request.stdio, spawn, clients)
        except (OSError, StepFailedError) as error:
            for client in clients:
                client.finish()
            return _failed("exec", error)
        os.close(spawned.pidfd)
        return _started(spawned, time.time_ns(), clients)

    def reap(self) -> None:
        """Collect every child that has ended, orphans of the container's included."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            for process in tuple(self._processes.values()):
                if process.pid == pid and process.exit_code is None:
                    self._reaped(process, code if code >= 0 else 128 - code)

    def _reaped(self, process: Process, exit_code: int) -> None:
        if process.name == m.INIT and self._plan is not None:
            self._finished_ns = time.time_ns()
            self._oom_killed = self._containment.out_of_memory(self._plan.cgroup)
            if not self._plan.new_pid_namespace:
                # The kernel ends a pid namespace with its init; elsewhere that is our duty.
                self._destroy(self._plan)
        process.reaped(exit_code)

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

    # ── end ──────────────────────────────────────────────────────────────────────────────────

    def _container_ended(self, init: Process) -> None:
        assert self._plan is not None and self._directory is not None
        for process in tuple(self._processes.values()):
            if process is not init and process.exit_code is not None:
                process.drain()
        if self._log is not None:
            self._log.finish()
        self._exit = m.Exit(
            exit_code=init.exit_code or 0,
            oom_killed=self._oom_killed,
            finished_ns=self._finished_ns,
        )
        self._recorded = self._directory.write_exit(self._exit)
        self._tell(m.Exited(exit=self._exit))
        self._destroy(self._plan)
        # Not at once: the clients of the process have not been told to finish yet.
        self._loop.call_later(0, self._go_if_done)

    def _destroy(self, plan: Plan) -> None:
        """Remove the cgroups; should one stay, the daemon's own clean-up tries again."""
        with contextlib.suppress(OSError, BoxshipError):
            self._containment.destroy(plan)

    def _release(self, _connection: Connection, _request: m.Release, fds: Any) -> m.Message:
        _close(fds)
        if self._exit is None or self._directory is None:
            return m.Failed(step="release", message="the container has not ended")
        self._loop.forget(self._directory.listener.fileno())
        self._directory.remove()
        return m.Released()

    def _go_if_done(self) -> None:
        """Leave when nobody needs this process any more."""
        if self._released:
            for connection in tuple(self._connections):
                connection.finish()
        idle = self._directory is None
        unheard = self._exit is not None and self._recorded and not self._released
        if self._connections or self._clients or not (idle or unheard or self._released):
            return
        if unheard and self._directory is not None:
            self._directory.close()
        self._loop.stop()

    # ── clients ──────────────────────────────────────────────────────────────────────────────

    def _make_clients(self, specs: tuple[m.Attachment, ...], fds: tuple[int, ...]) -> list[Client]:
        """Take over connections; close them all and raise OSError when one is no socket."""
        if len(specs) != len(fds):
            _close(fds)
            raise ProtocolError(f"{len(specs)} attachments, {len(fds)} descriptors")
        clients: list[Client] = []
        try:
            for spec, fd in zip(specs, fds, strict=True):
                number = next(self._numbers)
                client = Client(number, fd, spec, loop=self._loop, on_closed=self._client_closed)
                self._clients[number] = client
                clients.append(client)
        except OSError:
            for client in clients:
                client.close()
            _close(fds[len(clients) :])
            raise
        return clients

    def _attach(self, connection: Connection, request: m.Attach, fds: tuple[int, ...]) -> m.Message:
        process = self._processes.get(request.process)
        if process is None or process.ended:
            _close(fds)
            return m.Failed(step="attach", message="the process is not running")
        try:
            [client] = self._make_clients((request.attachment,), fds)
        except OSError as error:
            return _failed("attach", error)
        position = m.LogPosition()
        if request.process == m.INIT and self._log is not None:
            position = self._log.position()
        connection.attachments.add(client.number)
        process.attach(client, hold=request.hold)
        return m.Attached(attachment=client.number, log=position)

    def _resume(self, _connection: Connection, request: m.Resume, fds: Any) -> m.Message:
        _close(fds)
        client = self._clients.get(request.attachment)
        if client is None:
            return m.Failed(step="resume", message="the client has gone")
        client.resume()
        return m.Done()

    def _client_detached(self, process: Process, client: Client, keys: bool) -> None:
        if process.exit_code is None:
            self._tell(m.Detached(attachment=client.number, process=process.name, keys=keys))

    def _client_closed(self, client: Client) -> None:
        del self._clients[client.number]
        for connection in self._connections:
            connection.attachments.discard(client.number)
        self._go_if_done()

    # ── small requests ───────────────────────────────────────────────────────────────────────

    def _resize(self, _connection: Connection, request: m.Resize, fds: Any) -> m.Message:
        _close(fds)
        process = self._processes.get(request.process)
        try:
            if process is None:
                raise OSError("the process is not running")  # noqa: TRY301
            process.resize(request.height, request.width)
        except OSError as error:
            return _failed("resize", error)
        return m.Done()

    def _signal(self, _connection: Connection, request: m.Signal, fds: Any) -> m.Message:
        _close(fds)
        process = self._processes.get(request.process)
        if self._plan is None or process is None or process.exit_code is not None:
            return m.Failed(step="signal", message="the process is not running")
        try:
            if request.everyone:
                _signal_all(self._containment.processes(self._plan.cgroup), request.signal)
            else:
                # Our own child, not reaped yet: the number still means this process.
                os.kill(process.pid, request.signal)
        except OSError as error:
            return _failed("signal", error)
        return m.Done()

    def _state(self, _connection: Connection, _request: m.StateQuery, fds: Any) -> m.Message:
        _close(fds)
        unreported, self._unreported = self._unreported, []
        running = (
            m.ExecState(exec_id=process.name, pid=process.pid, running=True)
            for process in self._processes.values()
            if process.name != m.INIT
        )
        status = "exited" if self._exit else "running" if self._plan else "idle"
        return m.State(
            container_id=self._container_id,
            status=status,
            pid=self._pid if status == "running" else 0,
            started_ns=self._started_ns,
            execs=(*running, *unreported),
            exit=self._exit,
            lost_log_lines=self._log.lost_lines if self._log is not None else 0,
            attachments=len(self._clients),
        )


_REQUESTS: Final[
    dict[type, Callable[[Supervisor, Connection, Any, tuple[int, ...]], m.Message]]
] = {
    m.Start: Supervisor._start,
    m.Exec: Supervisor._exec,
    m.Attach: Supervisor._attach,
    m.Resume: Supervisor._resume,
    m.Resize: Supervisor._resize,
    m.Signal: Supervisor._signal,
    m.StateQuery: Supervisor._state,
    m.Release: Supervisor._release,
}


def _close(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)


def _signal_all(pids: tuple[int, ...], number: int) -> None:
    for pid in pids:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(pidfd)


def _started(spawned: Spawned, started_ns: int, clients: list[Client]) -> m.Started:
    return m.Started(
        pid=spawned.pid,
        started_ns=started_ns,
        timings=tuple(
            m.StepTiming(step=t.step, started=t.started, ended=t.ended) for t in spawned.timings
        ),
        warnings=spawned.warnings,
        attachments=tuple(client.number for client in clients),
    )


def _failed(step: str, error: Exception) -> m.Failed:
    if isinstance(error, StepFailedError):
        return m.Failed(
            step=error.step,
            message=error.message,
            errno=error.errno,
            exit_code=error.exit_code,
        )
    errno = error.errno or 0 if isinstance(error, OSError) else 0
    return m.Failed(step=step, message=str(error), errno=errno, exit_code=_BUILD_FAILED)
