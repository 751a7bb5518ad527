"""Network namespaces, held by a descriptor and by nothing else.

No file below ``/run/netns`` keeps one alive: when the last descriptor, socket and process of a
namespace is gone, the kernel takes it apart with all interfaces in it. So a daemon that is killed
leaves nothing behind, and a container's namespace lives as long as the container.
"""

import os
import threading
from collections.abc import Callable
from typing import TypeVar

from boxship.base.closing import Closing
from boxship.kernel import namespaces

_T = TypeVar("_T")
_NET = namespaces.CLONE_FLAGS["net"]
_OWN = "/proc/thread-self/ns/net"


class NetworkNamespace(Closing):
    """A network namespace that this process holds open. Close it, or use ``with``."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        """Take over ``fd``, a descriptor of a network namespace."""
        self.fd = fd

    @classmethod
    def make(cls) -> "NetworkNamespace":
        """Make a new one, with ``lo`` down in it. ``OSError`` EPERM without CAP_SYS_ADMIN."""
        return make_and(cls.own)

    @classmethod
    def of_process(cls, pid: int) -> "NetworkNamespace":
        """Return the one that process ``pid`` is in; ``OSError`` ENOENT if there is none."""
        return cls.open(f"/proc/{pid}/ns/net")

    @classmethod
    def own(cls) -> "NetworkNamespace":
        """Return the one that the calling thread is in."""
        return cls.open(_OWN)

    @classmethod
    def open(cls, path: str) -> "NetworkNamespace":
        """Return the one behind a file such as ``/proc/1/ns/net`` or ``/run/netns/blue``."""
        return cls(namespaces.open_namespace(path))

    @property
    def path(self) -> str:
        """``/proc/<our pid>/fd/<n>``, which another process may open while we hold it."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @property
    def inode(self) -> int:
        """The number in ``net:[4026531840]``, the same for all who look at this namespace."""
        return os.fstat(self.fd).st_ino

    def close(self) -> None:
        """Let go of it; safe to repeat."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


def run_inside(namespace: NetworkNamespace, function: Callable[[], _T]) -> _T:
    """Return what ``function`` returns when it runs in ``namespace``.

    Sockets that it opens, and ``/proc/sys/net`` as it sees it, are the namespace's. It runs in the
    calling thread, which is back in its own namespace afterwards whatever happens; from the main
    thread it runs in a thread of its own, since the main thread's namespace is what
    ``/proc/<pid>/ns/net`` shows to others.
    """
    return _elsewhere(lambda: namespaces.setns(namespace.fd, _NET), function)


def make_and(function: Callable[[], _T]) -> _T:
    """Return what ``function`` returns when it runs in a new namespace; as ``run_inside``.

    If it keeps neither descriptor nor socket, the namespace ends with it.
    """
    return _elsewhere(lambda: namespaces.unshare(_NET), function)


def _elsewhere(go: Callable[[], None], function: Callable[[], _T]) -> _T:
    if threading.current_thread() is threading.main_thread():
        return _in_another_thread(lambda: _there_and_back(go, function))
    return _there_and_back(go, function)


def _there_and_back(go: Callable[[], None], function: Callable[[], _T]) -> _T:
    home = namespaces.open_namespace(_OWN)
    try:
        go()
        try:
            return function()
        finally:
            try:
                namespaces.setns(home, _NET)
            except OSError:
                # It would make bridges in a container. Better no daemon than that.
                os.abort()
    finally:
        os.close(home)


def _in_another_thread(function: Callable[[], _T]) -> _T:
    results: list[_T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 — raised again where it was asked for
            errors.append(error)

    thread = threading.Thread(target=run, name="network-namespace")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
