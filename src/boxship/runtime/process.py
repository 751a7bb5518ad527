"""Bring processes of a container to life, and end what is left. Called by the shim.

The caller must be single-threaded: its children go on with its Python, and ``spawn_init`` changes
the pid namespace they are born into for a moment. The handshake with the child is drawn in
``birth.py``.
"""

from __future__ import annotations

import errno
import os
import time

from boxship.base import jsontext
from boxship.base.errors import BoxshipError
from boxship.base.frozen import dataclass
from boxship.base.loading import load
from boxship.base.suppress import suppress
from boxship.kernel import namespaces, processes, signals
from boxship.kernel.channel import Channel, channel_pair
from boxship.runtime import birth, enter
from boxship.runtime.apply import StepError
from boxship.runtime.blueprint import CgroupPlan, Plan, ProcessPlan, SeccompFilter, UserPlan
from boxship.runtime.cgroups import control, tree
from boxship.runtime.kin import is_kin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import NoReturn

    Answer = Callable[["Spawned"], None]
    """Does what the child asks for; what it raises ends the child."""

_NO_ANSWERS: Mapping[str, Answer] = {}
_PID = namespaces.CLONE_FLAGS["pid"]
_MAX_MESSAGE = 65536
EXEC_PATIENCE = 10.0
"""Seconds until an exec must be executing: what is in the container can stop or freeze it.

So can the neighbours of a container's first process that is born in their pid namespace.
"""
_STUCK = f"the process was stopped on its way for more than {EXEC_PATIENCE:.0f} s"


class StepFailedError(BoxshipError):
    """A step failed, in the parent or in the child. ``str()`` is the message alone, for a person.

    ``exit_code`` is what Docker's client exits with: 125 the container could not be set up,
    126 the command cannot be executed, 127 it was not found. ``errno`` is 0 when no system call
    was to blame.
    """

    def __init__(self, step: str, errno: int, message: str, exit_code: int = 125) -> None:
        super().__init__(message)
        self.step = step
        self.errno = errno
        self.message = message
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Timing:
    """``started`` and ``ended`` in ns of CLOCK_MONOTONIC, comparable between processes."""

    step: str
    started: int
    ended: int


@dataclass(frozen=True, slots=True)
class Spawned:
    """A process that has executed its command. The caller owns and closes the descriptors.

    ``pid`` is as the caller's pid namespace sees it; the caller is its parent and reaps it.
    ``master`` is the pty's master side (close-on-exec, blocking) when a terminal was asked for,
    else -1; resize it with ``boxship.kernel.terminal.set_window_size(master, height, width)``.
    """

    pid: int
    pidfd: int
    master: int
    warnings: tuple[str, ...]
    timings: tuple[Timing, ...]


@dataclass(slots=True)
class _Heard:
    """What came over the handshake until its end."""

    pid: int = 0
    pidfd: int = -1
    born: bool = False
    """Whether another process has taken the place of the one that we have forked."""
    master: int = -1
    ready: bool = False
    warnings: tuple[str, ...] = ()
    ended: tuple[int, ...] = ()
    failure: StepFailedError | None = None


class _Course:
    """When each step ended, so that ``--trace`` can tell where the time went."""

    def __init__(self, setup: list[str]) -> None:
        self._names = [*setup, *(name for name, _ in enter.PREPARATIONS)]
        self._before = time.monotonic_ns()
        self._ours: list[Timing] = []

    def note(self, step: str) -> None:
        """A step of the parent's has just ended."""
        now = time.monotonic_ns()
        self._ours.append(Timing(step, self._before, now))
        self._before = now

    def timings(self, ended: tuple[int, ...]) -> tuple[Timing, ...]:
        """Return all, now that the command is executing; ``ended`` are the child's steps."""
        result = list(self._ours)
        before = self._before
        for name, end in zip(self._names, ended, strict=False):
            result.append(Timing(name, min(before, end), end))  # the child may be ahead of us
            before = end
        return (*result, Timing("exec", before, time.monotonic_ns()))


