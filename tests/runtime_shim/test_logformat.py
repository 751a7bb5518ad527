"""json-file entries: cut as Docker cuts them, escaped as Go escapes them."""

import itertools
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.runtime.logs.jsonfile import EntryEncoder, escape
from boxship.runtime.logs.lines import MAX_LINE, LineCutter, Piece

TIME = b"2026-01-02T03:04:05.123456789Z"


def encode(*chunks: bytes) -> bytes:
    cutter = LineCutter()
    pieces = [piece for chunk in chunks for piece in cutter.feed(chunk)]
    return EntryEncoder("stdout").encode([*pieces, *cutter.finish()], TIME)


def contents(entries: bytes) -> list[str]:
    return [json.loads(line)["log"] for line in entries.splitlines()]


def test_an_entry_is_byte_for_byte_docker_s():
    assert encode(b"hello\n") == (
        b'{"log":"hello\\n","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}\n'
    )


def test_attributes_stand_between_stream_and_time():
    entry = EntryEncoder("stderr", '{"tag":"x"}').encode([Piece(b"a\n")], TIME)
    assert list(json.loads(entry)) == ["log", "stream", "attrs", "time"]
    assert json.loads(entry)["attrs"] == {"tag": "x"}


@pytest.mark.parametrize(
    ("raw", "escaped"),
    [
        (b'"\\', b'\\"\\\\'),
        (b"\t\r\0\x1b\x7f", b"\\u0009\\r\\u0000\\u001b\x7f"),
        (b"<a&b>", b"\\u003ca\\u0026b\\u003e"),
        ("é\U0001f600\ufffd".encode(), "é\U0001f600\ufffd".encode()),
        ("\u2028\u2029\u2027".encode(), b"\\u2028\\u2029\xe2\x80\xa7"),
        (b"\xff", b"\\ufffd"),
        (b"\xe2\x82A", b"\\ufffd\\ufffdA"),  # a cut sequence: one for each of its bytes
        (b"\xed\xa0\x80", b"\\ufffd" * 3),  # a surrogate
        (b"\xc0\x80", b"\\ufffd" * 2),  # an overlong form
        (b"\xf4\x90\x80\x80", b"\\ufffd" * 4),  # beyond U+10FFFF
        (b"\\ufffd\xff", b"\\\\ufffd\\ufffd"),
    ],
)
def test_escapes(raw, escaped):
    assert escape(raw) == escaped


def reference(data: bytes) -> list[bytes]:
    """Cut output into the contents of entries, one byte after the other."""
    pieces, line = [], b""
    for value in data:
        line += bytes((value,))
        if value == 0x0A or len(line) == MAX_LINE:
            pieces.append(line)
            line = b""
    return [*pieces, line] if line else pieces


texts = st.text(alphabet=st.sampled_from('ab"\\<\té\u2028\U0001f600\n'), max_size=40)


@given(st.lists(texts, max_size=6))
def test_any_split_into_chunks_gives_the_same_lines(chunks):
    whole = "".join(chunks)
    raw = whole.encode()
    cuts = [chunk.encode() for chunk in chunks]
    assert contents(encode(*cuts)) == contents(encode(raw)) == re.findall("[^\n]*\n|[^\n]+", whole)


@given(st.binary(max_size=200))
def test_any_bytes_give_valid_json_with_as_many_lines(data):
    lines = contents(encode(data))
    assert len(lines) == len(reference(data))


SIZES = st.sampled_from([1, 5, 100, MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, 2 * MAX_LINE, 40_000])


@given(lengths=st.lists(SIZES, max_size=4), cuts=st.lists(st.integers(0, 80_000), max_size=4))
def test_long_lines_are_cut_at_16_kib_wherever_reads_end(lengths, cuts):
    data = b"\n".join(b"x" * length for length in lengths)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    chunks = [data[a:b] for a, b in itertools.pairwise(edges)]
    assert contents(encode(*chunks)) == [piece.decode() for piece in reference(data)]


def test_a_line_is_kept_until_its_end_comes():
    cutter = LineCutter()
    assert cutter.feed(b"one\ntw") == [Piece(b"one\n")]
    assert cutter.pending == b"tw"
    assert cutter.feed(b"o\n") == [Piece(b"two\n")]
    assert cutter.pending == b""
    assert cutter.finish() == []


def test_parts_of_a_line_are_counted():
    cutter = LineCutter()
    cuts = cutter.feed(b"a\n" + b"x" * (2 * MAX_LINE) + b"y\nb\n")
    assert [(piece.ordinal, piece.more, piece.lines) for piece in cuts] == [
        (0, False, 1), (0, True, 1), (1, True, 1), (2, False, 2),
    ]  # fmt: skip
    cutter.feed(b"z" * MAX_LINE + b"end")
    assert cutter.finish() == [Piece(b"end", 1)]
