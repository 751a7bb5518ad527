"""gRPC without I/O: two connections talk with each other, or with bytes that aren't right."""

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from hypothesis import given
from hypothesis import strategies as st

from boxship.wire.grpc.connection import STREAM_WINDOW, Connection
from boxship.wire.grpc.events import (
    CallCancelled,
    CallEnded,
    CallStarted,
    ConnectionClosed,
    Drained,
    Event,
    HeadersReceived,
    InputEnded,
    MessagesReceived,
)
from boxship.wire.grpc.framing import Unframer, framed
from boxship.wire.grpc.metadata import Metadata, binary_header, from_headers, seconds
from boxship.wire.grpc.status import Code, GrpcError, Status, quoted, unquoted
from boxship.wire.grpc.trailers import from_trailers

PATH = "/a.B/C"


class Pair:
    """A client and a server; ``settle`` carries bytes between them until none are left."""

    def __init__(self) -> None:
        self.client, self.server = Connection(client=True), Connection(client=False)
        self.client.start()
        self.server.start()
        self.settle()

    def settle(self, *, piece: int = 1 << 30) -> tuple[list[Event], list[Event]]:
        """Return what happened at the client and at the server."""
        at_client: list[Event] = []
        at_server: list[Event] = []
        while True:
            up, down = self.client.outgoing(), self.server.outgoing()
            if not up and not down:
                return at_client, at_server
            for at in range(0, len(up), piece):
                at_server += self.server.receive(up[at : at + piece])
            for at in range(0, len(down), piece):
                at_client += self.client.receive(down[at : at + piece])

    def call(self, *messages: bytes, ends: bool = True) -> tuple[int, list[Event]]:
        stream = self.client.open(PATH)
        for message in messages:
            self.client.send(stream, message)
        if ends:
            self.client.half_close(stream)
        return stream, self.settle()[1]


def messages(events: list[Event]) -> list[bytes]:
    return [m for e in events if isinstance(e, MessagesReceived) for m in e.messages]


@pytest.mark.parametrize("piece", [1, 7, 1 << 30])
def test_a_call_with_one_answer(piece: int) -> None:
    pair = Pair()
    metadata = Metadata({"dir-name": ["context"], "Include-Patterns": ["a", "ü", "a,b"]})
    stream = pair.client.open(PATH, metadata)
    pair.client.send(stream, b"question")
    pair.client.half_close(stream)
    _, events = pair.settle(piece=piece)
    started, received, ended = events
    assert isinstance(started, CallStarted)
    assert (started.path, started.timeout) == (PATH, None)
    assert started.metadata.first("dir-name") == "context"
    assert started.metadata["include-patterns"] == ("a", "ü", "a,b")
    assert isinstance(received, MessagesReceived)
    assert received.messages == [b"question"]
    assert ended == InputEnded(started.stream)
    pair.server.send(started.stream, b"answer")
    pair.server.finish(started.stream)
    events, _ = pair.settle(piece=piece)
    assert isinstance(events[0], HeadersReceived)
    assert messages(events) == [b"answer"]
    assert isinstance(events[-1], CallEnded)
    assert events[-1].status == Status()


def test_an_error_has_a_text_and_details() -> None:
    pair = Pair()
    pair.call(b"x")
    status = Status(Code.NOT_FOUND, "100% weg: ü\nzweite Zeile", b"\0\xff details")
    pair.server.finish(1, status, {"kept": ["sha256:a"]})
    (headers, ended), _ = pair.settle()
    assert isinstance(headers, HeadersReceived)
    assert isinstance(ended, CallEnded)
    assert ended.status == status
    assert ended.trailers.first("kept") == "sha256:a"


def test_many_short_messages_share_frames() -> None:
    pair = Pair()
    stream = pair.client.open(PATH)
    for number in range(10_000):
        pair.client.send(stream, b"%d" % number)
    sent = pair.client.outgoing()
    assert len(sent) < 10_000 * 12
    assert messages(pair.server.receive(sent)) == [b"%d" % n for n in range(10_000)]


