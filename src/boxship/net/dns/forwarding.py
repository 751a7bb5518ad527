"""Questions that no network of ours answers: asked of servers outside, one after the other.

A server that does not answer within a second has company: the next one is asked as well, and the
first good answer counts. One that refuses (SERVFAIL, REFUSED, nobody at the port) is left at
once. All told it takes less than the five seconds after which a C library asks again.

What a container can make us hold is bounded: it has so many questions on their way at a time,
and all containers together so many; the oldest give way, those of the busiest container first.
"""

import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from boxship.net.dns import message
from boxship.net.dns.exchanges import Connection, Datagram, Exchange, MakeSocket
from boxship.net.dns.message import Query
from boxship.net.dns.zones import Upstream

NEXT_AFTER = 1.0
"""Seconds until another server is asked as well."""
GIVE_UP_AFTER = 4.5
_SUSPECT_FOR = 10.0
_MOST_SERVERS = 1000
PER_CLIENT = 256
IN_ALL = 2048
_FAILURES = (message.SERVFAIL, message.NOTIMP, message.REFUSED)

Deliver = Callable[[Query, bytes], None]
"""Takes the question and the answer to it, as the server gave it or as we say it."""


class Poller(Protocol):
    """Where exchanges are polled; the resolver's loop is one."""

    def watch(self, fd: int, events: int, handler: Callable[[int], None]) -> None:
        """Have ``handler`` called with what happened; again to change ``events``."""

    def forget(self, fd: int) -> None:
        """Stop; the descriptor is about to be closed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to be carried outside, and what is to happen with the answer."""

    client: Hashable
    """Whose it is; what it may have under way is counted together."""
    key: Hashable
    """A question of the same client with the same key is the same question, asked again."""
    query: Query
    servers: Sequence[Upstream]
    by_stream: bool
    make: MakeSocket
    deliver: Deliver


class _Pending:
    __slots__ = ("asked", "code", "exchanges", "look_at", "sent_id", "started", "untried")

    def __init__(self, asked: Asked, untried: list[Upstream], now: float) -> None:
        self.asked, self.untried, self.started = asked, untried, now
        self.look_at = now
        self.sent_id = os.urandom(2)
        self.exchanges: list[Exchange] = []
        self.code = message.SERVFAIL


class Forwarder:
    """All questions under way. Used by one thread."""

    def __init__(self, poller: Poller, clock: Callable[[], float]) -> None:
        self._poller, self._clock = poller, clock
        self._clients: dict[Hashable, dict[Hashable, _Pending]] = {}
        self._count = 0
        self._answered: dict[tuple[str, int], float] = {}
        self._suspects: dict[tuple[str, int], float] = {}

    def __len__(self) -> int:
        return self._count

    def begin(self, asked: Asked) -> None:
        """Ask; the answer, or SERVFAIL, is delivered in any case, unless it has to give way."""
        of_client = self._clients.get(asked.client, {})
        if asked.key in of_client:
            return
        if len(of_client) >= PER_CLIENT:
            self._drop(next(iter(of_client.values())))
        elif self._count >= IN_ALL:
            self._drop(next(iter(max(self._clients.values(), key=len).values())))
        now = self._clock()
        pending = _Pending(asked, self._in_order(asked.servers, now), now)
        self._clients.setdefault(asked.client, {})[asked.key] = pending
        self._count += 1
        self._go_on(pending)

    def forget(self, client: Hashable) -> None:
        """Drop all questions of a client that is gone."""
        for pending in list(self._clients.get(client, {}).values()):
            self._drop(pending)

    def sweep(self) -> None:
        """See to what took too long; to be called several times a second while there is any."""
        now = self._clock()
        for of_client in list(self._clients.values()):
            for pending in list(of_client.values()):
                if now - pending.started >= GIVE_UP_AFTER:
                    self._suspect(pending, now)
                    self._fail(pending)
                elif now >= pending.look_at:
                    self._suspect(pending, now)
                    self._go_on(pending)

    def _in_order(self, servers: Sequence[Upstream], now: float) -> list[Upstream]:
        """Return servers as given, but those last that were silent lately."""
        return sorted(
            servers, key=lambda one: self._suspects.get((one.address, one.port), 0.0) > now
        )

    def _suspect(self, pending: _Pending, now: float) -> None:
        """Note who let us wait. Slow for this name only is no fault: others had their answers."""
        for exchange in pending.exchanges:
            place = (exchange.server.address, exchange.server.port)
            waited = now - exchange.sent_at >= NEXT_AFTER
            if waited and self._answered.get(place, 0.0) < exchange.sent_at:
                self._suspects[place] = now + _SUSPECT_FOR

    def _go_on(self, pending: _Pending) -> None:
        """Ask the next server that can be asked, or those once more that have not answered."""
        pending.look_at = self._clock() + NEXT_AFTER
        while pending.untried:
            if self._ask(pending, pending.untried.pop(0)):
                return
        for exchange in list(pending.exchanges):
            try:
                exchange.again()
            except OSError:
                self._close(pending, exchange)
        if not pending.exchanges:
            self._fail(pending)

    def _ask(self, pending: _Pending, server: Upstream) -> bool:
        asked = pending.asked
        text = pending.sent_id + asked.query.data[2:]
        kind = Connection if asked.by_stream else Datagram
        try:
            exchange: Exchange = kind(server, text, self._clock(), asked.make)
        except OSError:
            return False
        pending.exchanges.append(exchange)
        self._watch(pending, exchange)
        return True

    def _ready(self, pending: _Pending, exchange: Exchange) -> None:
        before = exchange.events
        try:
            answer = exchange.receive()
        except OSError:
            self._leave(pending, exchange)
            return
        if answer is None:
            if exchange.events != before:
                self._watch(pending, exchange)
        elif message.answers(pending.asked.query, pending.sent_id, answer):
            self._answer(pending, exchange, answer)
        elif pending.asked.by_stream:
            self._leave(pending, exchange)

    def _answer(self, pending: _Pending, exchange: Exchange, answer: bytes) -> None:
        place = (exchange.server.address, exchange.server.port)
        if len(self._answered) > _MOST_SERVERS:
            self._answered.clear()
        self._answered[place] = self._clock()
        self._suspects.pop(place, None)
        code = message.code_of(answer)
        if code in _FAILURES or not message.has_question(answer):
            pending.code = code
            self._leave(pending, exchange)
            return
        self._drop(pending)
        pending.asked.deliver(pending.asked.query, answer)

    def _leave(self, pending: _Pending, exchange: Exchange) -> None:
        """Go on without a server that failed."""
        self._close(pending, exchange)
        if pending.untried or not pending.exchanges:
            self._go_on(pending)

    def _watch(self, pending: _Pending, exchange: Exchange) -> None:
        self._poller.watch(exchange.fd, exchange.events, lambda _: self._ready(pending, exchange))

    def _close(self, pending: _Pending, exchange: Exchange) -> None:
        pending.exchanges.remove(exchange)
        self._poller.forget(exchange.fd)
        exchange.close()

    def _fail(self, pending: _Pending) -> None:
        query = pending.asked.query
        self._drop(pending)
        pending.asked.deliver(query, message.reply(query, pending.code, ceiling=query.size))

    def _drop(self, pending: _Pending) -> None:
        of_client = self._clients.get(pending.asked.client, {})
        if of_client.pop(pending.asked.key, None) is None:
            return
        self._count -= 1
        if not of_client:
            del self._clients[pending.asked.client]
        for exchange in list(pending.exchanges):
            self._close(pending, exchange)
