"""The resolver: one thread that answers all containers, with epoll.

::

    container's netns        │  daemon
                             │
    client → 127.0.0.11:53   │
          └─ redirect ─► sockets of a Listener ─► decide (zones, view) ─► answer
                             │                        └─ Forwarder ─► server outside

A listener's sockets are made by a thread that has entered the namespace; they are used from
everywhere and keep the namespace alive until they are closed. Questions to servers outside leave
from the host's namespace: there the host's own resolver at a loopback address is reached, no
neighbour on a container's bridge can forge the answer, and rules about what the container itself
may reach do not apply to names. ``Upstream.inside`` is the exception.

Zones and views are immutable and put in place by one assignment each, from any thread. All else
is done by the resolver's thread alone; other threads hand it calls.
"""

import contextlib
import logging
import os
import random
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from select import EPOLLIN
from typing import NamedTuple

from boxship.kernel import datagrams
from boxship.net.dns import listeners, message, redirect
from boxship.net.dns.answering import Elsewhere, Sight, decide
from boxship.net.dns.exchanges import MakeSocket
from boxship.net.dns.forwarding import Asked, Forwarder
from boxship.net.dns.holding import Held
from boxship.net.dns.listeners import Listener
from boxship.net.dns.message import Malformed, Query
from boxship.net.dns.names import to_text
from boxship.net.dns.streamclients import StreamClients
from boxship.net.dns.zones import Upstream, View, Zone
from boxship.net.namespaces import NetworkNamespace, run_inside

log = logging.getLogger(__name__)

_AT_ONCE = 32
"""Questions of one container before the others have their turn."""
_SWEEP_EVERY = 0.1
_PAUSE = 0.02


class Answered(NamedTuple):
    """A name that a server outside gave addresses for, to a container whose view is watched."""

    name: str
    addresses: tuple[bytes, ...]
    """Packed: 4 or 16 bytes."""
    ttl: int
    """Seconds, the least of all records on the way."""
    station: str
    """``View.station`` of who asked."""


AnswerHook = Callable[[Answered, Callable[[], None]], None]
"""Called in the resolver's thread, must not block; calls its second argument (from any thread)
when the container may have the answer."""