def test_what_the_peer_has_no_room_for_waits() -> None:
    pair = Pair()
    stream = pair.client.open(PATH)
    assert pair.client.room(stream) == STREAM_WINDOW
    message = bytes(STREAM_WINDOW // 2 - 5)
    for _ in range(5):
        pair.client.send(stream, message)
    pair.client.half_close(stream)
    at_client, at_server = pair.settle()
    assert at_client == []
    assert messages(at_server) == [message] * 2
    assert pair.client.queued(stream) == 3 * STREAM_WINDOW // 2
    assert pair.client.room(stream) == 0
    for _ in range(2):
        for event in at_server:
            if isinstance(event, MessagesReceived):
                pair.server.consumed(event.stream, event.size)
        at_client, at_server = pair.settle()
    assert Drained(stream) in at_client
    assert InputEnded(stream) in at_server
    assert pair.client.queued(stream) == 0


def test_a_message_longer_than_the_window_arrives() -> None:
    pair = Pair()
    message = bytes(range(256)) * 4 * (STREAM_WINDOW // 256)
    _, events = pair.call(message)
    assert messages(events) == [message]


def test_a_message_that_is_too_long_ends_the_call() -> None:
    pair = Pair()
    stream, _ = pair.call(ends=False)
    pair.client._streams[stream].queue += b"\0" + (1 << 30).to_bytes(4, "big")
    pair.client._dirty[stream] = pair.client._streams[stream]
    at_client, at_server = pair.settle()
    assert messages(at_server) == []
    (ended,) = (event for event in at_client if isinstance(event, CallEnded))
    assert ended.status.code == Code.RESOURCE_EXHAUSTED
    assert str(1 << 30) in ended.status.message


def test_the_caller_gives_up() -> None:
    pair = Pair()
    stream, _ = pair.call(ends=False)
    pair.client.cancel(stream)
    assert pair.settle()[1] == [CallCancelled(stream)]
    pair.server.send(stream, b"late")
    pair.server.finish(stream)
    assert pair.settle() == ([], [])


def test_the_server_ends_a_call_before_it_has_heard_all() -> None:
    pair = Pair()
    stream, _ = pair.call(b"x", ends=False)
    pair.server.finish(stream, Status(Code.ABORTED, "enough"))
    events, _ = pair.settle()
    assert isinstance(events[-1], CallEnded)
    assert events[-1].status.code == Code.ABORTED
    pair.client.send(stream, b"late")
    assert pair.settle() == ([], [])


def test_calls_side_by_side_and_many_after_each_other() -> None:
    pair = Pair()
    for _ in range(300):
        streams = [pair.call(b"x")[0] for _ in range(3)]
        for stream in reversed(streams):
            pair.server.finish(stream)
        ended = [e.stream for e in pair.settle()[0] if isinstance(e, CallEnded)]
        assert ended == streams[::-1]
    assert not pair.client._streams
    assert not pair.server._streams


@pytest.mark.parametrize("side", ["client", "server"])
def test_who_closes_a_connection_is_told_which_calls_end(side: str) -> None:
    pair = Pair()
    stream, _ = pair.call(b"question", ends=False)
    closing = pair.client if side == "client" else pair.server
    closing.close()
    ended, closed = closing.lost("the transport is gone")
    assert isinstance(ended, CallEnded if side == "client" else CallCancelled)
    assert ended.stream == stream
    assert closed == ConnectionClosed("the connection was closed")
    assert closing.lost("again") == []


def test_an_answer_before_the_end_arrives() -> None:
    pair = Pair()
    stream, _ = pair.call(b"question")
    pair.server.send(stream, b"answer")
    pair.server.finish(stream, Status())
    pair.server.close()
    at_client, _ = pair.settle()
    assert messages(at_client) == [b"answer"]


def test_a_lost_connection_ends_every_call() -> None:
    pair = Pair()
    stream, _ = pair.call(ends=False)
    ended, closed = pair.client.lost("the client has gone")
    assert isinstance(ended, CallEnded)
    assert ended.status == Status(Code.UNAVAILABLE, "the client has gone")
    assert closed == ConnectionClosed("the client has gone")
    assert pair.server.lost("gone")[0] == CallCancelled(stream)
    with pytest.raises(GrpcError, match="closed"):
        pair.client.open(PATH)


def test_goodbye() -> None:
    pair = Pair()
    pair.client.close()
    assert pair.settle()[1] == [ConnectionClosed("the peer has closed the connection")]


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100])
def test_a_peer_that_speaks_something_else(data: bytes) -> None:
    server = Connection(client=False)
    server.start()
    (closed,) = server.receive(data)
    assert isinstance(closed, ConnectionClosed)
    assert server.receive(data) == []


def test_a_request_that_is_not_grpc() -> None:
    server, client = Connection(client=False), H2Connection(H2Configuration(header_encoding=None))
    server.start()
    client.initiate_connection()
    names = (b":method", b":scheme", b":authority", b":path")
    client.send_headers(1, [*zip(names, (b"GET", b"http", b"x", b"/"), strict=True)], True)
    assert server.receive(client.data_to_send()) == []
    events = client.receive_data(server.outgoing())
    assert [(b":status", b"415")] in [getattr(event, "headers", None) for event in events]


