"""Frames of the multiplexed stream."""

import struct
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from boxship.wire.stdcopy import LineEncoder, frame


@dataclass
class Line:
    log: str
    stream: str = "stdout"
    time: str = "2026-01-01T00:00:00.000000001Z"
    attrs: dict[str, str] | None = None


def frames(data):
    """Take a multiplexed stream apart, independently of the code under test."""
    found = []
    while data:
        stream, zeros, length = struct.unpack(">B3sI", data[:8])
        assert zeros == b"\0\0\0"
        found.append((stream, data[8 : 8 + length]))
        assert len(found[-1][1]) == length
        data = data[8 + length :]
    return found


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text(max_size=300))))
def test_every_line_is_a_frame_in_order(lines):
    encoded = LineEncoder(framed=True).encode([Line(text, stream) for stream, text in lines])
    numbers = {"stdout": 1, "stderr": 2}
    assert frames(encoded) == [(numbers[stream], text.encode()) for stream, text in lines]


def test_more_lengths_than_are_remembered():
    lines = [Line("x" * length) for length in range(6000)]
    assert [len(text) for _, text in frames(LineEncoder(framed=True).encode(lines))] == list(
        range(6000)
    )


def test_timestamps_and_details_stand_inside_the_frame():
    encoder = LineEncoder(framed=True, timestamps=True, details=True)
    encoded = encoder.encode([Line("hi\n", attrs={"b": "2", "a": "1"}), Line("no\n")])
    assert frames(encoded) == [
        (1, b"2026-01-01T00:00:00.000000001Z a=1,b=2 hi\n"),
        (1, b"2026-01-01T00:00:00.000000001Z  no\n"),
    ]


def test_details_are_escaped_as_in_a_query():
    encoded = LineEncoder(framed=False, details=True).encode([Line("hi\n", attrs={"a b": "1,2=ü"})])
    assert encoded == b"a+b=1%2C2%3D%C3%BC hi\n"


def test_a_terminal_has_no_frames():
    assert LineEncoder(framed=False).encode([Line("a\r\n"), Line("b")]) == b"a\r\nb"


def test_frame():
    assert frames(frame(3, b"broken")) == [(3, b"broken")]
