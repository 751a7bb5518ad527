"""The last part of a process's birth, the same for a container's init and for exec.

Everything here runs inside the container, in this order:

========  ==========================================================================
session   setsid, controlling terminal, stdio on 0 1 2, nothing else crosses exec
keyring   a session keyring of the container's own
user      look the user up in the root; additional groups; HOME
cwd       as root, since root's directories may be closed to the user (again as the user,
          since a network file system may be closed to root)
limits    after the look-ups, which may need more than the limits leave; also a scheduler that
          no child would have
identity  bounding set, groups, gid, uid, with the permitted capabilities kept
command   look it up as the user
seccomp   as late as it can be, so that the filter need not allow the steps above. Without
          no_new_privs that takes CAP_SYS_ADMIN, so it comes before capset; capset itself,
          prctl and execve are all the filter has to let pass
caps      the final sets
exec      execve
========  ==========================================================================
"""

from __future__ import annotations

import _frozen_importlib
import errno
import fcntl
import os
import resource
import sys

from boxship.base.frozen import dataclass, field
from boxship.base.suppress import suppress
from boxship.kernel import credentials, processes, signals, terminal
from boxship.runtime.apply import StepError
from boxship.runtime.blueprint import CapabilityPlan, ProcessPlan, Rlimit
from boxship.runtime.capabilities import ALL, CAPABILITIES, numbers_of
from boxship.runtime.command import CommandError, exec_error, find_command, go_words, search_path_of
from boxship.runtime.kernel import LINUX
from boxship.runtime.paths import ensure_directory, open_in_procfs
from boxship.runtime.streams import give_stdio, place_stdio, replace_null
from boxship.runtime.users import Identity, UnknownUserError, home_of, read_database, resolve_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SIGNALS = tuple(int(number) for number in signals.valid_signals())
_DEFAULTS = (int(signals.SIG_DFL), None)
_NOBODY_YET = Identity(0, 0)
_SYS_ADMIN = 1 << CAPABILITIES["CAP_SYS_ADMIN"]
_SYS_NICE = 1 << CAPABILITIES["CAP_SYS_NICE"]
_TO_ENTER = sum(
    1 << CAPABILITIES[f"CAP_{name}"]
    for name in ("CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID", "SETPCAP", "SYS_RESOURCE")
)


@dataclass(slots=True)
class Entry:
    """A process on its way to exec."""

    plan: ProcessPlan
    stdio: tuple[int, int, int]
    peer: int = -1
    """The pty's side to be our terminal; -1 without one."""
    label: int = -1
    """Where the label that exec shall give us is written; -1 without one."""
    env: list[str] = field(default_factory=list)
    identity: Identity = _NOBODY_YET
    executable: str = ""
    own: int = ALL
    """The capabilities we have ourselves; nobody can give more."""
    cwd_denied: bool = False
    warnings: list[str] = field(default_factory=list)


def open_label(plan: ProcessPlan) -> int:
    """Open the file that a security module reads our next label from; -1 when there is no label.

    The process itself must do so, an exec's therefore in the container's /proc, where anything
    may be mounted: only what the kernel itself has there counts.
    """
    if not plan.label_file:
        return -1
    try:
        fd = open_in_procfs(LINUX, plan.label_file.removeprefix("/proc/"), os.O_WRONLY)
    except OSError as error:
        words = f"{plan.label_file}: {os.strerror(error.errno or 0)}"
        raise StepError("label", error.errno or 0, words) from error
    # An exec has 0 and 1 free at first; what took one of these would be lost to stdio.
    safe = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(fd)
    return safe


def refuse_imports() -> None:
    """Load no more code: where we would look for it, the container decides what is there.

    What is part of the interpreter itself can still be had. ``sys.path`` and its caches stay, of
    which nobody asks any more: taking them apart would write to memory that the launcher shares.
    """
    sys.meta_path[:] = (_frozen_importlib.BuiltinImporter, _frozen_importlib.FrozenImporter)