class Resolver:
    """Answers DNS in the network namespaces it was told to listen in. All methods thread-safe."""

    def __init__(self, on_answer: AnswerHook | None = None) -> None:
        """Prepare; nothing is answered before ``start``."""
        self._on_answer = on_answer
        self._zones: dict[str, Zone] = {}
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._calls: deque[Callable[[], None]] = deque()
        self._resumptions: dict[int, tuple[float, int]] = {}
        self._listeners: set[Listener] = set()
        self._inbox = datagrams.Inbox(message.MAX_UDP)
        self._forwarder = Forwarder(self, time.monotonic)
        self._streams = StreamClients(self, self._ask)
        self._held = Held(time.monotonic)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="names", daemon=True)
        self.watch(self._wake, EPOLLIN, self._obey)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close all sockets; safe to repeat."""
        if self._stopping:
            return
        self._stopping = True
        self._call(lambda: None)
        if self._thread.is_alive():
            self._thread.join()
        for listener in list(self._listeners):
            self._forget_listener(listener)
        self._epoll.close()
        os.close(self._wake)

    def set_zone(self, network: str, zone: Zone | None) -> None:
        """Put the names of ``network`` (an id) in place, or take them away."""
        if zone is None:
            self._zones.pop(network, None)
        else:
            self._zones[network] = zone

    def listen(self, namespace: NetworkNamespace) -> Listener:
        """Open sockets in ``namespace`` and lead 127.0.0.11:53 there to them.

        Nothing is answered, and nothing polled, before there is a view. ``lo`` need not be up
        yet. ``OSError`` if the namespace's port can't be had.
        """
        listener = run_inside(namespace, listeners.open_listener)
        self._listeners.add(listener)
        return listener

    def adopt(self, namespace: NetworkNamespace) -> Listener:
        """As ``listen``, in the namespace of a container that ran on while the daemon was away.

        What its resolver left there stays if it is right, and is replaced if not.
        """
        listener = run_inside(namespace, lambda: listeners.open_listener(redirect.replace))
        self._listeners.add(listener)
        return listener

    def set_view(self, listener: Listener, view: View) -> None:
        """Say what those who ask at ``listener`` see, from the next question on."""
        polled = listener.sight is not None
        listener.sight = Sight(view)
        if not polled:
            self._call(lambda: self._poll(listener))

    def close(self, listener: Listener) -> None:
        """Close the listener's sockets, soon; with them the resolver lets go of the namespace."""
        self._call(lambda: self._forget_listener(listener))

    # The loop, and what is polled in it.

    def watch(self, fd: int, events: int, handler: Callable[[int], None]) -> None:
        """Have ``handler`` called with what happened to ``fd``; again to change ``events``."""
        if fd in self._handlers and fd not in self._resumptions:
            self._epoll.modify(fd, events)
        else:
            self._resumptions.pop(fd, None)
            self._epoll.register(fd, events)
        self._handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """Stop looking at ``fd``, which is about to be closed."""
        paused = self._resumptions.pop(fd, None) is not None
        if self._handlers.pop(fd, None) is not None and not paused:
            self._epoll.unregister(fd)

    def pause(self, fd: int, events: int) -> None:
        """Leave ``fd`` alone for a moment; then its handler is called, and ``events`` polled.

        It is not polled at all meanwhile: of errors epoll tells whatever it is asked for.
        """
        if fd not in self._resumptions:
            self._epoll.unregister(fd)
        self._resumptions[fd] = (time.monotonic() + _PAUSE, events)

    def _call(self, function: Callable[[], None]) -> None:
        self._calls.append(function)
        os.eventfd_write(self._wake, 1)

    def _obey(self, _: int) -> None:
        os.eventfd_read(self._wake)
        while self._calls:
            self._calls.popleft()()

    def _run(self) -> None:
        swept = time.monotonic()
        while not self._stopping:
            for fd, events in self._epoll.poll(self._patience(), 64):
                self._handle(fd, events)
            now = time.monotonic()
            self._resume(now)
            if now - swept >= _SWEEP_EVERY:
                swept = now
                self._forwarder.sweep()
                self._streams.sweep()
                self._held.sweep()

    def _resume(self, now: float) -> None:
        """Go on with those whose pause is over."""
        for fd in [fd for fd, (when, _) in self._resumptions.items() if when <= now]:
            paused = self._resumptions.pop(fd, None)
            if paused is not None:  # else one before it in this round has closed it
                self._epoll.register(fd, paused[1])
                self._handle(fd, paused[1])

    def _patience(self) -> float:
        """Return the seconds until something may be due though nothing happens; -1 is for ever."""
        if self._resumptions:
            return _PAUSE
        waiting = len(self._forwarder) or len(self._streams) or len(self._held)
        return _SWEEP_EVERY if waiting else -1

    def _handle(self, fd: int, events: int) -> None:
        handler = self._handlers.get(fd)
        if handler is None:
            return  # closed by a handler before this one
        try:
            handler(events)
        except Exception:
            # One container's trouble must not silence all others.
            log.exception("the resolver met a defect and goes on")

    def _poll(self, listener: Listener) -> None:
        if listener in self._listeners:
            self.watch(listener.datagrams.fileno(), EPOLLIN, lambda _: self._drain(listener))
            self._streams.accept_at(listener)

    def _forget_listener(self, listener: Listener) -> None:
        if listener not in self._listeners:
            return
        self._listeners.discard(listener)
        self._forwarder.forget(listener)
        self._streams.forget(listener)
        self.forget(listener.datagrams.fileno())
        listener.close()

    # Questions.

    def _drain(self, listener: Listener) -> None:
        fd = listener.datagrams.fileno()
        most = listener.allowed(_AT_ONCE)
        if most <= 0:
            self.pause(fd, EPOLLIN)
            return
        for _ in range(most):
            try:
                arrived = self._inbox.take(fd)
            except OSError:
                continue  # an error of an earlier answer: its client has gone
            if arrived is None:
                break
            listener.spend(1)
            data, sender = arrived
            self._ask(listener, data, sender, partial(_send, fd, sender))

    def _ask(
        self, listener: Listener, data: bytes, sender: object, give: Callable[[bytes], None]
    ) -> None:
        """Answer one message, by ``give``, at once or later. ``sender`` is bytes for UDP."""
        query = message.parse_query(data)
        if isinstance(query, Malformed):
            if query.reply:
                give(query.reply)
            return
        sight = listener.sight
        if sight is None:
            return
        by_stream = not isinstance(sender, bytes)
        if by_stream:
            query = query._replace(size=message.MAX_TCP)
        listener.turn = random.getrandbits(16) if listener.turn == 0 else listener.turn + 1
        answer = decide(query, sight, self._zones, turn=listener.turn, ceiling=query.size)
        if not isinstance(answer, Elsewhere):
            give(answer)
            return

        def deliver(query: Query, answer: bytes) -> None:
            passed = message.passed_on(query, answer, query.size)
            if sight.view.watched and self._on_answer is not None:
                self._hold(query, answer, sight.view.station, lambda: give(passed))
            else:
                give(passed)

        key = (sender, query.data[:2], query.name, query.kind)
        self._forwarder.begin(
            Asked(listener, key, query, sight.servers, by_stream, _maker(listener), deliver)
        )

    def _hold(self, query: Query, answer: bytes, station: str, give: Callable[[], None]) -> None:
        """Give the answer once the hook is done with the addresses in it."""
        found = message.addresses_in(query, answer)
        if not found.addresses or self._on_answer is None:
            give()
            return
        ticket = self._held.keep(give)
        answered = Answered(to_text(query.name), found.addresses, found.ttl, station)
        self._on_answer(answered, lambda: self._call(lambda: self._held.release(ticket)))


def _maker(listener: Listener) -> MakeSocket:
    def make(server: Upstream, kind: int) -> socket.socket:
        if server.inside:
            return listener.socket_inside(server, kind)
        return listeners.socket_for(server, kind)

    return make


def _send(fd: int, receiver: bytes, answer: bytes) -> None:
    # A client that has gone, or whose buffer is full, asks again.
    with contextlib.suppress(OSError):
        datagrams.send(fd, answer, receiver)
