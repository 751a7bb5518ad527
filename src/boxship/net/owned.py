"""Network namespaces that belong to the users of a container.

Rights over a network namespace (CAP_NET_ADMIN, mounting a sysfs of it) are rights in the user
namespace that owns it. A container whose users are mapped therefore needs one that was made in its
own user namespace, and that one has to be made before. Both are made ahead here, and the container
joins them.
"""

import os
import signal
from typing import NamedTuple

from boxship.kernel import idle, namespaces
from boxship.net.namespaces import NetworkNamespace

Map = tuple[tuple[int, int, int], ...]
"""Ranges: first id inside, first id outside, count; as in ``/proc/PID/uid_map``."""

_NEW = namespaces.CLONE_FLAGS["user"] | namespaces.CLONE_FLAGS["net"]


class Owner(NamedTuple):
    """Whose ids are whose in a user namespace."""

    uid_map: Map
    gid_map: Map


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
    pid = idle.fork_idle(_NEW)
    try:
        _write(pid, "uid_map", owner.uid_map)
        _write(pid, "gid_map", owner.gid_map)
        network = NetworkNamespace.of_process(pid)
        try:
            user = UserNamespace(namespaces.open_namespace(f"/proc/{pid}/ns/user"))
        except BaseException:
            network.close()
            raise
        return user, network
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _write(pid: int, name: str, entries: Map) -> None:
    text = "".join(f"{inside} {outside} {count}\n" for inside, outside, count in entries)
    fd = os.open(f"/proc/{pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