def test_an_answer_without_status() -> None:
    client, server = Connection(client=True), H2Connection(H2Configuration(client_side=False))
    client.start()
    stream = client.open(PATH)
    server.initiate_connection()
    server.receive_data(client.outgoing())
    server.send_headers(stream, [(":status", "503")])
    events = client.receive(server.data_to_send())
    assert CallEnded(stream, Status(Code.UNAVAILABLE, "HTTP status 503"), Metadata()) in events


def test_frames_of_messages() -> None:
    data = framed(b"") + framed(b"ab") + framed(b"c")
    for cut in range(len(data) + 1):
        unframer = Unframer()
        assert unframer.feed(data[:cut]) + unframer.feed(data[cut:]) == [b"", b"ab", b"c"]
        assert not unframer.waiting
    with pytest.raises(GrpcError, match="compressed"):
        Unframer().feed(b"\1\0\0\0\0")
    with pytest.raises(GrpcError, match="longer than the 3 allowed"):
        Unframer(3).feed(framed(b"abcd"))


def test_texts_of_statuses() -> None:
    assert quoted("a b%\u00e9\n~") == "a b%25%C3%A9%0A~"
    assert unquoted(quoted("a b%\u00e9\n~")) == "a b%\u00e9\n~"


def test_binary_metadata() -> None:
    header = binary_header(b"\xfb\xff")
    assert header == b"+/8"
    metadata = from_headers([(b"x-bin", header), (b":path", b"/"), (b"x-bin", b"AA==,AQ")])
    assert metadata.binary == {"x-bin": (b"\xfb\xff", b"\0", b"\1")}
    assert dict(metadata) == {}


def test_details_that_cannot_be_read_are_none() -> None:
    trailers = from_headers([(b"grpc-status", b"5"), (b"grpc-status-details-bin", b"A")])
    assert from_trailers(trailers) == Status(Code.NOT_FOUND)


@pytest.mark.parametrize(
    ("text", "wanted"), [("15S", 15.0), ("2M", 120.0), ("500m", 0.5), ("", None), ("xS", None)]
)
def test_timeouts(text: str, wanted: float | None) -> None:
    assert seconds(text) == wanted


def test_an_end_that_waits_for_room_is_sent_once() -> None:
    pair = Pair()
    stream = pair.client.open(PATH)
    pair.client.send(stream, bytes(STREAM_WINDOW))
    pair.server.receive(pair.client.outgoing())
    pair.client.half_close(stream)
    # Room for the rest comes before anybody asks what there is to send.
    pair.client.receive(pair.server.outgoing())
    _, events = pair.settle()
    assert any(isinstance(event, InputEnded) for event in events)
    pair.server.send(stream, b"answer")
    pair.server.finish(stream)
    at_client, _ = pair.settle()
    assert messages(at_client) == [b"answer"]
    assert not pair.client.closed


def _recorded() -> tuple[bytes, bytes]:
    """What a client and a server have sent in a call each way of ending."""
    pair, up, down = Pair.__new__(Pair), bytearray(), bytearray()
    pair.client, pair.server = Connection(client=True), Connection(client=False)
    pair.client.start()
    pair.server.start()
    streams = [pair.client.open(PATH, {"a": ["b"], "c-bin": ["AA"]}) for _ in range(3)]
    for stream in streams:
        pair.client.send(stream, b"question" * 50)
    pair.client.half_close(streams[0])
    pair.client.cancel(streams[2])
    for _ in range(3):
        sent = pair.client.outgoing()
        up += sent
        pair.server.receive(sent)
        pair.server.send(streams[0], b"answer" * 50)
        pair.server.finish(streams[1], Status(Code.ABORTED, "why", b"details"))
        sent = pair.server.outgoing()
        down += sent
        pair.client.receive(sent)
    return bytes(up), bytes(down)


RECORDED = _recorded()


@given(st.booleans(), st.lists(st.tuples(st.integers(0, 5000), st.binary(max_size=6)), max_size=4))
def test_nothing_that_a_peer_sends_raises(client: bool, changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(RECORDED[client])
    for place, piece in changes:
        at = place % len(data)
        data[at : at + len(piece)] = piece
    connection = Connection(client=client)
    connection.start()
    if client:
        for _ in range(3):
            connection.send(connection.open(PATH), b"question")
    for at in range(0, len(data), 97):
        connection.receive(bytes(data[at : at + 97]))
        connection.outgoing()
    connection.lost("the end")
