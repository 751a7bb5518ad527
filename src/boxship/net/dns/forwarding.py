"""Questions that no network of ours answers: asked of servers outside, one after the other.

A server that does not answer within a second has company: the next one is asked as well, and the
first good answer counts. One that refuses (SERVFAIL, REFUSED, nobody at the port) is left at
once. All told it takes less than the five seconds after which a C library asks again.

What a container can make us hold is bounded: it has so many questions on their way at a time,
and all containers together so many; the oldest give way, those of the busiest container first.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from boxship.net.dns import message
from boxship.net.dns.exchanges import Connection, Datagram, Exchange, MakeSocket
from boxship.net.dns.message import Query
from boxship.net.dns.zones import Upstream

NEXT_AFTER = 1.0
"""Seconds until another server is asked as well."""
GIVE_UP_AFTER = 4.5
_SUSPECT_FOR = 10.0
_MOST_TRIES = 4
PER_CLIENT = 256
IN_ALL = 2048
_FAILURES = (message.SERVFAIL, message.NOTIMP, message.REFUSED)

Deliver = Callable[[Query, bytes], None]
"""Takes the question and the answer to it, as the server gave it or as we say it."""


class Poller:
    """Where exchanges are polled; the resolver's loop is one."""

    def watch(self, fd: int, events: int, handler: Callable[[int], None]) -> None:
        """Have ``handler`` called with what happened; again to change ``events``."""
        raise NotImplementedError

    def forget(self, fd: int) -> None:
        """Stop; the descriptor is about to be closed."""
        raise NotImplementedError


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
    __slots__ = ("asked", "code", "exchanges", "order", "sent_id", "started", "tried")

    def __init__(self, asked: Asked, order: list[Upstream], now: float) -> None:
        self.asked, self.order, self.started = asked, order, now
        self.sent_id = os.urandom(2)
        self.tried = 0
        self.exchanges: list[Exchange] = []
        self.code = message.SERVFAIL


class Forwarder:
    """All questions under way. Used by one thread."""

    def __init__(self, poller: Poller, clock: Callable[[], float]) -> None:
        self._poller, self._clock = poller, clock
        self._clients: dict[Hashable, OrderedDict[Hashable, _Pending]] = {}
        self._count = 0
        self._answered: dict[tuple[str, int], float] = {}
        self._suspects: dict[tuple[str, int], float] = {}

    def __len__(self) -> int:
        return self._count

    def begin(self, asked: Asked) -> None:
        """Ask; the answer, or SERVFAIL, is delivered in any case, unless it has to give way."""
        of_client = self._clients.setdefault(asked.client, OrderedDict())
        if asked.key in of_client:
            return
        if len(of_client) >= PER_CLIENT:
            self._drop(next(iter(of_client.values())))
        elif self._count >= IN_ALL:
            busiest = max(self._clients.values(), key=len)
            self._drop(next(iter(busiest.values())))
        # Giving way may have emptied it, and then it is no longer ours.
        of_client = self._clients.setdefault(asked.client, of_client)
        now = self._clock()
        pending = _Pending(asked, self._in_order(asked.servers, now), now)
        of_client[asked.key] = pending
        self._count += 1
        self._ask_next(pending)

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
                elif now - pending.started >= NEXT_AFTER * pending.tried:
                    self._suspect(pending, now)
                    self._ask_next(pending)

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

    def _ask_next(self, pending: _Pending) -> None:
        """Ask the next server that can be asked; when none is left and none may answer, fail."""
        while pending.tried < _MOST_TRIES:
            server = pending.order[pending.tried % len(pending.order)]
            pending.tried += 1
            if pending.tried > len(pending.order):
                if self._repeat(pending, server):
                    return
            elif self._ask(pending, server):
                return
        if not pending.exchanges:
            self._fail(pending)

    def _repeat(self, pending: _Pending, server: Upstream) -> bool:
        for exchange in pending.exchanges:
            if exchange.server is server:
                try:
                    exchange.again()
                except OSError:
                    return False
                return True
        return False

    def _ask(self, pending: _Pending, server: Upstream) -> bool:
        asked = pending.asked
        text = pending.sent_id + asked.query.data[2:]
        kind = Connection if asked.by_stream else Datagram
        try:
            exchange: Exchange = kind(server, text, self._clock(), asked.make)
        except OSError:
            return False
        pending.exchanges.append(exchange)
        self._poller.watch(
            exchange.fd, exchange.events, lambda _: self._ready(pending, exchange)
        )
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
                self._poller.watch(
                    exchange.fd, exchange.events, lambda _: self._ready(pending, exchange)
                )
            return
        if not message.answers(pending.asked.query, pending.sent_id, answer):
            if pending.asked.by_stream:
                self._leave(pending, exchange)
            return
        place = (exchange.server.address, exchange.server.port)
        self._answered[place] = self._clock()
        self._suspects.pop(place, None)
        code = message.code_of(answer)
        if code in _FAILURES or not message.has_question(answer):
            pending.code = code or message.SERVFAIL
            self._leave(pending, exchange)
            return
        self._drop(pending)
        pending.asked.deliver(pending.asked.query, answer)

    def _leave(self, pending: _Pending, exchange: Exchange) -> None:
        """Go on without a server that failed."""
        pending.exchanges.remove(exchange)
        self._poller.forget(exchange.fd)
        exchange.close()
        if pending.exchanges and pending.tried >= len(pending.order):
            return
        pending.order = [one for one in pending.order]
        self._ask_next(pending)

    def _fail(self, pending: _Pending) -> None:
        query = pending.asked.query
        self._drop(pending)
        pending.asked.deliver(query, message.reply(query, pending.code, ceiling=query.size))

    def _drop(self, pending: _Pending) -> None:
        of_client = self._clients.get(pending.asked.client, OrderedDict())
        if of_client.pop(pending.asked.key, None) is None:
            return
        self._count -= 1
        if not of_client:
            del self._clients[pending.asked.client]
        for exchange in pending.exchanges:
            self._poller.forget(exchange.fd)
            exchange.close()
        pending.exchanges.clear()
