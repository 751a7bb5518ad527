"""Short DATA frames joined: fewer frames, which mean the same, however the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.wire.grpc.connection import Connection
from boxship.wire.grpc.events import MessagesReceived
from boxship.wire.grpc.framing import framed
from boxship.wire.grpc.joining import Joiner

Frame = tuple[bytes, int, bytes]
"""Type and flags, stream, content."""
DATA, LAST, HEADERS, PING = b"\0\0", b"\0\1", b"\1\4", b"\6\0"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def written(frame: Frame) -> bytes:
    kind, stream, content = frame
    return len(content).to_bytes(3, "big") + kind + stream.to_bytes(4, "big") + content


def parsed(data: bytes) -> list[Frame]:
    found, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 3], "big")
        stream = int.from_bytes(data[at + 5 : at + 9], "big")
        found.append((data[at + 3 : at + 5], stream, data[at + 9 : at + 9 + length]))
        at += 9 + length
    return found


def meaning(rows: list[Frame]) -> list[Frame]:
    """Plain data that follows plain data of its stream is in one with that."""
    found: list[Frame] = []
    for kind, stream, content in rows:
        if kind == DATA and found and found[-1][:2] == (DATA, stream):
            content = found.pop()[2] + content  # noqa: PLW2901
        found.append((kind, stream, content))
    return found


frames = st.lists(
    st.tuples(
        st.sampled_from([DATA, DATA, DATA, LAST, HEADERS, PING]),
        st.integers(0, 2),
        st.binary(max_size=20) | st.sampled_from([b"x" * 16384, b"y" * 16385, b"z" * 9000]),
    ),
    max_size=30,
)


@given(frames, st.booleans(), st.lists(st.integers(0, 100_000), max_size=8))
def test_joined_frames_mean_the_same(rows: list[Frame], client: bool, cuts: list[int]) -> None:
    before = b"" if client else PREFACE
    data = before + b"".join(map(written, rows))
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    joiner = Joiner(client=client)
    joined = b"".join(joiner.feed(data[at:end]) for at, end in pairwise(places))
    assert joined.startswith(before)
    found = parsed(joined[len(before) :])
    assert meaning(found) == meaning(rows)
    long = sum(len(content) > 16384 for _, _, content in found)
    assert long == sum(len(content) > 16384 for _, _, content in rows)


def test_as_few_as_may_be() -> None:
    rows = [(DATA, 1, b"x" * 80)] * 1000
    found = parsed(Joiner(client=True).feed(b"".join(map(written, rows))))
    assert len(found) == 5  # of 204 such contents at most


@pytest.mark.parametrize("piece", [1, 13, 1 << 20])
def test_a_message_in_each_frame(piece: int) -> None:
    server, client = Connection(client=False), Connection(client=True)
    client.start()
    server.start()
    stream = client.open("/a.B/C")
    sent = client.outgoing()
    messages = [str(number).encode() for number in range(300)]
    sent += b"".join(written((DATA, stream, framed(message))) for message in messages)
    events = [
        event
        for at in range(0, len(sent), piece)
        for event in server.receive(sent[at : at + piece])
        if isinstance(event, MessagesReceived)
    ]
    assert [message for event in events for message in event.messages] == messages
    assert sum(event.size for event in events) == sum(5 + len(each) for each in messages)