def spawn_init(
    plan: Plan,
    stdin: int,
    stdout: int,
    stderr: int,
    *,
    terminal: bool | None = None,
    sibling: bool = False,
    manner: birth.Manner = birth.ORDINARY,
    answers: Mapping[str, Answer] = _NO_ANSWERS,
) -> Spawned:
    """Create the container that ``plan`` describes and return once its command is executing.

    ``stdin``, ``stdout``, ``stderr`` become the process's 0, 1, 2 (the caller keeps and closes its
    own copies; the same number may be given more than once). With ``terminal`` (default:
    ``plan.process.terminal``; the plan must have a MakeConsole step) they are ignored, pass -1:
    the child opens a pty in the container's own devpts and its master comes back in
    ``Spawned.master``. With ``sibling`` the process becomes a child of our parent.

    With a gate in ``manner`` it returns when the process waits there. ``answers`` has one entry
    for each of ``manner.asks``; it is given what is known of the process by then.

    On failure nothing is left (child reaped, cgroups removed) and StepFailedError is raised.
    """
    del terminal  # the plan's MakeConsole step decides
    names = ["join cgroups", *(["user namespace"] if plan.user is not None else [])]
    course = _Course([*names, *(type(step).__name__ for step in plan.setup)])

    def child(channel: Channel) -> NoReturn:
        birth.run_init(plan, (stdin, stdout, stderr), channel, manner)

    try:
        with _Scope(plan.cgroup):
            _create_cgroups(plan.cgroup)
            course.note("cgroups")
            terms = _Terms(
                sibling,
                manner,
                answers,
                plan.user,
                plan.process.seccomp,
                plan.warnings,
                # Hooks may take their time.
                exposed=bool(plan.join_pid_namespace) and not manner.start_container,
            )
            return _spawn(child, plan, course, terms)
    except BaseException:
        with suppress(BoxshipError, OSError):
            destroy(plan)
        raise


def spawn_exec(  # noqa: PLR0917 - three descriptors in their usual order
    pidfd: int,
    process: ProcessPlan,
    cgroup: CgroupPlan,
    stdin: int,
    stdout: int,
    stderr: int,
    *,
    terminal: bool | None = None,
    sibling: bool = False,
    manner: birth.Manner = birth.ORDINARY,
    answers: Mapping[str, Answer] = _NO_ANSWERS,
) -> Spawned:
    """Run one more process in the container whose init ``pidfd`` refers to.

    ``cgroup`` is the container's (``plan.cgroup``); its values are not written again. Everything
    else is as in ``spawn_init``. The new process dies with the caller unless ``manner`` says no.
    """
    with_terminal = process.terminal if terminal is None else terminal
    course = _Course(["join", "pty"])
    terms = _Terms(sibling, manner, answers, seccomp=process.seccomp)
    ours, theirs = _handshake()
    with ours:
        with theirs:
            joiner = _fork(cgroup, sibling, pidfd)
            if joiner == 0:
                ours.close()
                stdio = (stdin, stdout, stderr)
                birth.join(
                    pidfd, process, cgroup, stdio, theirs, terminal=with_terminal, manner=manner
                )
        ours.settimeout(EXEC_PATIENCE)
        heard = _Heard()
        try:
            _listen(ours, heard, terms)
        except TimeoutError:
            heard.failure = StepFailedError("exec", errno.ETIMEDOUT, _STUCK)
            with suppress(ProcessLookupError):
                os.kill(joiner, signals.SIGKILL)
        except BaseException:
            _discard(heard)
            raise
        finally:
            if not sibling:
                os.waitpid(joiner, 0)
    return _outcome(heard, course, cgroup)


def destroy(plan: Plan) -> None:
    """Kill what is left in the container's cgroups and remove them; done twice is no error."""
    control.kill_and_remove(plan.cgroup)