def shed(plan: ProcessPlan) -> None:
    """Give up what neither the command is to have nor the steps below take.

    Before we can be seen in the container, where somebody with CAP_SYS_PTRACE could make use of it.
    """
    wanted = plan.capabilities
    if wanted is None:
        return
    keep = _TO_ENTER | wanted.permitted | wanted.effective | wanted.inheritable
    if plan.seccomp is not None and not plan.no_new_privileges:
        keep |= _SYS_ADMIN
    if plan.placement is not None:
        keep |= _SYS_NICE
    _, own, _ = credentials.capget()
    credentials.capset(own & keep, own & keep, 0)


def reset_signals() -> None:
    """Undo what Python ignores (SIGPIPE, SIGXFSZ) and what the shim handles or blocks."""
    for number in _SIGNALS:
        if signals.getsignal(number) not in _DEFAULTS:
            signals.signal(number, signals.SIG_DFL)
    signals.pthread_sigmask(signals.SIG_SETMASK, ())


def session(entry: Entry) -> None:
    os.setsid()
    stdio = entry.stdio
    if entry.peer >= 0:
        stdio = (entry.peer,) * 3
        terminal.make_controlling(entry.peer)
    place_stdio(stdio)
    replace_null()
    processes.close_on_exec_from(3)
    os.umask(entry.plan.umask)


def keyring(entry: Entry) -> None:
    if entry.plan.keyring:
        processes.join_session_keyring(entry.plan.keyring)


def user(entry: Entry) -> None:
    plan = entry.plan
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        passwd = read_database(root, "etc/passwd")
        entry.identity = _identity(plan, passwd, root)
    except UnknownUserError as error:
        raise StepError("user", 0, str(error)) from None
    finally:
        os.close(root)
    entry.env = list(plan.env)
    if not any(item.startswith("HOME=") and len(item) > 5 for item in entry.env):
        home = entry.identity.home or home_of(entry.identity.uid, passwd) or "/"
        entry.env = [item for item in entry.env if item != "HOME="]
        entry.env.append(f"HOME={home}")


def _identity(plan: ProcessPlan, passwd: str, root: int) -> Identity:
    if plan.user or plan.group_names:
        group = read_database(root, "etc/group")
        text = plan.user or f"{plan.uid}:{plan.gid}"
        found = resolve_user(text, passwd, group, plan.group_names)
        return Identity(found.uid, found.gid, (*found.groups, *plan.groups), found.home)
    return Identity(plan.uid, plan.gid, plan.groups)


def cwd(entry: Entry) -> None:
    path = entry.plan.cwd or "/"
    try:
        os.chdir(path)
    except FileNotFoundError:
        if not entry.plan.create_cwd:
            raise _cwd_error(path, 2) from None
        _make_inside(path)
        os.chdir(path)
    except PermissionError:
        entry.cwd_denied = True
        return
    except OSError as error:
        raise _cwd_error(path, error.errno or 0) from None
    _check_cwd_inside()


def _make_inside(path: str) -> None:
    """Make a directory where no magic link (``/proc/self/fd/N``) can have it made outside."""
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.close(ensure_directory(LINUX, root, path))
    except OSError as error:
        raise _cwd_error(path, error.errno or 0) from None
    finally:
        os.close(root)


def _cwd_error(path: str, number: int) -> StepError:
    message = f'chdir to cwd ("{path}") set in config.json failed: {go_words(number)}'
    return StepError("cwd", number, message, 126)


def _check_cwd_inside() -> None:
    """Refuse a directory outside of our root, as reached through /proc/self/fd (CVE-2024-21626)."""
    try:
        inside = os.getcwd().startswith("/")
    except OSError:
        inside = False
    if not inside:
        message = "current working directory is outside of container mount namespace root"
        raise StepError("cwd", 0, message)


def limits(entry: Entry) -> None:
    for limit in entry.plan.rlimits:
        _set_limit(entry, limit)
    if entry.plan.placement is not None:
        # Loaded when we took our place in the cgroups; here nothing is loaded any more.
        sys.modules["boxship.runtime.placement"].before_exec(entry.plan.placement)


def _set_limit(entry: Entry, limit: Rlimit) -> None:
    """Without CAP_SYS_RESOURCE a hard limit cannot be raised: come as near as possible."""
    try:
        resource.setrlimit(limit.resource, (limit.soft, limit.hard))
    except (ValueError, PermissionError):
        _, ceiling = resource.getrlimit(limit.resource)
        hard = _smaller(limit.hard, ceiling)
        soft = _smaller(limit.soft, hard)
        resource.setrlimit(limit.resource, (soft, hard))
        name = limit.name or str(limit.resource)
        entry.warnings.append(
            f"{name}: the hard limit {limit.hard} cannot be given without CAP_SYS_RESOURCE; "
            f"{soft}:{hard} is set"
        )


