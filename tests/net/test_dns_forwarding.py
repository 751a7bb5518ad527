"""Questions on their way outside: time and bounds, with a clock that the test turns."""

import select
import socket
import time
from collections.abc import Callable, Iterator

import dns.message
import dns.rcode
import pytest

from boxship.net.dns import forwarding, listeners, message
from boxship.net.dns.forwarding import Asked, Forwarder
from boxship.net.dns.listeners import Listener, socket_for
from boxship.net.dns.message import Query
from boxship.net.dns.zones import Upstream
from support.nameservers import response
from support.waiting import eventually


class Loop:
    """Polls when it is told to; time stands still meanwhile."""

    def __init__(self) -> None:
        self.now = 100.0
        self.forwarder = Forwarder(self, lambda: self.now)
        self.answers: list[bytes] = []
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._poll = select.poll()

    def watch(self, fd: int, events: int, handler: Callable[[int], None]) -> None:
        self._poll.register(fd, events)
        self._handlers[fd] = handler

    def forget(self, fd: int) -> None:
        self._poll.unregister(fd)
        del self._handlers[fd]

    def turn(self) -> None:
        for fd, events in self._poll.poll(1000):
            self._handlers[fd](events)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.forwarder.sweep()

    def ask(
        self, *servers: socket.socket, client: str = "c", name: str = "x.example.org", key: int = 0
    ) -> None:
        query = message.parse_query(dns.message.make_query(name, "A", id=key).to_wire())
        assert isinstance(query, Query)
        places = [Upstream(*one.getsockname()) for one in servers]
        self.forwarder.begin(Asked(client, key, query, places, False, socket_for, self._deliver))

    def _deliver(self, _query: Query, answer: bytes) -> None:
        self.answers.append(answer)

    @property
    def descriptors(self) -> int:
        return len(self._handlers)


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    for number in range(300):
        made.forwarder.forget("c" if not number else str(number))
    assert len(made.forwarder) == made.descriptors == 0


@pytest.fixture
def servers() -> Iterator[list[socket.socket]]:
    made = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for one in made:
        one.bind(("127.0.0.1", 0))
        one.setblocking(False)
    yield made
    for one in made:
        one.close()


def _questions(server: socket.socket) -> list[tuple[bytes, tuple[str, int]]]:
    got = []
    while True:
        try:
            got.append(server.recvfrom(512))
        except BlockingIOError:
            return got


def test_silence_everywhere_is_servfail_before_a_c_library_asks_again(
    loop: Loop, servers: list[socket.socket]
) -> None:
    loop.ask(*servers)
    asked = [(len(_questions(servers[0])), len(_questions(servers[1])))]
    for _ in range(4):
        loop.pass_time(1.0)
        asked.append((len(_questions(servers[0])), len(_questions(servers[1]))))
    assert asked == [(1, 0), (0, 1), (1, 1), (1, 1), (1, 1)]
    assert loop.answers == []

    loop.pass_time(0.9)
    (answer,) = loop.answers
    assert dns.message.from_wire(answer).rcode() == dns.rcode.SERVFAIL


def test_a_late_answer_still_counts(loop: Loop, servers: list[socket.socket]) -> None:
    loop.ask(*servers)
    loop.pass_time(1.0)
    ((query, sender),) = _questions(servers[0])
    servers[0].sendto(response(query, "192.0.2.7"), sender)
    loop.turn()

    assert len(loop.answers) == 1
    assert loop.descriptors == 0


def test_a_server_that_was_silent_is_asked_last_for_a_while(
    loop: Loop, servers: list[socket.socket]
) -> None:
    loop.ask(*servers)
    loop.pass_time(1.0)
    loop.ask(*servers, key=1)
    assert len(_questions(servers[0])) == 1
    assert len(_questions(servers[1])) == 2
    loop.pass_time(5.0)
    loop.pass_time(60.0)
    assert len(loop.forwarder) == 0
    loop.ask(*servers, key=2)
    assert len(_questions(servers[0])) == 1, "first again"


def test_a_slow_name_is_not_the_servers_fault(loop: Loop, servers: list[socket.socket]) -> None:
    """A container could otherwise have all others ask the wrong server."""
    loop.ask(*servers, name="slow.example.org")
    _questions(servers[0])
    loop.pass_time(0.5)
    loop.ask(*servers, name="quick.example.org", key=1)
    ((query, sender),) = _questions(servers[0])
    servers[0].sendto(response(query, "192.0.2.7"), sender)
    loop.turn()
    loop.pass_time(0.6)
    loop.ask(*servers, key=2)

    assert len(_questions(servers[0])) == 1


def test_the_same_question_again_is_not_sent_again(
    loop: Loop, servers: list[socket.socket]
) -> None:
    for _ in range(5):
        loop.ask(servers[0])

    assert len(_questions(servers[0])) == 1


def test_a_container_has_so_many_at_a_time(loop: Loop, servers: list[socket.socket]) -> None:
    for key in range(forwarding.PER_CLIENT + 10):
        loop.ask(servers[0], key=key)
    loop.ask(servers[0], client="1", key=7)

    assert len(loop.forwarder) == loop.descriptors == forwarding.PER_CLIENT + 1
    _questions(servers[0])
    loop.ask(servers[0], key=forwarding.PER_CLIENT)
    assert _questions(servers[0]) == [], "the younger are under way"
    loop.ask(servers[0], key=0)
    assert len(_questions(servers[0])) == 1, "the oldest gave way"


def test_the_busiest_gives_way_when_there_are_too_many_in_all(
    loop: Loop, servers: list[socket.socket]
) -> None:
    loop.ask(servers[0], client="299")
    clients = forwarding.IN_ALL // forwarding.PER_CLIENT + 1
    for client in range(1, clients + 1):
        for key in range(forwarding.PER_CLIENT):
            loop.ask(servers[0], client=str(client), key=key)
            _questions(servers[0])

    assert len(loop.forwarder) == forwarding.IN_ALL
    loop.pass_time(forwarding.GIVE_UP_AFTER)
    assert len(loop.answers) == forwarding.IN_ALL, "with that of the one who asked once"


def test_a_container_may_ask_so_much_in_the_long_run() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket(socket.AF_INET) as streams,
    ):
        listener = Listener(datagrams, streams, 1)
        assert listener.allowed(32) == 32
        assert listener.allowed(10**9) == listeners.BURST
        listener.spend(listeners.BURST)
        begin = time.monotonic()
        allowed = eventually(lambda: listener.allowed(10**9), "more")
        assert allowed <= (time.monotonic() - begin + 0.001) * listeners.RATE
