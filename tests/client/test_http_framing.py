import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.client.errors import ConnectionBrokenError
from boxship.client.http import (
    BodyUntilClose,
    ChunkedBody,
    RequestWriter,
    ResponseHead,
    SizedBody,
    body_of,
)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, position = [], 0
    for size in sizes:
        pieces.append(data[position : position + size])
        position += size
    return [*pieces, data[position:]]


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=50), max_size=12),
    sizes=st.lists(st.integers(1, 40), max_size=60),
    trailer=st.sampled_from([b"", b"Digest: x\r\n", b"A: 1\r\nB: 2\r\n"]),
)
def test_chunks_are_joined_however_they_arrive(chunks, sizes, trailer) -> None:
    data = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    data += b"0\r\n" + trailer + b"\r\n"
    body = ChunkedBody()
    received = b"".join(body.feed(piece) for piece in cut(data, sizes))
    assert received == b"".join(chunks)
    assert body.finished


def test_part_of_a_chunk_is_passed_on_at_once() -> None:
    body = ChunkedBody()
    assert body.feed(b"a\r\n01234") == b"01234"
    assert body.feed(b"56789\r\n0\r\n\r\n") == b"56789"
    assert body.finished


def test_extensions_of_a_chunk_are_ignored() -> None:
    assert ChunkedBody().feed(b"2;name=value\r\nhi\r\n") == b"hi"


@pytest.mark.parametrize("data", [b"xyz\r\nhi\r\n", b"-1\r\nhi\r\n", b"5" * 20000])
def test_a_malformed_chunk_is_an_error(data: bytes) -> None:
    with pytest.raises(ConnectionBrokenError):
        ChunkedBody().feed(data)


@pytest.mark.parametrize("body", [ChunkedBody(), SizedBody(30)])
def test_a_connection_closed_within_a_body_is_an_error(body) -> None:
    body.feed(b"2\r\nhi\r\n")
    with pytest.raises(ConnectionBrokenError, match="within an answer"):
        body.end()


@pytest.mark.parametrize(
    ("method", "status", "headers", "kind"),
    [
        ("HEAD", 200, {"content-length": "5"}, SizedBody),
        ("GET", 204, {}, SizedBody),
        ("GET", 304, {}, SizedBody),
        ("GET", 200, {"content-length": "5"}, SizedBody),
        ("GET", 200, {"transfer-encoding": "chunked"}, ChunkedBody),
        ("POST", 200, {}, BodyUntilClose),
    ],
)
def test_the_head_decides_how_the_body_ends(method, status, headers, kind) -> None:
    pairs = tuple((name.encode(), value.encode()) for name, value in headers.items())
    assert type(body_of(method, ResponseHead(status, pairs))) is kind


def writer() -> RequestWriter:
    request = RequestWriter(
        "POST",
        "/x",
        (("Host", "h"), ("Connection", "Upgrade"), ("Upgrade", "tcp"), ("Content-Length", "0")),
    )
    request.end()
    return request


def test_bytes_behind_the_head_are_kept() -> None:
    request = writer()
    assert request.head(b"HTTP/1.1 101 UPGRADED\r\nUpgr") is None
    head, rest = request.head(b"ade: tcp\r\nConnection: Upgrade\r\n\r\nfirst\r\n\r\n")
    assert (head.status, head.header("Upgrade"), rest) == (101, "tcp", b"first\r\n\r\n")


def test_100_continue_is_skipped() -> None:
    head, rest = writer().head(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
    )
    assert (head.status, rest) == (201, b"")


def test_something_else_than_http_is_named() -> None:
    with pytest.raises(ConnectionBrokenError, match="does not speak HTTP"):
        writer().head(b"SSH-2.0-OpenSSH\r\n\r\n")
