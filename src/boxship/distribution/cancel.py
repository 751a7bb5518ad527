"""Ending a transfer from another thread, also while it is blocked in a read."""

import contextlib
import os
import socket
import threading

from boxship.distribution.errors import TransferCancelledError


class Cancel:
    """A switch that is thrown once. Connections in use are shut down when it is."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._watched: set[socket.socket] = set()

    def cancel(self) -> None:
        """End every transfer that was given this switch; harmless when repeated."""
        with self._lock:
            self._event.set()
            for sock in self._watched:
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

    def watch(self, sock: socket.socket) -> "Watch":
        """Shut the connection down when the switch is thrown; at once if it was."""
        # A duplicate: TLS takes the descriptor away from the socket it wraps, and the reader may
        # close its own at any moment.
        duplicate = socket.socket(sock.family, sock.type, sock.proto, os.dup(sock.fileno()))
        with self._lock:
            self._watched.add(duplicate)
            if self._event.is_set():
                _shut(duplicate)
        return Watch(self, duplicate)

    def forget(self, sock: socket.socket) -> None:
        """Leave the connection alone from now on."""
        with self._lock:
            self._watched.discard(sock)
        sock.close()


class Watch:
    """A connection that a switch would end."""

    __slots__ = ("_cancel", "_sock")

    def __init__(self, cancel: Cancel, sock: socket.socket) -> None:
        self._cancel = cancel
        self._sock = sock

    def release(self) -> None:
        """The connection is nobody's business any more."""
        self._cancel.forget(self._sock)


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
