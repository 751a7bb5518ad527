"""All clients that ask by TCP, of all containers."""

import socket
import time
from collections.abc import Callable
from select import EPOLLIN
from typing import Protocol

from boxship.net.dns.listeners import Listener
from boxship.net.dns.streams import Stream

IDLE_FOR = 10.0
PER_LISTENER = 32
IN_ALL = 512
_AT_ONCE = 16
_CONNECTION = 5
"""Questions that a new connection counts for, as it takes the time of so many."""

Ask = Callable[[Listener, bytes, object, Callable[[bytes], None]], None]


class Loop(Protocol):
    """What polls."""

    def watch(self, fd: int, events: int, handler: Callable[[int], None]) -> None:
        """Have ``handler`` called with what happened; again to change ``events``."""

    def forget(self, fd: int) -> None:
        """Stop; the descriptor is about to be closed."""

    def pause(self, fd: int, events: int) -> None:
        """Leave it alone for a moment."""


class StreamClients:
    """Accepts, reads, answers, hangs up. A container that has too many loses its oldest."""

    def __init__(self, loop: Loop, ask: Ask) -> None:
        self._loop, self._ask = loop, ask
        self._of: dict[Listener, dict[int, Stream]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def accept_at(self, listener: Listener) -> None:
        """Begin to accept a listener's clients."""
        self._loop.watch(listener.streams.fileno(), EPOLLIN, lambda _: self._accept(listener))

    def forget(self, listener: Listener) -> None:
        """Hang up on all of a listener's clients, and accept no more."""
        self._loop.forget(listener.streams.fileno())
        for stream in list(self._of.get(listener, {}).values()):
            self._hang_up(listener, stream)

    def sweep(self) -> None:
        """Hang up on those who have nothing to say."""
        late = time.monotonic() - IDLE_FOR
        for listener, streams in list(self._of.items()):
            for stream in list(streams.values()):
                if stream.active_at < late:
                    self._hang_up(listener, stream)

    def _accept(self, listener: Listener) -> None:
        if listener.allowed(_CONNECTION) < _CONNECTION:
            self._loop.pause(listener.streams.fileno(), EPOLLIN)
            return
        listener.spend(_CONNECTION)
        try:
            connection, _ = listener.streams.accept()
        except OSError:
            # Gone again; or no descriptors left, and then others will be closed soon.
            self._loop.pause(listener.streams.fileno(), EPOLLIN)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        streams = self._of.get(listener, {})
        if len(streams) >= PER_LISTENER:
            self._hang_up(listener, next(iter(streams.values())))
        elif self._count >= IN_ALL:
            busiest = max(self._of, key=lambda one: len(self._of[one]))
            self._hang_up(busiest, next(iter(self._of[busiest].values())))
        stream = Stream(connection, time.monotonic())
        self._of.setdefault(listener, {})[stream.fd] = stream
        self._count += 1
        self._watch(listener, stream)

    def _watch(self, listener: Listener, stream: Stream) -> None:
        self._loop.watch(stream.fd, stream.events, lambda _: self._ready(listener, stream))

    def _ready(self, listener: Listener, stream: Stream) -> None:
        stream.active_at = time.monotonic()
        listener.spend(1)  # a byte at a time is work, too
        try:
            if stream.unsent:
                stream.flush()
            else:
                self._read(listener, stream)
        except EOFError:
            self._hang_up(listener, stream)
            return
        if self._of.get(listener, {}).get(stream.fd) is not stream:
            return
        if listener.allowed(1) <= 0 or (stream.has_more and not stream.unsent):
            self._loop.pause(stream.fd, stream.events)
        else:
            self._watch(listener, stream)

    def _read(self, listener: Listener, stream: Stream) -> None:
        most = listener.allowed(_AT_ONCE)
        if most <= 0:
            return

        def give(answer: bytes) -> None:
            self._give(listener, stream, answer)

        listener.spend(stream.receive(most, lambda data: self._ask(listener, data, stream, give)))

    def _give(self, listener: Listener, stream: Stream, answer: bytes) -> None:
        if self._of.get(listener, {}).get(stream.fd) is not stream:
            return  # hung up meanwhile
        try:
            stream.send(answer)
        except EOFError:
            self._hang_up(listener, stream)
            return
        self._watch(listener, stream)

    def _hang_up(self, listener: Listener, stream: Stream) -> None:
        streams = self._of.get(listener, {})
        if streams.get(stream.fd) is not stream:
            return
        del streams[stream.fd]
        self._count -= 1
        if not streams:
            del self._of[listener]
        self._loop.forget(stream.fd)
        stream.close()
