"""Network namespaces, held by a descriptor and by nothing else.

No file below ``/run/netns`` keeps one alive: when the last descriptor, socket and process of a
namespace is gone, the kernel takes it apart with all interfaces in it. So a daemon that is killed
leaves nothing behind, and a container's namespace lives as long as the container.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

_T = TypeVar("_T")


class NetworkNamespace:
    """A network namespace that this process holds open. Close it, or use ``with``."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        """Take over ``fd``, a descriptor of a network namespace."""
        self.fd = fd

    @classmethod
    def make(cls) -> "NetworkNamespace":
        """Make a new one, with ``lo`` down in it. ``OSError`` EPERM without CAP_SYS_ADMIN."""
        raise NotImplementedError

    @classmethod
    def of_process(cls, pid: int) -> "NetworkNamespace":
        """Return the one that process ``pid`` is in; ``OSError`` ENOENT if there is none."""
        raise NotImplementedError

    @classmethod
    def own(cls) -> "NetworkNamespace":
        """Return the one that the calling thread is in."""
        raise NotImplementedError

    @classmethod
    def open(cls, path: str) -> "NetworkNamespace":
        """Return the one behind a file such as ``/proc/1/ns/net`` or ``/run/netns/blue``."""
        raise NotImplementedError

    @property
    def path(self) -> str:
        """``/proc/<our pid>/fd/<n>``, which another process may open while we hold it."""
        raise NotImplementedError

    @property
    def inode(self) -> int:
        """The number in ``net:[4026531840]``, the same for all who look at this namespace."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of it; safe to repeat."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def run_inside(namespace: NetworkNamespace, function: Callable[[], _T]) -> _T:
    """Return what ``function`` returns when it runs in ``namespace``.

    Sockets that it opens, and ``/proc/sys/net`` as it sees it, are the namespace's. It runs in the
    calling thread, which is back in its own namespace afterwards whatever happens; from the main
    thread it runs in a thread of its own, since the main thread's namespace is what
    ``/proc/<pid>/ns/net`` shows to others.
    """
    raise NotImplementedError
