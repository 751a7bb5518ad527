"""Network namespaces that belong to the users of a container.

Rights over a network namespace (CAP_NET_ADMIN, mounting a sysfs of it) are rights in the user
namespace that owns it. A container whose users are mapped therefore needs one that was made in its
own user namespace, and that one has to be made before. Both are made ahead here, and the container
joins them.
"""

import errno
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from boxship.kernel import idle, namespaces
from boxship.net.namespaces import NetworkNamespace

Map = tuple[tuple[int, int, int], ...]
"""Ranges: first id inside, first id outside, count; as in ``/proc/PID/uid_map``."""

_USER, _NET = namespaces.CLONE_FLAGS["user"], namespaces.CLONE_FLAGS["net"]
_MOMENT = 0.0005
_PATIENCE = (0.25, 0.5, 1.0, 2.0)
"""Seconds for each child in turn. One may never get there: it is a fork of a program with other
threads, and the locks of the C library that they held stay locked for it."""


class Owner(NamedTuple):
    """Whose ids are whose in a user namespace."""

    uid_map: Map
    gid_map: Map


Users = Owner | int | None
"""Whom a namespace belongs to: a new user namespace, that of a process, or the host's."""


class UserNamespace:
    """A user namespace that this process holds open; with nobody in it yet."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        """Take over ``fd``."""
        self.fd = fd

    @property
    def path(self) -> str:
        """``/proc/<our pid>/fd/<n>``, which another process may open while we hold it."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def close(self) -> None:
        """Let go of it; safe to repeat."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


def make_owned(owner: Owner) -> tuple[UserNamespace, NetworkNamespace]:
    """Make a user namespace with these maps, and a network namespace that it owns.

    ``OSError``: the maps are refused (they overlap, or are too many), or no user namespace may be
    made (ENOSPC: ``user.max_user_namespaces``).
    """
    with _asleep(idle.fork_idle(_USER | _NET)) as pid:
        _write(pid, "uid_map", owner.uid_map)
        _write(pid, "gid_map", owner.gid_map)
        network = NetworkNamespace.of_process(pid)
        try:
            return _user_namespace(pid), network
        except BaseException:
            network.close()
            raise


def make_inside(process: int) -> tuple[UserNamespace, NetworkNamespace]:
    """Return the user namespace of ``process``, and a new network namespace that it owns.

    For a container that shares other namespaces of a mapped one, and so its users.
    """
    user = _user_namespace(process)
    try:
        for patience in _PATIENCE:
            with _asleep(idle.fork_idle(_NET, user.fd)) as pid:
                if _gets_elsewhere(pid, patience):
                    return user, NetworkNamespace.of_process(pid)
    except BaseException:
        user.close()
        raise
    user.close()
    raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), "network namespace")


@contextmanager
def _asleep(pid: int) -> Iterator[int]:
    """End the child after the body."""
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _gets_elsewhere(pid: int, patience: float) -> bool:
    """Wait until the child is in a network namespace of its own; ``OSError`` if it could not."""
    here = os.stat("/proc/thread-self/ns/net").st_ino
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        # Without reaping it: the number stays the child's until ``_asleep`` is through.
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is not None:
            raise OSError(ended.si_status, os.strerror(ended.si_status), "user namespace")
        # One that ends has no namespaces for a moment before it has ended.
        with suppress(FileNotFoundError):
            if os.stat(f"/proc/{pid}/ns/net").st_ino != here:
                return True
        time.sleep(_MOMENT)
    return False


def _user_namespace(pid: int) -> UserNamespace:
    return UserNamespace(namespaces.open_namespace(f"/proc/{pid}/ns/user"))


def _write(pid: int, name: str, entries: Map) -> None:
    text = "".join(f"{inside} {outside} {count}\n" for inside, outside, count in entries)
    fd = os.open(f"/proc/{pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
