import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.client.stdcopy import Demultiplexer, StreamError

FRAMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=20)


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, position = [], 0
    for size in sizes:
        pieces.append(data[position : position + size])
        position += size
    return [*pieces, data[position:]]


@given(frames=FRAMES, sizes=st.lists(st.integers(1, 30), max_size=60))
def test_however_the_bytes_arrive_each_stream_comes_out_whole_and_in_order(frames, sizes) -> None:
    data = b"".join(frame(stream, payload) for stream, payload in frames)
    demultiplexer = Demultiplexer()
    runs = [run for piece in cut(data, sizes) for run in demultiplexer.feed(piece)]

    def flattened(pairs: list[tuple[int, bytes]]) -> list[tuple[int, int]]:
        return [(stream, byte) for stream, payload in pairs for byte in payload]

    assert flattened(runs) == flattened(frames)
    assert demultiplexer.at_boundary


def test_neighbouring_frames_of_one_stream_are_joined() -> None:
    data = frame(1, b"a") + frame(1, b"b") + frame(2, b"c") + frame(1, b"d")
    assert Demultiplexer().feed(data) == [(1, b"ab"), (2, b"c"), (1, b"d")]


def test_a_payload_is_passed_on_before_it_is_complete() -> None:
    demultiplexer = Demultiplexer()
    assert demultiplexer.feed(frame(1, b"abcdef")[:11]) == [(1, b"abc")]
    assert not demultiplexer.at_boundary


def test_what_is_not_multiplexed_is_an_error() -> None:
    with pytest.raises(StreamError, match="unrecognized stream"):
        Demultiplexer().feed(b"hello world")
