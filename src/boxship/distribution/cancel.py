"""Ending a transfer from another thread, also while it is blocked in a read."""

import contextlib
import socket
import threading
from collections.abc import Iterator

from boxship.distribution.errors import TransferCancelledError


class Cancel:
    """A switch that is thrown once. Connections in use are shut down when it is."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()

    def cancel(self) -> None:
        """End every transfer that was given this switch; harmless when repeated."""
        with self._lock:
            self._event.set()
            for sock in self._sockets:
                _shut(sock)

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise TransferCancelledError if the switch was thrown."""
        if self._event.is_set():
            raise TransferCancelledError

    def wait(self, seconds: float) -> None:
        """Pause. Raise TransferCancelledError as soon as the switch is thrown."""
        self._event.wait(seconds)
        self.check()

    @contextlib.contextmanager
    def watching(self, sock: socket.socket) -> Iterator[None]:
        """Shut ``sock`` down should the switch be thrown meanwhile."""
        self.watch(sock)
        try:
            yield
        finally:
            self.forget(sock)

    def watch(self, sock: socket.socket) -> None:
        """Shut ``sock`` down when the switch is thrown; at once if it was."""
        with self._lock:
            self._sockets.add(sock)
            if self._event.is_set():
                _shut(sock)

    def forget(self, sock: socket.socket) -> None:
        """Leave ``sock`` alone from now on."""
        with self._lock:
            self._sockets.discard(sock)


def _shut(sock: socket.socket) -> None:
    # The plain socket's method: that of a TLS socket takes its state away under the reader.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
