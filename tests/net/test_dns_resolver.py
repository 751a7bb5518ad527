"""The resolver in network namespaces, asked by an independent client."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from select import EPOLLIN

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from boxship.kernel.namespaces import loopback_up
from boxship.net.dns import holding, listeners, redirect
from boxship.net.dns.resolver import Answered, Resolver
from boxship.net.dns.zones import Member, Upstream, View, Zone
from boxship.net.namespaces import NetworkNamespace, run_inside
from support.nameservers import ADDRESS, NameServer, addresses, answering, ask, response, silent
from support.waiting import eventually

pytestmark = pytest.mark.privileged

WEB = Member(("web", "www"), ("10.0.0.2", "fd00::2"))
DB = Member(("db", "www"), ("10.0.0.3",))


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    made = Resolver()
    made.set_zone("n1", Zone.of("front", {"c1": WEB, "c2": DB}))
    made.set_zone("n2", Zone.of("back", {"c3": Member(("hidden",), ("10.1.0.2",))}))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def box() -> Iterator[NetworkNamespace]:
    with _box() as made:
        yield made


def _box() -> NetworkNamespace:
    made = NetworkNamespace.make()
    run_inside(made, loopback_up)
    return made


def _serve(resolver: Resolver, box: NetworkNamespace, *servers: Upstream, **rest: bool) -> None:
    view = View(("n1",), servers, extra={"alias": ("10.9.9.9",)}, station="me", **rest)
    resolver.set_view(resolver.listen(box), view)


def _local(server: NameServer, *, inside: bool = False) -> Upstream:
    return Upstream("127.0.0.1", server.port, inside)


@pytest.mark.parametrize("tcp", [False, True])
def test_names_by_udp_and_tcp(resolver: Resolver, box: NetworkNamespace, tcp: bool) -> None:
    _serve(resolver, box)

    assert addresses(ask(box, "web", tcp=tcp)) == ["10.0.0.2"]
    assert addresses(ask(box, "web.front", "AAAA", tcp=tcp)) == ["fd00::2"]
    assert addresses(ask(box, "alias", tcp=tcp)) == ["10.9.9.9"]
    assert addresses(ask(box, "3.0.0.10.in-addr.arpa", "PTR", tcp=tcp)) == ["db.front."]
    assert ask(box, "db", "AAAA", tcp=tcp).rcode() == dns.rcode.NOERROR
    assert ask(box, "hidden", tcp=tcp).rcode() == dns.rcode.SERVFAIL, "no server to ask"
    assert {addresses(ask(box, "www", tcp=tcp))[0] for _ in range(4)} == {"10.0.0.2", "10.0.0.3"}


def test_changes_are_seen_by_the_next_question(resolver: Resolver, box: NetworkNamespace) -> None:
    listener = resolver.listen(box)
    view = View(("n1",), forward=False)
    resolver.set_view(listener, view)
    assert addresses(ask(box, "db")) == ["10.0.0.3"]

    renamed = Member(("shop",), ("10.0.0.3",))
    resolver.set_zone("n1", Zone.of("front", {"c1": WEB, "c2": renamed}))
    assert ask(box, "db").rcode() == dns.rcode.NXDOMAIN
    assert addresses(ask(box, "shop")) == ["10.0.0.3"]
    resolver.set_view(listener, View(("n1", "n2"), forward=False))
    assert addresses(ask(box, "hidden")) == ["10.1.0.2"]
    resolver.set_view(listener, View(("n2",), forward=False))
    assert ask(box, "web").rcode() == dns.rcode.NXDOMAIN
    resolver.set_zone("n2", None)
    assert ask(box, "hidden").rcode() == dns.rcode.NXDOMAIN


def test_port_53_is_left_to_the_container(resolver: Resolver, box: NetworkNamespace) -> None:
    _serve(resolver, box)

    def serve_names() -> tuple[socket.socket, socket.socket]:
        return socket.create_server(("", 53)), _bound_datagrams(("", 53))

    with ExitStack() as stack:
        for one in run_inside(box, serve_names):
            stack.enter_context(one)
        assert addresses(ask(box, "web")) == ["10.0.0.2"]
        assert addresses(ask(box, "web", tcp=True)) == ["10.0.0.2"]


def _bound_datagrams(address: tuple[str, int]) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(address)
    return made


def test_a_client_with_connected_socket_hears_port_53(
    resolver: Resolver, box: NetworkNamespace
) -> None:
    """As all C libraries have it: an answer from another port would be dropped by the kernel."""
    _serve(resolver, box)

    def lookup() -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(2)
            client.connect((ADDRESS, 53))
            client.send(dns.message.make_query("web", "A").to_wire())
            return client.recv(512)

    assert addresses(dns.message.from_wire(run_inside(box, lookup))) == ["10.0.0.2"]


@pytest.mark.parametrize("tcp", [False, True])
def test_unknown_names_are_asked_outside(
    resolver: Resolver, box: NetworkNamespace, tcp: bool
) -> None:
    with NameServer() as outside:
        _serve(resolver, box, _local(outside))
        assert addresses(ask(box, "example.org", tcp=tcp)) == ["192.0.2.7"]
        assert addresses(ask(box, "web", tcp=tcp)) == ["10.0.0.2"]
        assert len(outside.asked) == 1, "what we know is not asked"
        outside.behaviour = answering(code=dns.rcode.NXDOMAIN)
        assert ask(box, "nowhere.example.org", tcp=tcp).rcode() == dns.rcode.NXDOMAIN


def test_a_server_seen_from_inside_only(resolver: Resolver, box: NetworkNamespace) -> None:
    with NameServer(namespace=box) as outside:
        _serve(resolver, box, _local(outside, inside=True))
        assert addresses(ask(box, "example.org")) == ["192.0.2.7"]
        assert addresses(ask(box, "example.org", tcp=True)) == ["192.0.2.7"]


@pytest.mark.parametrize("tcp", [False, True])
def test_the_next_server_steps_in(resolver: Resolver, box: NetworkNamespace, tcp: bool) -> None:
    """For one that refuses, and for one that is not there, at once."""
    with NameServer(answering(code=dns.rcode.SERVFAIL)) as bad, NameServer() as good:
        _serve(resolver, box, _local(bad), Upstream("127.0.0.1", 1), _local(good))
        before = time.monotonic()
        assert addresses(ask(box, "example.org", tcp=tcp)) == ["192.0.2.7"]
        assert time.monotonic() - before < 0.9, "without waiting for a time-out"


def test_a_silent_server_costs_a_second_once(resolver: Resolver, box: NetworkNamespace) -> None:
    with NameServer(silent) as bad, NameServer() as good:
        _serve(resolver, box, _local(bad), _local(good))
        assert addresses(ask(box, "one.example.org")) == ["192.0.2.7"]
        before = time.monotonic()
        assert addresses(ask(box, "two.example.org")) == ["192.0.2.7"]
        assert time.monotonic() - before < 0.9, "it is asked last for a while"


def test_forged_answers_do_not_count(resolver: Resolver, box: NetworkNamespace) -> None:
    def forge(query: bytes, there: socket.socket, sender: tuple[str, int]) -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
            elsewhere.sendto(response(query, "203.0.113.1"), sender)
        other_id = bytes((query[0] ^ 1, query[1])) + query[2:]
        there.sendto(response(other_id, "203.0.113.2"), sender)
        there.sendto(response(query.replace(b"example", b"exbmple"), "203.0.113.3"), sender)
        there.sendto(b"garbage", sender)
        return response(query, "192.0.2.7")

    with NameServer(forge) as outside:
        _serve(resolver, box, _local(outside))
        assert addresses(ask(box, "example.org")) == ["192.0.2.7"]


def test_ids_and_ports_outside_are_not_the_clients(
    resolver: Resolver, box: NetworkNamespace
) -> None:
    seen: list[tuple[bytes, int]] = []

    def note(query: bytes, _there: socket.socket, sender: tuple[str, int]) -> bytes:
        seen.append((query[:2], sender[1]))
        return response(query, "192.0.2.7")

    with NameServer(note) as outside:
        _serve(resolver, box, _local(outside))
        message = dns.message.make_query("example.org", "A")
        message.id = 7
        for _ in range(8):
            answer = run_inside(box, lambda: dns.query.udp(message, ADDRESS, timeout=2))
            assert answer.id == 7
    assert len({one for one, _ in seen}) > 4
    assert len({port for _, port in seen}) > 4


def test_long_answers_from_outside(resolver: Resolver, box: NetworkNamespace) -> None:
    many = [f"192.0.2.{number}" for number in range(100)]
    with NameServer(answering(*many)) as outside:
        _serve(resolver, box, _local(outside))
        assert ask(box, "example.org").flags & dns.flags.TC
        assert sorted(addresses(ask(box, "example.org", payload=4096))) == sorted(many)
        assert sorted(addresses(ask(box, "example.org", tcp=True))) == sorted(many)


def test_the_next_resolver_serves_who_is_running(box: NetworkNamespace) -> None:
    """A daemon that is killed leaves a redirect to nowhere; its successor's is the only one."""
    first = Resolver()
    first.start()
    _serve(first, box)
    first.stop()
    with pytest.raises(dns.exception.Timeout):
        ask(box, "alias", timeout=0.1)

    second = Resolver()
    second.start()
    try:
        second.set_view(second.adopt(box), View(extra={"alias": ("10.9.9.9",)}))
        assert addresses(ask(box, "alias")) == ["10.9.9.9"]
    finally:
        second.stop()


