"""Make a container with another runtime, run processes in it, remove what is left.

::

    <shim's directory>/oci/         the bundle, made for a start and gone with the container
        config.json                 what the runtime is asked for
        runtime.json                which program that is, for whoever cleans up after us
        log.json, pid, console.sock of its create; an exec has its own, named after it
        state/                      the runtime's --root

    starter                               runtime                    init
    own mount namespace, the root
    users looked up, config.json
    subreaper
    create ─────────────────────────────► fork ────────────────────► waits for start
    pid, terminal  ◄── pid, console.sock  exit ─── it is our child now, and with our end the shim's
    start ──────────────────────────────► ──────────────────────────► execve

Everything of it happens below one process, and each dies with the one above. A runtime that is
killed on its way leaves a process in the container's cgroup at most, and files in ``oci/``.
"""

import _socket
import contextlib
import json
import os
import select
import signal
import stat
import struct
import time
from collections.abc import Iterator
from typing import Any, Final

from boxship.base.errors import BoxshipError
from boxship.base.frozen import dataclass
from boxship.kernel import processes
from boxship.kernel.paths import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from boxship.kernel.terminal import set_window_size
from boxship.runtime.apply import Setup, StepError, walk
from boxship.runtime.blueprint import ForeignPlan, Plan, ProcessPlan
from boxship.runtime.cgroups import control
from boxship.runtime.foreign import program
from boxship.runtime.kernel import LINUX
from boxship.runtime.messages import RUNTIME
from boxship.runtime.process import Spawned, StepFailedError, Timing
from boxship.runtime.steps import MountedRoot
from boxship.runtime.streams import give_stdio, is_null, open_null_of_its_own
from boxship.runtime.userns import maps_seen_at
from boxship.runtime.userns_maps import Map, outside
from boxship.runtime.users import UnknownUserError, read_database, resolve_user

Streams = tuple[int, int, int]

_CREATE_SECONDS: Final = 40.0
_EXEC_SECONDS: Final = 30.0
"""More than ours gets: it works in the container's cgroup, with as little processor as that has."""
_SECONDS: Final = 10.0
_GENERATIONS: Final = 10
_DYING_SECONDS: Final = 1.0
_UNLIMITED: Final = 2**64 - 1
_BUNDLE: Final = "config.json"
_WHO: Final = "runtime.json"
_DELETE_LOG: Final = "delete.json"
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ANY_EXECUTE: Final = 0o111
_RIGHTS: Final = _socket.CMSG_SPACE(4)


def spawn_init(plan: Plan, streams: Streams, *, terminal: bool) -> Spawned:
    """Create and start the container; its init will be a child of our parent when we end.

    Raise StepFailedError when that cannot be, and leave nothing.
    """
    foreign = plan.foreign
    assert foreign is not None
    course = _Course()
    clean_up(foreign.directory)
    try:
        os.makedirs(f"{foreign.directory}/{program.STATE}", 0o700)
        root = _make_root(plan)
        course.note("root")
        _write_bundle(plan, foreign, root)
        streams = _given(streams, *_maps(plan))
        processes.set_child_subreaper()
        words = ("create", "--bundle", foreign.directory)
        call = _Call(foreign, words, plan.container_id, _CREATE_SECONDS)
        pid, master = call.run(plan.process, streams, terminal=terminal)
        course.note("create")
        start = ("start", plan.container_id)
        program.call(foreign, start, log=call.log, seconds=_SECONDS)
        course.note("start")
    except BaseException as error:
        with contextlib.suppress(BoxshipError, OSError):
            destroy(plan)
        _end_descendants()
        raise _refusal(error, plan.process) from error
    said = program.warnings(f"{foreign.directory}/{call.log}")
    return Spawned(pid, -1, master, said, course.timings())


def spawn_exec(
    init: int, process: ProcessPlan, container: Plan, streams: Streams, *, terminal: bool, name: str
) -> Spawned:
    """Run one more process in the container whose first one is ``init``, as a child of our parent.

    Raise StepFailedError when that cannot be.
    """
    foreign = container.foreign
    assert foreign is not None
    course = _Course()
    document = f"{foreign.directory}/{name}.process"
    try:
        root = os.open(f"/proc/{init}/root", os.O_PATH | os.O_DIRECTORY)
        _write(document, _process(process, root))
        if not terminal:
            streams = _given(streams, *maps_seen_at(init))
        processes.set_child_subreaper()
        words = ("exec", "--process", document, "--detach")
        call = _Call(foreign, words, container.container_id, _EXEC_SECONDS, f"{name}.")
        pid, master = call.run(process, streams, terminal=terminal)
        course.note("exec")
    except BaseException as error:
        _end_descendants()
        raise _refusal(error, process) from error
    finally:
        _remove(document)
        _remove(f"{foreign.directory}/{name}.log.json")
    return Spawned(pid, -1, master, (), course.timings())