class _Scope:
    """Have systemd make the unit, if there is to be one, and keep it until a process is in it."""

    def __init__(self, cgroup: CgroupPlan) -> None:
        self._scope = cgroup.scope
        self._release: Callable[[], None] | None = None

    def __enter__(self) -> None:
        if self._scope is None:
            return
        systemd = load("boxship.runtime.cgroups.systemd")
        try:
            self._release = systemd.start_scope(self._scope).release
        except tree.CgroupError as error:
            raise StepFailedError("cgroup", error.errno, str(error)) from error

    def __exit__(self, *_: object) -> None:
        if self._release is not None:
            self._release()


def _create_cgroups(cgroup: CgroupPlan) -> None:
    try:
        tree.create(cgroup)
    except tree.CgroupError as error:
        raise StepFailedError("cgroup", error.errno, str(error)) from error


class _ChildrenInTheirNamespace:
    """Have processes forked meanwhile be born in the container's new pid namespace.

    With a user namespace, or another container's pid namespace, that is a matter of the stage's.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan, self._own = plan, -1

    def __enter__(self) -> None:
        plan = self._plan
        if plan.user is not None or not plan.new_pid_namespace:
            return
        self._own = namespaces.open_namespace("/proc/self/ns/pid")
        try:
            namespaces.unshare(_PID)
        except OSError as error:
            os.close(self._own)
            raise StepFailedError("pid namespace", error.errno or 0, str(error)) from error

    def __exit__(self, *_: object) -> None:
        if self._own < 0:
            return
        try:
            namespaces.setns(self._own, _PID)
        finally:
            os.close(self._own)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What was agreed with the caller."""

    sibling: bool
    manner: birth.Manner
    answers: Mapping[str, Answer]
    user: UserPlan | None = None
    seccomp: SeccompFilter | None = None
    warnings: tuple[str, ...] = ()
    exposed: bool = False
    """Whether others can see the process once it is born, and stop it."""


def _spawn(
    child: Callable[[Channel], NoReturn], plan: Plan, course: _Course, terms: _Terms
) -> Spawned:
    """Fork and listen; the child is reaped here unless it has executed its command."""
    ours, theirs = _handshake()
    with ours:
        with theirs, _ChildrenInTheirNamespace(plan):
            pid = _fork(plan.cgroup, terms.sibling)
            if pid == 0:
                ours.close()
                child(theirs)
        course.note("fork")
        heard = _Heard(pid, warnings=terms.warnings)
        try:
            heard.pidfd = os.pidfd_open(pid)
            _listen(ours, heard, terms)
        except TimeoutError:
            heard.failure = StepFailedError("setup", errno.ETIMEDOUT, _STUCK)
        except BaseException:
            _discard(heard)
            raise
    return _outcome(heard, course, plan.cgroup)


def _handshake() -> tuple[Channel, Channel]:
    return channel_pair()


def _outcome(heard: _Heard, course: _Course, cgroup: CgroupPlan) -> Spawned:
    if heard.failure or not heard.ready:
        status = _discard(heard)
        raise heard.failure or StepFailedError("setup", 0, _untimely_end(status, cgroup))
    timings = course.timings(heard.ended)
    return Spawned(heard.pid, heard.pidfd, heard.master, heard.warnings, timings)


def _fork(cgroup: CgroupPlan, sibling: bool, init: int = -1) -> int:
    """Fork into the cgroup; with the container's ``init`` (a pidfd), else into that one's."""
    try:
        try:
            return _fork_at(tree.open_unified(cgroup), sibling)
        except OSError as error:
            if error.errno != errno.EBUSY or init < 0:
                raise
        return _fork_at(load("boxship.runtime.cgroups.leaf").open_leaf(cgroup, init), sibling)
    except OSError as error:
        raise StepFailedError("fork", error.errno or 0, str(error)) from error


def _fork_at(unified: int, sibling: bool) -> int:
    try:
        return processes.fork_into(unified, sibling=sibling)
    finally:
        if unified >= 0:
            os.close(unified)


