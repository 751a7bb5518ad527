"""A loop over epoll: descriptors, a few timers, nothing else.

Events are fetched one at a time. So none can be older than the callback it meets, as would be
possible if an earlier event of a batch closed a descriptor and its number was used again. The
kernel hands ready descriptors out in turn, hence nobody starves.

A callback that fails is a defect, but no reason to take the container along: it is told on stderr,
and its descriptor rests for a moment, since it is probably as ready as before.
"""

import select
import sys
import time
from collections.abc import Callable
from typing import Final

Callback = Callable[[int], object]
"""Called with the EPOLL* bits that hold."""

_REST_SECONDS: Final = 1.0


class Timer:
    """A call to be made later, unless it is cancelled."""

    __slots__ = ("callback", "deadline")

    def __init__(self, deadline: float, callback: Callable[[], None] | None) -> None:
        self.deadline = deadline
        self.callback = callback

    def cancel(self) -> None:
        """Forget the call; done twice or too late is no error."""
        self.callback = None


class Loop:
    """Calls back when descriptors are ready. Owns the epoll descriptor, not the watched ones.

    It may be made before a fork, which shares its memory, and is opened after it.
    """

    _epoll: select.epoll

    def __init__(self) -> None:
        self._callbacks: dict[int, Callback] = {}
        self._resting: dict[int, Callback] = {}
        self._timers: list[Timer] = []
        self._running = True

    def open(self) -> None:
        """Make the epoll descriptor."""
        self._epoll = select.epoll()

    def watch(self, fd: int, mask: int, callback: Callback) -> None:
        """Call back when one of ``mask``, EPOLLHUP or EPOLLERR holds for ``fd``."""
        if fd in self._callbacks:
            self._epoll.modify(fd, mask)
        else:
            self._epoll.register(fd, mask)
        self._callbacks[fd] = callback
        self._resting.pop(fd, None)

    def forget(self, fd: int) -> None:
        """Watch ``fd`` no longer; call this before closing it."""
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)
        self._resting.pop(fd, None)

    def rest(self, fd: int, seconds: float) -> None:
        """Look at ``fd`` again, for input, after ``seconds``, unless ``watch`` comes first."""
        callback = self._callbacks.get(fd)
        if callback is None:
            return
        self.forget(fd)
        self._resting[fd] = callback

        def again() -> None:
            if self._resting.get(fd) is callback:
                self.watch(fd, select.EPOLLIN, callback)

        self.call_later(seconds, again)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back once after ``seconds``."""
        timer = Timer(time.monotonic() + seconds, callback)
        self._timers.append(timer)
        return timer

    def stop(self) -> None:
        """Make ``run`` return after the current callback."""
        self._running = False

    def run(self) -> None:
        """Call back until ``stop`` is called."""
        while self._running:
            for fd, events in self._epoll.poll(self._timeout(), 1):
                try:
                    self._callbacks[fd](events)
                except Exception:  # noqa: BLE001 - a defect
                    sys.excepthook(*sys.exc_info())
                    self.rest(fd, _REST_SECONDS)
            if self._timers:
                self._call_timers()

    def _timeout(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, min(timer.deadline for timer in self._timers) - time.monotonic())

    def _call_timers(self) -> None:
        now = time.monotonic()
        due = [timer for timer in self._timers if timer.callback is None or timer.deadline <= now]
        self._timers = [timer for timer in self._timers if timer not in due]
        for timer in due:
            if timer.callback is None:
                continue
            try:
                timer.callback()
            except Exception:  # noqa: BLE001 - a defect
                sys.excepthook(*sys.exc_info())