def _smaller(one: int, other: int) -> int:
    infinite = resource.RLIM_INFINITY
    return other if one == infinite else one if other == infinite else min(one, other)


def identity(entry: Entry) -> None:
    who, capabilities = entry.identity, entry.plan.capabilities
    with suppress(PermissionError):
        # In a user namespace it has been done from outside: pipes are the host's here.
        give_stdio((0, 1, 2), who.uid, -1)
    _, entry.own, _ = credentials.capget()
    if capabilities is not None:
        _shrink_bounding_set(capabilities.bounding)
    credentials.set_keep_capabilities(True)
    if not entry.plan.keep_groups:
        named = list(dict.fromkeys((who.gid, *who.groups)))
        os.setgroups(named if entry.plan.user else who.groups)
    os.setresgid(who.gid, who.gid, who.gid)
    os.setresuid(who.uid, who.uid, who.uid)
    credentials.set_keep_capabilities(False)
    # New credentials may have made us what fs.suid_dumpable says.
    processes.set_dumpable(False)
    if entry.cwd_denied:
        try:
            os.chdir(entry.plan.cwd)
        except OSError as error:
            raise _cwd_error(entry.plan.cwd, error.errno or 0) from None
        _check_cwd_inside()


def _shrink_bounding_set(keep: int) -> None:
    for number in numbers_of(ALL & ~keep):
        try:
            credentials.bounding_drop(number)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return  # an older kernel, which ends here


def command(entry: Entry) -> None:
    args = entry.plan.args
    try:
        entry.executable = find_command(args[0] if args else "", search_path_of(entry.env))
    except CommandError as error:
        raise StepError("command", error.errno, str(error), error.exit_code) from None


def seccomp(entry: Entry) -> int:
    """Put on the filter, if any, and the final capabilities; return its listener or 0."""
    plan, listener = entry.plan, 0
    if plan.no_new_privileges:
        credentials.set_no_new_privileges()
        capabilities(entry)
    if plan.seccomp is not None:
        if not plan.no_new_privileges:
            credentials.capset(entry.own & _SYS_ADMIN, entry.own, 0)
        listener = credentials.seccomp_set_filter(plan.seccomp.program, plan.seccomp.flags)
    if not plan.no_new_privileges:
        capabilities(entry)
    return listener


def capabilities(entry: Entry) -> None:
    wanted = entry.plan.capabilities
    if wanted is None:
        wanted = CapabilityPlan(ALL, ALL, ALL)
        if entry.identity.uid != 0:
            wanted = CapabilityPlan(ALL)
    own = entry.own
    credentials.capset(wanted.effective & own, wanted.permitted & own, wanted.inheritable & own)
    credentials.ambient_clear()
    for number in numbers_of(wanted.ambient & wanted.permitted & wanted.inheritable & own):
        credentials.ambient_raise(number)


def execute(entry: Entry) -> None:
    """Replace this process by the command; only ever returns by an exception."""
    executable, args = entry.executable, entry.plan.args
    if entry.plan.init:
        args = (entry.plan.init, executable, *args)
        executable = entry.plan.init
    if entry.label >= 0:
        os.write(entry.label, entry.plan.label.encode())
    try:
        if entry.plan.init:  # see ``pid1.py``
            signals.pthread_sigmask(signals.SIG_SETMASK, signals.valid_signals())
        processes.execve(executable, args, entry.env)
    except OSError as error:
        failure = exec_error(executable, error)
        raise StepError("exec", failure.errno, str(failure), failure.exit_code) from None


PREPARATIONS: tuple[tuple[str, Callable[[Entry], None]], ...] = (
    ("session", session),
    ("keyring", keyring),
    ("user", user),
    ("cwd", cwd),
    ("limits", limits),
    ("identity", identity),
    ("command", command),
)
"""What comes before the parent is told that we are ready; then ``seccomp`` and ``execute``."""
