"""User namespaces: the extra process a container's birth takes, and who writes the maps.

::

    parent                         stage                           init
    fork ────────────────────────► join cgroups
                                   steps "before": join namespaces
                                   by path, map owners of mounts
                                   join a user namespace, or
                                   clone3(NEWUSER, NEWPID, PARENT) ► wait
    ◄───────── U, init's pid ───── exit
    write uid_map, gid_map
    ──────────────────────────────────────────────────────── M ───► become root inside, go on

The stage is there because what needs rights outside must be done before, by a process that is not
its own parent's: a pid namespace has to belong to the user namespace, or no procfs of it can be
mounted, so both are made in one call. Loaded only for a plan that asks for it.
"""

import contextlib
import os
import shutil
import signal
from typing import TYPE_CHECKING, NoReturn

from boxship.kernel import namespaces, processes
from boxship.runtime.apply import Setup, StepError, walk
from boxship.runtime.blueprint import Plan, UserPlan
from boxship.runtime.enter import give_stdio

if TYPE_CHECKING:
    from boxship.runtime.birth import ChildEnd

Map = tuple[tuple[int, int, int], ...]

_USER = namespaces.CLONE_FLAGS["user"]
_PID = namespaces.CLONE_FLAGS["pid"]


def enter(plan: Plan, setup: Setup, end: "ChildEnd", stdio: tuple[int, int, int]) -> None:
    """Be the stage; return in the container's first process alone."""
    user = plan.user
    assert user is not None
    walk(plan.before, setup)
    owner = outside(user.uid_map, 0 if plan.process.user else plan.process.uid)
    if owner >= 0 and os.geteuid() == 0:
        give_stdio(stdio, owner)
    new = _PID if plan.new_pid_namespace else 0
    if user.join:
        _join(user.join)
    else:
        new |= _USER
    pid = _clone(new)
    if pid:
        end.send_first(pid)
        os._exit(0)
    if os.geteuid() != 0 and not user.join:
        # Our files in /proc must be our parent's to write, who is not root either.
        processes.set_dumpable(True)
    end.wait()
    processes.set_dumpable(False)
    become_root()


def outside(entries: Map, number: int) -> int:
    """Return what an id inside is outside; -1 when it is nothing."""
    for first, host, count in entries:
        if first <= number < first + count:
            return host + number - first
    return -1


def become_root() -> None:
    """Be user 0 of the namespace where there is one; its files are ours to make then."""
    with contextlib.suppress(OSError):
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)


def write_maps(pid: int, user: UserPlan) -> None:
    """Write the maps of the new user namespace that ``pid`` is in; raise OSError."""
    if user.join:
        return
    if os.geteuid() == 0:
        _write(pid, "uid_map", _text(user.uid_map))
        _write(pid, "gid_map", _text(user.gid_map))
        return
    for kind, own, entries in (
        ("uid", os.geteuid(), user.uid_map),
        ("gid", os.getegid(), user.gid_map),
    ):
        if len(entries) == 1 and entries[0][1:] == (own, 1):
            if kind == "gid":
                _write(pid, "setgroups", "deny")
            _write(pid, f"{kind}_map", _text(entries))
        else:
            _run_mapper(f"new{kind}map", pid, entries)


def namespace_with_maps(uid_map: Map, gid_map: Map) -> int:
    """Return a descriptor of a user namespace that has these maps and nobody in it."""
    ready, go = os.pipe()
    pid = processes.fork_into(namespaces=_USER)
    if pid == 0:
        _wait_for_end(ready, go)
    try:
        os.close(ready)
        outside = _number_outside(pid)
        write_maps(outside, UserPlan(uid_map, gid_map))
        return namespaces.open_namespace(f"/proc/{outside}/ns/user")
    finally:
        os.close(go)
        os.waitpid(pid, 0)


def _wait_for_end(ready: int, go: int) -> NoReturn:
    try:
        os.close(go)
        os.read(ready, 1)
    finally:
        os._exit(0)


def _number_outside(pid: int) -> int:
    """Return the number of our child as the mounted /proc has it, which may be an outer one."""
    pidfd = os.pidfd_open(pid)
    try:
        with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as info:
            lines = dict(line.split(":", 1) for line in info)
    finally:
        os.close(pidfd)
    return int(lines["Pid"])


def _join(path: str) -> None:
    try:
        fd = namespaces.open_namespace(path)
        namespaces.setns(fd, _USER)
    except OSError as error:
        words = f"linux.namespaces: user: {path}: {error.strerror}"
        raise StepError("JoinNamespace", error.errno or 0, words) from error
    os.close(fd)


def _clone(new: int) -> int:
    try:
        return processes.fork_into(sibling=True, namespaces=new)
    except OSError as error:
        number = error.errno or 0
        words = f"linux.namespaces: user: {os.strerror(number)}"
        raise StepError("user namespace", number, words) from error


def _run_mapper(program: str, pid: int, entries: Map) -> None:
    path = shutil.which(program)
    if path is None:
        raise FileNotFoundError(2, f"{program} is needed and not there", program)
    arguments = [program, str(pid), *(str(number) for entry in entries for number in entry)]
    child = os.posix_spawn(path, arguments, os.environ, setsigdef=[signal.SIGPIPE])
    _, status = os.waitpid(child, 0)
    if status:
        field = "linux.uidMappings" if program == "newuidmap" else "linux.gidMappings"
        raise PermissionError(1, f"{program} refuses; see /etc/subuid and /etc/subgid", field)


def _text(entries: Map) -> str:
    return "".join(f"{inside} {outside} {count}\n" for inside, outside, count in entries)


def _write(pid: int, name: str, text: str) -> None:
    path = f"/proc/{pid}/{name}"
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    except OSError as error:
        raise OSError(error.errno, f"{name}: {error.strerror}", path) from error
    finally:
        os.close(fd)