def test_a_resolver_whose_port_is_taken_and_its_successor(box: NetworkNamespace) -> None:
    """Ports change both ways, and one redirect is left each time."""
    first, second = Resolver(), Resolver()
    first.start()
    with run_inside(box, lambda: _bound_datagrams(("", listeners.PORT))):
        _serve(first, box)
        assert addresses(ask(box, "alias")) == ["10.9.9.9"]
        assert addresses(ask(box, "alias", tcp=True)) == ["10.9.9.9"]
    first.stop()
    second.start()
    second.set_view(second.adopt(box), View(extra={"alias": ("10.9.9.8",)}))
    assert addresses(ask(box, "alias")) == ["10.9.9.8"]
    assert _ruleset(box).count("table ip") == 1
    second.stop()


def test_no_connection_is_tracked(resolver: Resolver, box: NetworkNamespace) -> None:
    """The table is known to the kernel as we mean it, without NAT in it."""
    _serve(resolver, box)
    rules = _ruleset(box)

    assert f"table ip {redirect.TABLE}{listeners.PORT} {{" in rules
    assert "ip daddr 127.0.0.11 udp dport 53 udp dport set 61053" in rules
    assert "ip saddr 127.0.0.11 tcp sport 61053 tcp sport set 53" in rules
    assert "nat" not in rules


