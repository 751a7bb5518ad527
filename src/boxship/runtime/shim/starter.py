"""A process that lives for one start: it does the work whose memory the shim shall not keep.

::

    shim                                starter                               init or exec
    fork ─────────────────────────────► receive and parse the request
    wait, or go on                      directory, pipes, listening socket
                                        fork as a child of the *shim* ──────► steps … execve
    ◄──────────── Birth + descriptors   what came of it; answer the daemon
    reap ◄───────────────────────────── exit

The shim waits for the container itself, without which it has nothing to do. For an exec it does
not: its process is on its way inside the container, where others can stop it for as long as they
like; ``process.EXEC_PATIENCE`` bounds it.

Parsing a plan and walking through the runtime's code touches some 2 MB of the pages that shims
share with the launcher, and touching means copying. Here the copies go away with the process. The
container's init is the shim's child all the same (CLONE_PARENT), so that the shim reaps it and
takes it along when it dies. The first request, that for the container itself, the starter even
receives on its own; an exec's has been received by the shim, in whose connection it came.

The outcome travels as a marshalled tuple: reading that touches next to nothing. It holds all that
a client has typed before the start, and may be larger than a message of the kernel's; then it lies
in a file without a name, of which a ``_Stored`` tells.
"""

import _socket
import contextlib
import errno
import marshal
import os
import signal
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, NoReturn

from boxship.kernel import processes
from boxship.runtime import messages as m
from boxship.runtime.blueprint import Plan, ProcessPlan
from boxship.runtime.control_codec import (
    MAX_FDS,
    Decoder,
    Frame,
    ProtocolError,
    RawFrame,
    encode,
    parse,
    target_to_json,
)
from boxship.runtime.process import Spawned, StepFailedError
from boxship.runtime.shim.attachment import Spec
from boxship.runtime.shim.containment import Containment, Descriptors, Init
from boxship.runtime.shim.directory import make_directory, remove_directory
from boxship.runtime.shim.stdio import Ends, open_pipes, terminal_ends

_BUILD_FAILED = 125
_MAX_BIRTH = 1 << 15
_ANCILLARY = _socket.CMSG_SPACE(4 * (MAX_FDS + 8))

Descriptor = int
PlainSpec = tuple[bool, bool, bool, bool, bytes, bytes]
Outcome = tuple["Birth", tuple[Descriptor, ...]]


class Birth(NamedTuple):
    """What the shim has to know of a process. ``reply`` goes to the daemon as it is.

    ``broken``: the request broke the protocol. ``pid`` 0: there is no process, ``reply`` says why.
    The descriptors beside it: ``streams``, then the listening socket, then the clients.
    """

    broken: bool = False
    reply: bytes = b""
    pid: int = 0
    name: str = m.INIT
    tty: bool = False
    stdin_once: bool = False
    attachments: tuple[PlainSpec, ...] = ()
    """A ``Spec`` for each client, plain."""
    streams: tuple[int, ...] = ()
    """What the first descriptors are: STDOUT, STDERR, or 0 for the inlet."""
    container_id: str = ""
    directory: str = ""
    log: tuple[Any, ...] = ()
    """The fields of a ``LogSpec``."""
    plan: str = ""
    """What is still to know of the plan, the cgroups above all, as JSON."""
    adopts: bool = False
    """Orphans come to the shim. The starter ends, and leaves it its own, when it is ready."""
    started_ns: int = 0


class _Stored(NamedTuple):
    """Stands for a birth too large to travel. Its file is the first descriptor."""

    length: int
    pid: int


def spec_of(attachment: m.Attachment) -> Spec:
    """Return the fields of ``attachment``."""
    return Spec(*_plain(attachment))


def _plain(a: m.Attachment) -> PlainSpec:
    return a.stdin, a.stdout, a.stderr, a.framed, a.detach_keys, a.prefix


class Starter(NamedTuple):
    """A starter at work. ``channel`` becomes readable when it is done."""

    pid: int
    channel: _socket.socket


def begin(work: Callable[[], Outcome]) -> Starter:
    """Do ``work`` in a process of its own. Raise OSError when that could not be made."""
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0)
    try:
        shim = os.getpid()
        pid = os.fork()
        if pid == 0:
            ours.close()  # or the shim's closing it would be no news
            _work(shim, theirs, work)
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    return Starter(pid, ours)


def finish(starter: Starter) -> Outcome:
    """Return what came of the work, and the descriptors; wait for it if need be.

    Raise OSError when the starter died.
    """
    try:
        data, rights, _, _ = starter.channel.recvmsg(
            _MAX_BIRTH, _ANCILLARY, _socket.MSG_CMSG_CLOEXEC
        )
        if not data:
            raise OSError("the process that starts others has died")
        fds = received(rights)
        content = marshal.loads(data)
        if len(content) == len(_Stored._fields):
            content, fds = _unpack(_Stored(*content), fds)
        birth = Birth(*content)
        if birth.adopts:
            processes.set_child_subreaper()
    finally:
        starter.channel.close()  # for which the starter waits if we adopt
        os.waitpid(starter.pid, 0)
    return birth, fds