def _maps(plan: Plan) -> tuple[Map, Map]:
    roots = (step for step in plan.setup if isinstance(step, MountedRoot))
    return next(((root.uid_map, root.gid_map) for root in roots), ((), ()))


def _given(streams: Streams, uid_map: Map, gid_map: Map) -> Streams:
    """Let a mapped root have its streams; to whom of its users they belong, the runtime says.

    crun does so with the host's null device as well, and whoever owns that can take it from
    everybody; so it gets one that nobody else has.
    """
    uid, gid = outside(uid_map, 0), outside(gid_map, 0)
    if (uid, gid) in ((-1, -1), (0, 0)):
        return streams
    null = -1
    safe = []
    for fd in streams:
        if is_null(fd):
            null = null if null >= 0 else open_null_of_its_own()
        safe.append(null if is_null(fd) else fd)
    given = safe[0], safe[1], safe[2]
    give_stdio(given, uid, gid)
    return given


def destroy(plan: Plan) -> None:
    """End what is left of the container, have the runtime forget it, and remove the bundle."""
    assert plan.foreign is not None
    with contextlib.suppress(BoxshipError, OSError):
        control.kill(plan.cgroup)  # a frozen one as well, at which runtimes would wait
    clean_up(plan.foreign.directory)
    control.kill_and_remove(plan.cgroup)


def clean_up(directory: str) -> None:
    """Have the runtime that made the bundle in ``directory`` forget its container; remove it.

    Nothing there is no error, and neither is a runtime that is not there any more: its state goes
    with the directory.
    """
    known = made_by(directory)
    if known is not None:
        with contextlib.suppress(StepFailedError, OSError):
            program.call(known[0], known[1], log=_DELETE_LOG, seconds=_SECONDS)
    _remove_tree(directory)


def deletion(directory: str) -> tuple[str, ...] | None:
    """Return the command that has the runtime forget the container whose bundle is there.

    For who calls programs in a way of his own; None: nobody has to forget anything.
    """
    known = made_by(directory)
    return known and program.command(*known, f"{directory}/{_DELETE_LOG}")


