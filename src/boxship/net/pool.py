"""Sandboxes made ahead, so that a container's start does not wait for the kernel to make one.

A namespace and a veth pair take half a millisecond of a processor, and longer when others hold the
kernel's lock for interfaces; taking a ready one is a list operation. They are held by descriptors
alone: a killed daemon leaves none.
"""

import threading
import time
from collections import deque
from typing import Self

from boxship.base.closing import Closing
from boxship.net.host import Host
from boxship.net.owned import Users
from boxship.net.sandbox import Sandbox

_CALM = 0.03
"""Seconds without a start before the pool is filled up: starts need the processors more."""
_AFTER_FAILURE = 1.0


class SandboxPool(Closing):
    """Ready sandboxes. Thread-safe; refilled by a thread of its own.

    What goes wrong while the pool fills is kept quiet: ``take`` makes one on the spot then, and
    raises what goes wrong there.
    """

    def __init__(self, size: int = 8, host: Host | None = None, users: Users = None) -> None:
        """Keep ``size`` ready from ``start`` on; ``host`` becomes the pool's, which closes it.

        ``users``: to whom the ready ones belong.
        """
        self._host = host or Host()
        self._size, self._users = size, users
        self._ready: deque[Sandbox] = deque()
        self._changed = threading.Condition()
        self._calm_at = 0.0
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def host(self) -> Host:
        """The sockets out here, which all sandboxes share."""
        return self._host

    def start(self) -> None:
        """Begin to fill."""
        if self._thread is None and self._size:
            self._thread = threading.Thread(target=self._fill, name="sandbox-pool", daemon=True)
            self._thread.start()

    def take(self, users: Users = None) -> Sandbox:
        """Return a sandbox with ``lo`` up: a ready one at once, else one made on the spot.

        It belongs to ``users``; if they aren't the pool's, it is made on the spot.
        """
        if users != self._users:
            return self._make(users)
        with self._changed:
            self._calm_at = time.monotonic() + _CALM
            if len(self._ready) == self._size:
                # Only then the thread waits without an end; else it looks again by itself.
                self._changed.notify_all()
            if self._ready:
                return self._ready.popleft()
        return self._make(users)

    def wait_full(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds until it is full, and tell whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._ready) >= self._size, timeout)

    def close(self) -> None:
        """Close all that nobody took, and end the thread; safe to repeat."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        while self._ready:
            self._ready.popleft().close()
        self._host.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def _make(self, users: Users) -> Sandbox:
        return Sandbox.make(self._host, pair=True, users=users)

    def _fill(self) -> None:
        while self._wanting():
            try:
                made = self._make(self._users)
            except Exception:  # noqa: BLE001 - whoever takes one next hears of it
                self._calm_at = time.monotonic() + _AFTER_FAILURE
                continue
            with self._changed:
                self._ready.append(made)
                self._changed.notify_all()

    def _wanting(self) -> bool:
        """Wait until one is missing and nobody is taking any; False is the end."""
        with self._changed:
            while not self._closed:
                missing = len(self._ready) < self._size
                if missing and (wait := self._calm_at - time.monotonic()) <= 0:
                    return True
                self._changed.wait(wait if missing else None)
            return False
