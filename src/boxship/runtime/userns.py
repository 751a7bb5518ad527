"""User namespaces: the extra process a container's birth takes, and who writes the maps.

::

    parent                         stage                           init
    fork ────────────────────────► join cgroups
                                   "before": join namespaces by
                                   path, make the staging area
                                   join a user namespace, or
                                   clone3(NEWUSER, NEWPID, PARENT) ► wait
                                   write uid_map, gid_map (root)
                                   "staged": lay out the root and
                                   the binds, with their owners
    ◄───────── U, init's pid ───── exit
    newuidmap, newgidmap (not root)
    ──────────────────────────────────────────────────────── U ───► become root inside, go on

The stage is there because what needs rights outside must be done before, by a process that is not
its own parent's: a pid namespace has to belong to the user namespace, or no procfs of it can be
mounted, so both are made in one call. Loaded only for a plan that asks for it.
"""

from __future__ import annotations

import errno
import os
import time

from boxship.base.frozen import replace
from boxship.base.loading import load
from boxship.base.suppress import suppress
from boxship.kernel import namespaces, processes, signals
from boxship.runtime.apply import StepError, walk
from boxship.runtime.blueprint import UserPlan
from boxship.runtime.streams import give_stdio
from boxship.runtime.userns_maps import outside, parse, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from boxship.runtime.apply import Setup
    from boxship.runtime.birth import ChildEnd
    from boxship.runtime.blueprint import Plan, ProcessPlan
    from boxship.runtime.userns_maps import Map

_USER = namespaces.CLONE_FLAGS["user"]
_PID = namespaces.CLONE_FLAGS["pid"]


def enter(plan: Plan, setup: Setup, end: ChildEnd, stdio: tuple[int, int, int]) -> None:
    """Be the stage; return in the container's first process alone."""
    user = plan.user
    assert user is not None
    stage = replace(setup, ended=[])  # its steps are not the set-up's, whose times are told
    walk(plan.before, stage)
    how = _join if user.join else _make
    pid = how(user, plan, stage, stdio)
    if pid:
        end.send_first(pid)
        os._exit(0)
    setup.trees, setup.host_network = stage.trees, stage.host_network
    end.wait()
    if stage.staging >= 0:
        os.fchdir(stage.staging)
        os.close(stage.staging)
    processes.set_dumpable(False)
    become_root()
    # New credentials may have made us what fs.suid_dumpable says.
    processes.set_dumpable(False)
    setup.ended.append(time.monotonic_ns())


def _make(user: UserPlan, plan: Plan, stage: Setup, stdio: tuple[int, int, int]) -> int:
    """Make the first process in a new namespace; return its pid, 0 in that process."""
    is_root = os.geteuid() == 0
    if not is_root:
        # The first process's files in /proc must be our parent's to write, who is not root either.
        processes.set_dumpable(True)
    pid = _clone(_USER | (_PID if plan.new_pid_namespace else 0))
    if pid == 0 or not is_root:
        return pid
    try:
        number = _number_outside(pid)
        _write_maps_as_root(number, user)
        namespace = namespaces.open_namespace(f"/proc/{number}/ns/user")
        stage.owners[user.uid_map, user.gid_map] = namespace
        _give(stdio, user.uid_map, user.gid_map, plan)
        walk(plan.staged, stage)
    except BaseException as error:
        os.kill(pid, signals.SIGKILL)
        if isinstance(error, OSError):
            words = f"user namespace: {error}"
            raise StepError("user namespace", error.errno or 0, words) from error
        raise
    return pid


def _join(user: UserPlan, plan: Plan, stage: Setup, stdio: tuple[int, int, int]) -> int:
    """Enter the namespace at ``user.join`` and make the first process; return its pid or 0."""
    path = user.join
    try:
        namespace = namespaces.open_namespace(path)
        if os.geteuid() == 0:
            uid_map, gid_map = maps_of(namespace)
            stage.owners[uid_map, gid_map] = namespace
            _give(stdio, uid_map, gid_map, plan)
        walk(plan.staged, stage)
        namespaces.setns(namespace, _USER)
    except OSError as error:
        words = f"linux.namespaces: user: {path}: {error.strerror}"
        raise StepError("JoinNamespace", error.errno or 0, words) from error
    os.close(namespace)
    return _clone(_PID if plan.new_pid_namespace else 0)


def _give(stdio: tuple[int, int, int], uid_map: Map, gid_map: Map, plan: Plan) -> None:
    """Let the user have his streams. Whom a name means is found out inside, by root there."""
    uid = outside(uid_map, 0 if plan.process.user else plan.process.uid)
    give_stdio(stdio, uid, outside(gid_map, 0))


