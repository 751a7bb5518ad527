"""Sandboxes made ahead, so that a container's start does not wait for the kernel to make one.

A namespace, a veth pair and a listening resolver cost milliseconds, most of them waiting for other
processors to notice; taking a ready one costs a list operation. They are held by descriptors
alone: a killed daemon leaves none.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from boxship.net.sandbox import Sandbox


class SandboxPool:
    """Ready sandboxes. Thread-safe; refilled by a thread of its own.

    ``prepare`` is called in that thread with each new sandbox (to open a resolver's listener in
    it, for example); what it raises is reported by ``take``'s caller making one on the spot.
    """

    def __init__(self, size: int = 8, prepare: Callable[[Sandbox], None] | None = None) -> None:
        """Keep ``size`` ready from ``start`` on."""
        raise NotImplementedError

    def start(self) -> None:
        """Begin to fill."""
        raise NotImplementedError

    def take(self) -> Sandbox:
        """Return a sandbox with ``lo`` up: a ready one at once, else one made on the spot."""
        raise NotImplementedError

    def close(self) -> None:
        """Close all that nobody took, and end the thread; safe to repeat."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