def made_by(directory: str) -> tuple[ForeignPlan, tuple[str, ...]] | None:
    """Return the runtime that made the bundle in ``directory``, and how it is told to forget."""
    try:
        with open(f"{directory}/{_WHO}") as stream:
            known = json.load(stream)
        who = ForeignPlan(known["program"], tuple(known["arguments"]), directory)
        return who, ("delete", "--force", known["id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class _Course:
    """When each part ended."""

    def __init__(self) -> None:
        self._before = time.monotonic_ns()
        self._timings: list[Timing] = []

    def note(self, step: str) -> None:
        now = time.monotonic_ns()
        self._timings.append(Timing(step, self._before, now))
        self._before = now

    def timings(self) -> tuple[Timing, ...]:
        return tuple(self._timings)


def _end_descendants() -> None:
    """End what a runtime that failed has left behind: we are a subreaper, so it is ours.

    What does not die of it, in a frozen cgroup for instance, is left to the shim.
    """
    for _ in range(_GENERATIONS):
        try:
            with open(f"/proc/self/task/{os.getpid()}/children") as stream:
                children = [int(word) for word in stream.read().split()]
        except OSError:
            return
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            pidfd = os.pidfd_open(pid)
            if select.select([pidfd], [], [], _DYING_SECONDS)[0]:
                os.waitpid(pid, 0)
            os.close(pidfd)
        if not children:
            return


def _refusal(error: BaseException, process: ProcessPlan) -> BaseException:
    """Return what is to be raised instead of ``error``, with Docker's exit code."""
    if isinstance(error, StepError):
        return StepFailedError(error.step, error.errno, error.message, error.exit_code)
    if isinstance(error, UnknownUserError):
        return StepFailedError("user", 0, str(error))
    if isinstance(error, StepFailedError) and error.step == RUNTIME:
        command = process.args[0] if process.args else ""
        code = program.exit_code(error.message, command)
        return StepFailedError(error.step, error.errno, error.message, code)
    if isinstance(error, OSError) and not isinstance(error, BoxshipError):
        return StepFailedError("bundle", error.errno or 0, str(error))
    return error


# ── calls that make a process ────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Call:
    """One ``create`` or ``exec``. Its files' names begin with ``prefix``."""

    foreign: ForeignPlan
    words: tuple[str, ...]
    container_id: str
    seconds: float
    prefix: str = ""

    @property
    def log(self) -> str:
        return f"{self.prefix}log.json"

    def run(self, process: ProcessPlan, streams: Streams, *, terminal: bool) -> tuple[int, int]:
        """Return the process's number and its pty's master side, -1 without a terminal."""
        directory, console = self.foreign.directory, f"{self.prefix}console.sock"
        pid_file = f"{directory}/{self.prefix}pid"
        words = (*self.words, "--pid-file", pid_file)
        try:
            if not terminal:
                self._call(words, streams)
                return _number(pid_file), -1
            with _listening(directory, console) as endpoint:
                self._call((*words, "--console-socket", console), None)
                master = _receive_master(endpoint)
            if process.height and process.width:
                set_window_size(master, process.height, process.width)
            return _number(pid_file), master
        finally:
            _remove(pid_file)

    def _call(self, words: tuple[str, ...], streams: Streams | None) -> None:
        words = (*words, self.container_id)
        program.call(self.foreign, words, log=self.log, seconds=self.seconds, streams=streams)


@contextlib.contextmanager
def _listening(directory: str, name: str) -> Iterator[_socket.socket]:
    """Listen where the runtime is to send the terminal."""
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        with contextlib.closing(_socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)) as endpoint:
            # An address may have 107 bytes, the path to the directory any number.
            endpoint.bind(f"/proc/self/fd/{fd}/{name}")
            endpoint.listen(1)
            endpoint.setblocking(False)  # asked when the runtime has ended: it has called, or not
            yield endpoint
    finally:
        os.close(fd)
        _remove(f"{directory}/{name}")


def _receive_master(endpoint: _socket.socket) -> int:
    rights: list[tuple[int, int, bytes]] = []
    with contextlib.suppress(BlockingIOError):
        number, _ = endpoint._accept()  # type: ignore[attr-defined]
        with contextlib.closing(_socket.socket(fileno=number)) as connection:
            connection.setblocking(False)
            _, rights, _, _ = connection.recvmsg(4096, _RIGHTS, _socket.MSG_CMSG_CLOEXEC)
    if not rights:
        raise StepFailedError("console", 0, "the runtime sent no terminal")
    (master,) = struct.unpack("i", rights[0][2])
    return int(master)


def _number(path: str) -> int:
    try:
        with open(path) as stream:
            return int(stream.read())
    except (FileNotFoundError, ValueError):
        raise StepFailedError("pid", 0, "the runtime named no process") from None


# ── the bundle ───────────────────────────────────────────────────────────────────────────────


def _make_root(plan: Plan) -> int:
    """Do what is ours to do; return the root's descriptor."""
    setup = Setup(LINUX, lambda _: None)
    walk(plan.setup, setup)
    for (source, _), tree in setup.trees.items():
        LINUX.move_mount(tree, LINUX.open(source, os.O_PATH))
    return setup.root


def _write_bundle(plan: Plan, foreign: ForeignPlan, root: int) -> None:
    who = {
        "id": plan.container_id,
        "program": foreign.program,
        "arguments": foreign.arguments,
    }
    _write(f"{foreign.directory}/{_WHO}", who)
    config = json.loads(foreign.config)
    config["process"] = _process(plan.process, root)
    _write(f"{foreign.directory}/{_BUNDLE}", config)


def _process(process: ProcessPlan, root: int) -> dict[str, Any]:
    """Return the specification's form of a process, with what the root tells."""
    document: dict[str, Any] = json.loads(process.document)
    passwd, group = (read_database(root, f"etc/{name}") for name in ("passwd", "group"))
    text = process.user or (f"{process.uid}:{process.gid}" if process.uid or process.gid else "")
    who = resolve_user(text, passwd, group, process.group_names)
    groups = list(dict.fromkeys((who.gid, *who.groups, *process.groups)))
    user = {"uid": who.uid, "gid": who.gid, "additionalGids": groups}
    document["user"] = {**document.get("user", {}), **user}
    document["user"].pop("username", None)
    document["rlimits"] = [
        {
            "type": limit.name,
            "soft": _UNLIMITED if limit.soft < 0 else limit.soft,
            "hard": _UNLIMITED if limit.hard < 0 else limit.hard,
        }
        for limit in process.rlimits
    ]
    if process.init and (found := _look_up(process, root)):
        document["args"] = [process.init, found, *process.args]
    return document


def _look_up(process: ProcessPlan, root: int) -> str:
    """Return the command's path for our init; nothing if the runtime is to say that it is missing.

    Init is called with the path, since it looks nothing up.
    """
    command = process.args[0]
    if "/" in command:
        return command if _is_executable(root, os.path.join(process.cwd, command)) else ""
    values = dict(item.split("=", 1) for item in process.env if "=" in item)
    for directory in values.get("PATH", _PATH).split(":"):
        path = os.path.join(process.cwd, directory, command)
        if _is_executable(root, path):
            return path
    return ""


def _is_executable(root: int, path: str) -> bool:
    try:
        fd = openat2(root, path, os.O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    except OSError:
        return False
    try:
        mode = os.fstat(fd).st_mode
    finally:
        os.close(fd)
    return stat.S_ISREG(mode) and bool(mode & _ANY_EXECUTE)


def _write(path: str, content: dict[str, Any]) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "w") as stream:
        json.dump(content, stream, separators=(",", ":"))


def _remove_tree(path: str) -> None:
    """As the standard library's, which loads three compressors for it."""
    with contextlib.suppress(OSError):
        with os.scandir(path) as entries:
            found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for below, is_directory in found:
            if is_directory:
                _remove_tree(below)
            else:
                _remove(below)
        os.rmdir(path)


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