def _listen(channel: Channel, heard: _Heard, terms: _Terms) -> None:
    asked = b""
    while True:
        message, descriptors = channel.receive(_MAX_MESSAGE)
        if not message:
            return
        kind, body = message[:1], message[1:]
        if kind == birth.BORN:
            _meet_born(heard, terms, int(body), descriptors[0])
            if terms.exposed:
                channel.settimeout(EXEC_PATIENCE)
        elif kind == birth.PTY:
            heard.master = descriptors[0]
        elif kind == birth.READY:
            content = jsontext.loads(body)
            heard.ready = True
            heard.warnings += tuple(content[0])
            heard.ended = tuple(content[1])
            if terms.manner.gate:
                return
        elif kind == birth.FAILED:
            heard.failure = StepFailedError(*jsontext.loads(body))
        else:
            asked = message
        if asked and heard.pid:  # the process may ask before the joiner says which it is
            _answer(channel, heard, terms, asked)
            asked = b""


def _answer(channel: Channel, heard: _Heard, terms: _Terms, asked: bytes) -> None:
    """Do what the child waits for, and let it go on."""
    kind, body = asked[:1], asked[1:]
    if kind == birth.ASK:
        known = Spawned(heard.pid, heard.pidfd, heard.master, heard.warnings, ())
        terms.answers[body.decode()](known)
    elif kind == birth.FIRST:
        _meet_first_process(heard, terms, int(body))
    elif kind == birth.LISTENER:
        assert terms.seccomp is not None
        listener = load("boxship.runtime.seccomp.listener")
        try:
            listener.hand_over(terms.seccomp.listener, heard.pid, heard.pidfd, int(body))
        except StepError as error:
            raise StepFailedError(error.step, error.errno, error.message) from error
    channel.send(kind)


def _meet_born(heard: _Heard, terms: _Terms, pid: int, pidfd: int) -> None:
    """The process is there that will execute; one that we know until now was a stage."""
    _believe(heard, terms, pid, pidfd)
    if heard.pid:
        with suppress(ChildProcessError):  # a sibling: our parent reaps it
            os.waitpid(heard.pid, 0)
        os.close(heard.pidfd)
    heard.pid, heard.pidfd = pid, pidfd


def _believe(heard: _Heard, terms: _Terms, pid: int, pidfd: int) -> None:
    """Take it, once, that ``pid`` is who was born: the process itself speaks here as well."""
    if heard.born or not is_kin(pid, pidfd, sibling=terms.sibling):
        os.close(pidfd)
        message = "the process is gone, or was taken over on its way"
        raise StepFailedError("join", errno.ESRCH, message)
    heard.born = True


def _meet_first_process(heard: _Heard, terms: _Terms, pid: int) -> None:
    """The process we have forked was a stage; this is the one it has left in its place."""
    if terms.user is None:
        raise StepFailedError("user namespace", 0, "the process was taken over on its way")
    pidfd = os.pidfd_open(pid)
    _believe(heard, terms, pid, pidfd)
    with suppress(ChildProcessError):  # a sibling: our parent reaps it
        os.waitpid(heard.pid, 0)
    os.close(heard.pidfd)
    heard.pid, heard.pidfd = pid, pidfd
    if os.geteuid() == 0 or terms.user.join:
        return
    try:
        load("boxship.runtime.userns").write_maps(pid, terms.user)
    except OSError as error:
        raise StepFailedError("user namespace", error.errno or 0, str(error)) from error


def _discard(heard: _Heard) -> int:
    """End the child if there is one; return how it ended."""
    if heard.master >= 0:
        os.close(heard.master)
    if heard.pid == 0:
        return 0
    with suppress(ProcessLookupError):
        os.kill(heard.pid, signals.SIGKILL)
    if heard.pidfd >= 0:
        os.close(heard.pidfd)
    try:
        _, status = os.waitpid(heard.pid, 0)
    except ChildProcessError:  # a sibling: our parent reaps it
        return int(signals.SIGKILL)
    return status


def _untimely_end(status: int, cgroup: CgroupPlan) -> str:
    if os.WIFSIGNALED(status):
        if control.oom_kills(cgroup):
            return "container init was OOM-killed (memory limit too low?)"
        name = signals.name_of(os.WTERMSIG(status))
        return f"the container's init was killed by {name} before it could start"
    return "the container's init ended before it could start"