def _ruleset(box: NetworkNamespace) -> str:
    command = ["nsenter", f"--net={box.path}", "nft", "list", "ruleset"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_container_that_tracks_its_connections(resolver: Resolver, box: NetworkNamespace) -> None:
    """To its own firewall a lookup is one flow to where the resolver listens, and back."""
    _serve(resolver, box)
    rules = """
        table ip own {
            chain mine {
                type filter hook input priority 0; policy drop;
                ct state established accept
                ct state new meta l4proto { tcp, udp } th dport 61053 accept
            }
        }
        """
    command = ["nsenter", f"--net={box.path}", "nft", "-f", "-"]
    subprocess.run(command, check=True, input=rules, text=True)

    assert addresses(ask(box, "web")) == ["10.0.0.2"]
    assert addresses(ask(box, "web", tcp=True)) == ["10.0.0.2"]


def test_a_closed_listener_lets_go(resolver: Resolver, box: NetworkNamespace) -> None:
    listener = resolver.listen(box)
    resolver.set_view(listener, View(extra={"alias": ("10.9.9.9",)}))
    assert addresses(ask(box, "alias")) == ["10.9.9.9"]
    resolver.close(listener)

    def closed() -> bool:
        return listener.datagrams.fileno() == listener.streams.fileno() == -1

    eventually(closed, "sockets closed")
    resolver.close(listener)  # again
    resolver.set_view(listener, View())  # too late, and no harm


def test_one_container_cannot_starve_another(resolver: Resolver, box: NetworkNamespace) -> None:
    """A flood is answered up to its share; what others ask is answered meanwhile."""
    _serve(resolver, box)
    with _box() as other:
        _serve(resolver, other)
        stop = threading.Event()
        query = dns.message.make_query("web", "A").to_wire()

        def flood() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.connect((ADDRESS, 53))
                client.setblocking(False)
                while not stop.is_set():
                    try:
                        client.send(query)
                    except OSError:
                        stop.wait(0.001)

        thread = threading.Thread(target=lambda: run_inside(box, flood))
        thread.start()
        try:
            took = []
            for _ in range(100):
                before = time.monotonic()
                assert addresses(ask(other, "web")) == ["10.0.0.2"]
                took.append(time.monotonic() - before)
        finally:
            stop.set()
            thread.join()
        assert sorted(took)[50] < 0.2


def test_tcp_clients_that_misbehave(resolver: Resolver, box: NetworkNamespace) -> None:
    _serve(resolver, box)
    query = dns.message.make_query("web", "A").to_wire()
    framed = len(query).to_bytes(2, "big") + query

    def connect() -> socket.socket:
        return run_inside(box, lambda: socket.create_connection((ADDRESS, 53), timeout=3))

    with ExitStack() as stack:
        idle = [stack.enter_context(connect()) for _ in range(40)]
        assert idle[0].recv(1) == b"", "the oldest give way"
        talker = stack.enter_context(connect())
        talker.sendall(framed * 50)  # all at once, in whatever pieces they arrive
        received = b""
        while len(received) < 50 * (len(framed) + 16):
            received += talker.recv(65536)
        drip = stack.enter_context(connect())
        for byte in framed:
            drip.send(bytes((byte,)))
        assert drip.recv(65536)[2:4] == query[:2]
        liar = stack.enter_context(connect())
        liar.sendall(b"\xff\xff")
        assert liar.recv(1) == b""
        assert addresses(ask(box, "web", tcp=True)) == ["10.0.0.2"]


def test_an_answer_waits_for_its_rule(box: NetworkNamespace) -> None:
    heard: list[Answered] = []
    releases: list[Callable[[], None]] = []

    def on_answer(answered: Answered, release: Callable[[], None]) -> None:
        heard.append(answered)
        releases.append(release)
        if len(heard) == 1:
            threading.Timer(0.15, release).start()

    resolver = Resolver(on_answer)
    resolver.start()
    with NameServer() as outside:
        try:
            _serve(resolver, box, _local(outside), watched=True)
            before = time.monotonic()
            assert addresses(ask(box, "Example.org")) == ["192.0.2.7"]
            assert 0.1 < time.monotonic() - before < holding.HOLD_FOR
            assert heard == [Answered("example.org", (bytes((192, 0, 2, 7)),), 60, "me")]
            assert addresses(ask(box, "never.example.org")) == ["192.0.2.7"], "in the end it comes"
            releases[1]()  # late
            outside.behaviour = answering(code=dns.rcode.NXDOMAIN)
            assert ask(box, "no.example.org").rcode() == dns.rcode.NXDOMAIN
            assert len(heard) == 2
        finally:
            resolver.stop()


def test_connections_count_as_questions(resolver: Resolver, box: NetworkNamespace) -> None:
    """Who connects and hangs up again and again is served slower, and others as before."""
    _serve(resolver, box)
    most = listeners.BURST // 5

    def connect_often() -> float:
        begin = time.monotonic()
        for _ in range(most + 100):
            with socket.create_connection((ADDRESS, 53), timeout=5) as client:
                client.shutdown(socket.SHUT_WR)
                client.recv(1)
        return time.monotonic() - begin

    took = run_inside(box, connect_often)
    # Each is a connection and a hang-up: six questions; what the burst does not cover takes time.
    assert took > ((most + 100) * 6 - listeners.BURST) / listeners.RATE - 0.01
    assert addresses(ask(box, "web")) == ["10.0.0.2"]


def test_who_is_closed_while_it_pauses_is_not_polled_again(box: NetworkNamespace) -> None:
    """A connection that another one puts out, in the very round in which both would go on."""
    resolver = Resolver()
    resolver.set_zone("n1", Zone.of("front", {"c1": WEB}))
    first, second = os.eventfd(1), os.eventfd(1)
    seen: list[int] = []

    def put_out_the_other(_: int) -> None:
        os.eventfd_read(first)
        resolver.forget(second)
        os.close(second)
        seen.append(first)

    resolver.watch(first, EPOLLIN, put_out_the_other)
    resolver.watch(second, EPOLLIN, lambda _: seen.append(second))
    for fd in (first, second):
        resolver.pause(fd, EPOLLIN)
    resolver.start()
    try:
        eventually(lambda: bool(seen), "the end of the pause")
        _serve(resolver, box)
        assert addresses(ask(box, "web")) == ["10.0.0.2"]
        assert seen == [first]
    finally:
        resolver.stop()
        os.close(first)