def _store(content: bytes) -> Descriptor:
    """Return a file without a name that holds ``content``."""
    fd = os.memfd_create("boxship-birth")
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]
    return fd


def _unpack(
    stored: _Stored, fds: tuple[Descriptor, ...]
) -> tuple[tuple[Any, ...], tuple[Descriptor, ...]]:
    """Read a stored birth. Raise OSError, having ended the process, when it did not arrive."""
    if not fds:  # no room in our table
        if stored.pid:
            os.kill(stored.pid, signal.SIGKILL)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    try:
        return marshal.loads(os.pread(fds[0], stored.length, 0)), fds[1:]
    finally:
        os.close(fds[0])


def run(work: Callable[[], Outcome]) -> Outcome:
    """``begin`` and ``finish``."""
    return finish(begin(work))


def received(rights: list[tuple[int, int, bytes]]) -> tuple[Descriptor, ...]:
    """Return the descriptors in what ``recvmsg`` calls ancillary data."""
    fds: tuple[Descriptor, ...] = ()
    for _, _, array in rights:
        fds += struct.unpack(f"{len(array) // 4}i", array)
    return fds


def die_with(shim: int) -> None:
    """End when our parent ``shim`` does, at once if it already has."""
    processes.set_parent_death_signal(signal.SIGKILL)
    if os.getppid() != shim:
        os._exit(1)


def _work(shim: int, channel: _socket.socket, work: Callable[[], Outcome]) -> NoReturn:
    """Be the starter. Nothing of the shim's own code may run on from here."""
    status = 1
    try:
        # Our end of a handshake is what a half-born process takes for the shim's.
        die_with(shim)
        try:
            birth, fds = work()
        except ProtocolError:
            birth, fds = Birth(broken=True), ()
        data = marshal.dumps(tuple(birth))
        if len(data) > _MAX_BIRTH:
            fds = (_store(data), *fds)
            data = marshal.dumps((len(data), birth.pid))
        rights = struct.pack(f"{len(fds)}i", *fds)
        ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if fds else []
        channel.sendmsg([data], ancillary)
        if birth.adopts:
            channel.recv(1)
        status = 0
    except BaseException:  # noqa: BLE001 - a defect: say so in the launcher's log
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def serve_start(control: _socket.socket, containment: Containment) -> Outcome:
    """Receive the first request, carry it out and answer it; to be done by ``run``."""
    raw = _receive(control)
    if raw.kind is not m.Start or raw.seq == 0:
        raise ProtocolError("the first request is not start")
    frame = parse(raw)
    error = _no_sockets(raw.fds)
    numbers = tuple(range(1, len(raw.fds) + 1))
    if _has_hung_up(control):
        # Its successor can't see yet that this was asked for, and may have it done once more.
        raise ProtocolError("the daemon has gone")

    def answer(reply: bytes) -> None:
        with contextlib.suppress(OSError):  # a daemon that has gone again is no reason to stop
            control.sendall(reply)

    birth, fds = (
        _refused(frame, "attach", error)
        if error
        else start_container(containment, numbers, frame, answer)
    )
    if birth.pid:
        return birth, (*fds, *raw.fds)
    answer(birth.reply)
    return birth, ()


def serve_exec(
    raw: RawFrame,
    containment: Containment,
    numbers: tuple[int, ...],
    container: tuple[int, int, str],
    taken: tuple[str, ...],
) -> Outcome:
    """Carry out a request that the shim has received; to be done by ``run``."""
    frame = parse(raw)
    error = _no_sockets(raw.fds)
    if error:
        return _refused(frame, "attach", error)
    return start_exec(containment, numbers, container, taken, frame)


def _no_sockets(fds: tuple[Descriptor, ...]) -> OSError | None:
    """Return what is wrong with descriptors that should be connections."""
    try:
        for fd in fds:
            _socket.socket(fileno=fd).detach()
    except OSError as error:
        return error
    return None


def _has_hung_up(control: _socket.socket) -> bool:
    try:
        return not control.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


def _receive(control: _socket.socket) -> RawFrame:
    """Receive exactly one message, since the next is for the shim."""
    decoder = Decoder()
    raw = None
    while raw is None:
        data, rights, _, _ = control.recvmsg(
            decoder.wanted(), _socket.CMSG_SPACE(4 * MAX_FDS), _socket.MSG_CMSG_CLOEXEC
        )
        if not data:
            raise ProtocolError("the daemon has gone")
        decoder.feed(data, received(rights))
        raw = decoder.next_raw()
    return raw


# ── jobs ─────────────────────────────────────────────────────────────────────────────────────