def give_streams(pidfd: int, stdio: tuple[int, int, int], process: ProcessPlan) -> None:
    """Do the same for one more process of a container that is in another user namespace."""
    uid_map, gid_map = maps_seen_at(namespaces.number_of(pidfd))
    uid = outside(uid_map, 0 if process.user else process.uid)
    give_stdio(stdio, uid, outside(gid_map, 0))


def maps_seen_at(number: int) -> tuple[Map, Map]:
    """Return the maps of a process's user namespace as they are seen from ours."""
    maps = []
    for kind in ("uid", "gid"):
        with open(f"/proc/{number}/{kind}_map", encoding="ascii") as entries:
            maps.append(parse(entries.read()))
    return maps[0], maps[1]


def owners(setup: Setup, uid_map: Map, gid_map: Map) -> int:
    """Return a user namespace with these maps, which is the set-up's; -1 without maps."""
    if not uid_map and not gid_map:
        return -1
    if (uid_map, gid_map) not in setup.owners:
        setup.owners[uid_map, gid_map] = namespace_with_maps(uid_map, gid_map)
    return setup.owners[uid_map, gid_map]


def become_root() -> None:
    """Be user 0 of the namespace where there is one; its files are ours to make then."""
    with suppress(OSError):
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)


def write_maps(pid: int, user: UserPlan) -> None:
    """Write the maps of the user namespace that ``pid`` is in as somebody else than root."""
    for kind, own, entries in (
        ("uid", os.geteuid(), user.uid_map),
        ("gid", os.getegid(), user.gid_map),
    ):
        if len(entries) == 1 and entries[0][1:] == (own, 1):
            if kind == "gid":
                _write(pid, "setgroups", "deny")
            _write(pid, f"{kind}_map", text_of(entries))
        else:
            _run_mapper(f"new{kind}map", pid, entries)


def _write_maps_as_root(pid: int, user: UserPlan) -> None:
    _write(pid, "uid_map", text_of(user.uid_map))
    _write(pid, "gid_map", text_of(user.gid_map))


def namespace_with_maps(uid_map: Map, gid_map: Map) -> int:
    """Return a descriptor of a user namespace that has these maps and nobody in it."""
    ready, go = os.pipe()
    pid = processes.fork_into(namespaces=_USER)
    if pid == 0:
        _wait_for_end(ready, go)
    try:
        os.close(ready)
        number = _number_outside(pid)
        _write_maps_as_root(number, UserPlan(uid_map, gid_map))
        return namespaces.open_namespace(f"/proc/{number}/ns/user")
    finally:
        os.close(go)
        os.waitpid(pid, 0)


def maps_of(namespace: int) -> tuple[Map, Map]:
    """Return the maps of users and groups of a namespace below ours, by a visit to it."""
    reading, writing = os.pipe()
    pid = processes.fork_into()
    if pid == 0:
        _visit(namespace, writing)
    os.close(writing)
    with open(reading, encoding="ascii") as told:
        uid_map, _, gid_map = told.read().partition("\n\n")
    _, status = os.waitpid(pid, 0)
    if status:
        number = os.waitstatus_to_exitcode(status)
        raise OSError(number, os.strerror(number))
    return parse(uid_map), parse(gid_map)


def _visit(namespace: int, writing: int) -> NoReturn:
    status = errno.EIO
    try:
        namespaces.setns(namespace, _USER)
        for kind in ("uid", "gid"):
            with open(f"/proc/self/{kind}_map", encoding="ascii") as entries:
                os.write(writing, f"{entries.read()}\n".encode())
        status = 0
    except OSError as error:
        status = error.errno or errno.EIO
    finally:
        os._exit(status)


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
        return namespaces.number_of(pidfd)
    finally:
        os.close(pidfd)


def _clone(new: int) -> int:
    try:
        return processes.fork_into(sibling=True, namespaces=new)
    except OSError as error:
        number = error.errno or 0
        words = f"linux.namespaces: user: {os.strerror(number)}"
        raise StepError("user namespace", number, words) from error


def _run_mapper(program: str, pid: int, entries: Map) -> None:
    path: str | None = load("shutil").which(program)
    if path is None:
        raise FileNotFoundError(2, f"{program} is needed and not there", program)
    arguments = [program, str(pid), *(str(number) for entry in entries for number in entry)]
    child = os.posix_spawn(path, arguments, os.environ, setsigdef=[signals.SIGPIPE])
    _, status = os.waitpid(child, 0)
    if status:
        field = "linux.uidMappings" if program == "newuidmap" else "linux.gidMappings"
        raise PermissionError(1, f"{program} refuses; see /etc/subuid and /etc/subgid", field)


def _write(pid: int, name: str, text: str) -> None:
    path = f"/proc/{pid}/{name}"
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    except OSError as error:
        raise OSError(error.errno, f"{name}: {error.strerror}", path) from error
    finally:
        os.close(fd)
