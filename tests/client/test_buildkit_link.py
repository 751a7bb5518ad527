"""Both ends of a gRPC connection as blocking callers have them, over a socket pair."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from boxship.client.buildkit.link import Call, Link
from boxship.client.engine import HijackedStream
from boxship.client.http import ResponseHead
from boxship.client.transport import PlainConnection
from boxship.wire.grpc.status import Code, GrpcError

Pair = Callable[[Callable[[Call], None]], Link]


def stream_over(end: socket.socket) -> HijackedStream:
    return HijackedStream(PlainConnection(end), ResponseHead(101, ()), b"")


@pytest.fixture
def pair() -> Iterator[Pair]:
    links: list[Link] = []

    def make(serve: Callable[[Call], None]) -> Link:
        ours, theirs = socket.socketpair()
        links.append(Link(stream_over(theirs), serve=serve))
        links.append(Link(stream_over(ours)))
        return links[-1]

    yield make
    for link in reversed(links):
        link.close()


def echo(call: Call) -> None:
    while (message := call.receive()) is not None:
        call.send(message)


def test_a_question_has_an_answer(pair: Pair) -> None:
    assert pair(echo).call("/a.B/C", b"hello").result() == b"hello"


def test_messages_go_both_ways_at_once(pair: Pair) -> None:
    call = pair(echo).call("/a.B/C")
    for number in range(100):
        call.send(b"%d" % number)
    call.end_input()
    assert [call.receive() for _ in range(100)] == [b"%d" % number for number in range(100)]
    assert call.receive() is None


def test_more_than_the_peer_takes_at_once_arrives_whole(pair: Pair) -> None:
    sizes: list[int] = []

    def measure(call: Call) -> None:
        while (message := call.receive()) is not None:
            sizes.append(len(message))
        call.send(b"done")

    call = pair(measure).call("/a.B/C")
    for _ in range(12):
        call.send(bytes(1 << 20))
    call.end_input()
    assert call.result() == b"done"
    assert sizes == [1 << 20] * 12


def test_metadata_arrives(pair: Pair) -> None:
    def names(call: Call) -> None:
        call.send(f"{call.path} {call.metadata.first('dir-name')}".encode())

    answer = pair(names).call("/a.B/C", b"", {"dir-name": ("context",)}).result()
    assert answer == b"/a.B/C context"


def test_a_refusal_arrives_with_its_code_and_reason(pair: Pair) -> None:
    def refuse(call: Call) -> None:
        raise GrpcError(Code.NOT_FOUND, "no such thing: ä")

    with pytest.raises(GrpcError, match="no such thing: ä") as caught:
        pair(refuse).call("/a.B/C", b"").result()
    assert caught.value.code is Code.NOT_FOUND


def test_a_defect_of_a_service_is_told_and_ends_nothing_else(pair: Pair) -> None:
    def broken(call: Call) -> None:
        if call.path.endswith("Bad"):
            raise KeyError("x")
        echo(call)

    link = pair(broken)
    with pytest.raises(GrpcError, match="x"):
        link.call("/a.B/Bad", b"").result()
    assert link.call("/a.B/Good", b"y").result() == b"y"


def test_nothing_comes_in_time(pair: Pair) -> None:
    release = threading.Event()

    def late(call: Call) -> None:
        release.wait(10)
        call.send(b"late")

    call = pair(late).call("/a.B/C", b"")
    with pytest.raises(TimeoutError):
        call.receive(0.01)
    release.set()
    assert call.receive() == b"late"


def test_the_peer_hears_that_a_call_was_called_off(pair: Pair) -> None:
    heard: list[Code] = []
    over = threading.Event()

    def wait(call: Call) -> None:
        call.send(b"here")
        try:
            while call.receive() is not None:
                pass
        except GrpcError as error:
            heard.append(error.code)
        over.set()

    call = pair(wait).call("/a.B/C")
    assert call.receive() == b"here"
    call.cancel()
    assert over.wait(10)
    assert heard == [Code.CANCELLED]
    with pytest.raises(GrpcError):
        call.send(b"more")


def test_a_connection_that_breaks_ends_every_call() -> None:
    ours, theirs = socket.socketpair()
    with Link(stream_over(ours)) as link:
        call = link.call("/a.B/C", b"")
        theirs.close()
        with pytest.raises(GrpcError, match="connection") as caught:
            call.result()
        assert caught.value.code is Code.UNAVAILABLE
        with pytest.raises(GrpcError):
            link.call("/a.B/C", b"").result()


def test_a_peer_that_speaks_something_else_is_noticed() -> None:
    ours, theirs = socket.socketpair()
    with theirs, Link(stream_over(ours)) as link:
        call = link.call("/a.B/C", b"")
        theirs.sendall(bytes(9) + b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(8))
        with pytest.raises(GrpcError) as caught:
            call.result()
        assert caught.value.code is Code.UNAVAILABLE


class Holding(PlainConnection):
    """Takes everything and passes it on bit by bit, as TLS does with its records."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__(connected)
        self.held = b""

    @property
    def has_output(self) -> bool:
        return bool(self.held)

    def send_some(self, data: bytes) -> int:
        self.held += data
        self.held = self.held[super().send_some(self.held[:1000]) :]
        return len(data)


def test_what_a_connection_took_and_kept_is_sent() -> None:
    ours, theirs = socket.socketpair()
    stream = HijackedStream(Holding(ours), ResponseHead(101, ()), b"")
    with Link(stream_over(theirs), serve=echo), Link(stream) as link:
        assert link.call("/a.B/C", b"x" * 100_000).result() == b"x" * 100_000