def start_container(
    containment: Containment,
    numbers: tuple[int, ...],
    frame: Frame,
    answer: Callable[[bytes], None],
) -> Outcome:
    """Make the shim's directory and the container. ``numbers`` are the attachments'.

    ``answer`` gets the reply when the container runs; what the shim is to know comes after that.
    """
    request = frame.message
    assert isinstance(request, m.Start)
    _check_count(request.attachments, numbers)
    try:
        plan = Plan.from_plain(request.plan)
        listener = make_directory(request.directory, os.getppid())
    except (OSError, ValueError) as error:
        return _refused(frame, "shim", error)
    _touch(request.log.path)

    def spawn(streams: Descriptors) -> Spawned:
        return containment.spawn_init(plan, streams, terminal=request.stdio.tty)

    try:
        spawned, ends = _spawn(request.stdio, spawn)
    except (OSError, StepFailedError) as error:
        remove_directory(request.directory)
        return _refused(frame, "stdio", error)
    started_ns = time.time_ns()
    birth = _birth(frame, spawned, ends, started_ns, numbers)
    answer(birth.reply)
    rest = _rest(plan)
    birth = birth._replace(
        tty=request.stdio.tty,
        stdin_once=request.stdio.stdin_once,
        attachments=tuple(_plain(a) for a in request.attachments),
        container_id=request.container_id,
        directory=request.directory,
        log=_plain_log(request.log),
        plan=rest.to_json(),
        adopts=not plan.new_pid_namespace or bool(plan.foreign or plan.restore),
    )
    return birth, (*_parent_ends(ends), listener.detach())


def _plain_log(log: m.LogConfig) -> tuple[Any, ...]:
    target = log.target
    return (
        log.path,
        log.max_size,
        log.max_file,
        log.attributes,
        log.form,
        log.compress,
        log.losses,
        *(
            ("",)
            if target is None
            else (target_to_json(target), target.blocking, target.buffer_size)
        ),
    )


def _rest(plan: Plan) -> Plan:
    """Return what is still to know of a plan once it is carried out."""
    foreign = plan.foreign and replace(plan.foreign, config="")
    return replace(plan, setup=(), process=ProcessPlan(args=()), foreign=foreign, restore=None)


def start_exec(
    containment: Containment,
    numbers: tuple[int, ...],
    container: tuple[int, int, str],
    taken: tuple[str, ...],
    frame: Frame,
) -> Outcome:
    """Start a process in ``container`` (pid and pidfd of its init, rest of its plan)."""
    request = frame.message
    assert isinstance(request, m.Exec)
    _check_count(request.attachments, numbers)
    if not request.exec_id or request.exec_id in taken:
        return _refused(frame, "exec", ValueError("the exec id is empty or in use"))
    pid, pidfd, rest = container

    def spawn(streams: Descriptors) -> Spawned:
        process = ProcessPlan.from_plain(request.plan)
        init = Init(pid, pidfd, Plan.from_json(rest))
        name = request.exec_id
        return containment.spawn_exec(init, process, streams, terminal=request.stdio.tty, name=name)

    try:
        spawned, ends = _spawn(request.stdio, spawn)
    except (OSError, ValueError, StepFailedError) as error:
        return _refused(frame, "exec", error)
    birth = _birth(frame, spawned, ends, time.time_ns(), numbers)._replace(
        name=request.exec_id,
        tty=request.stdio.tty,
        stdin_once=request.stdio.stdin_once,
        attachments=tuple(_plain(a) for a in request.attachments),
    )
    return birth, _parent_ends(ends)


def _spawn(stdio: m.Stdio, spawn: Callable[[Descriptors], Spawned]) -> tuple[Spawned, Ends]:
    ends = open_pipes(stdio)
    spawned = spawn(ends.child)
    return spawned, terminal_ends(spawned.master) if stdio.tty else ends


def _birth(
    frame: Frame, spawned: Spawned, ends: Ends, started_ns: int, numbers: tuple[int, ...]
) -> Birth:
    reply = m.Started(
        pid=spawned.pid,
        started_ns=started_ns,
        timings=tuple(
            m.StepTiming(step=t.step, started=t.started, ended=t.ended) for t in spawned.timings
        ),
        warnings=spawned.warnings,
        attachments=numbers,
    )
    streams = (*((0,) if ends.inlet >= 0 else ()), *ends.outlets.values())
    return Birth(
        reply=encode(reply, seq=frame.seq),
        pid=spawned.pid,
        streams=streams,
        started_ns=started_ns,
    )


def _parent_ends(ends: Ends) -> tuple[Descriptor, ...]:
    return (*((ends.inlet,) if ends.inlet >= 0 else ()), *ends.outlets)


def _check_count(attachments: tuple[m.Attachment, ...], numbers: tuple[int, ...]) -> None:
    if len(attachments) != len(numbers):
        raise ProtocolError(f"{len(attachments)} attachments, {len(numbers)} descriptors")


def _refused(frame: Frame, step: str, error: Exception) -> Outcome:
    if isinstance(error, StepFailedError):
        failed = m.Failed(
            step=error.step, message=error.message, errno=error.errno, exit_code=error.exit_code
        )
    else:
        number = error.errno or 0 if isinstance(error, OSError) else 0
        failed = m.Failed(step=step, message=str(error), errno=number, exit_code=_BUILD_FAILED)
    return Birth(reply=encode(failed, seq=frame.seq)), ()


def _touch(path: str) -> None:
    """Make the log exist from the start; a disk that is full will be told with the first line."""
    if path:
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640))
