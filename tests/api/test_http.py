"""The HTTP server itself: framing, pipelining, limits, what isn't HTTP."""

import socket
import threading

import pytest

from boxship.api.http.chunked import ChunkDecoder, ChunkError
from boxship.api.http.head import HeadError, parse_head

PING = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"
LAST = b"GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n"


def test_requests_in_one_segment_are_answered_in_order(api):
    data = api.client.send(PING * 5 + b"GET /nope HTTP/1.1\r\nHost: d\r\n\r\n" + LAST)
    assert data.count(b"HTTP/1.1 200 OK") == 6
    assert data.index(b"page not found") < data.rindex(b"200 OK")
    assert data.rstrip(b"OK").endswith(b"\r\n\r\n")


def test_a_request_may_come_byte_by_byte(api):
    with api.client.connect() as sock:
        for byte in LAST:
            sock.sendall(bytes([byte]))
        data = b""
        while part := sock.recv(65536):
            data += part
    assert data.startswith(b"HTTP/1.1 200 OK")


def test_http_1_0_closes_unless_asked(api):
    assert b"Connection: close" in api.client.send(b"GET /_ping HTTP/1.0\r\n\r\n")


def test_streams_for_http_1_0_are_not_chunked(api):
    data = api.client.send(b"GET /events?since=1&until=2 HTTP/1.0\r\n\r\n")
    assert b"Transfer-Encoding" not in data


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"HELLO\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET /_ping HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400),
        (b"GET /_ping HTTP/1.1\r\nX: " + b"y" * 1_100_000, 431),
    ],
)
def test_what_is_no_request_is_refused_and_closed(api, request_bytes, status):
    assert api.client.send(request_bytes).startswith(f"HTTP/1.1 {status} ".encode())


def test_a_refusal_can_be_read_by_a_client_that_sends_on(api):
    """One that closed at once would reset the connection, and with it its own answer."""
    data = api.client.send(b"GET /_ping HTTP/1.1\r\nX: " + b"y" * 4_000_000)
    assert data.startswith(b"HTTP/1.1 431 ")
    assert api.client.request("GET", "/_ping").status == 200


def test_a_long_head_is_none_that_is_too_long(api):
    names = "&".join(f"names=image{number:060}" for number in range(5000))
    answer = api.client.request("GET", f"/images/get?{names}")
    assert answer.message.startswith("No such image: image0000")


def test_continue_is_sent_when_the_body_is_wanted(api):
    with api.client.connect() as sock:
        sock.sendall(
            b"POST /images/load HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\n"
            b"Connection: close\r\nContent-Length: 4\r\n\r\n"
        )
        assert sock.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"body")
        assert sock.recv(12) == b"HTTP/1.1 200"
    assert api.images.uploaded == b"body"


def test_an_unread_upload_does_not_destroy_the_answer(api):
    """The client sends on while the error is under way; it must still be able to read it."""
    with api.client.connect() as sock:
        sock.sendall(
            b"POST /nowhere HTTP/1.1\r\nHost: d\r\nContent-Length: 4000000\r\n\r\n" + b"x" * 100_000
        )
        sock.sendall(b"x" * 3_900_000)
        data = b""
        while part := sock.recv(65536):
            data += part
    assert b"page not found" in data
    assert b"Connection: close" in data


def test_a_cut_off_upload_fails_and_the_server_lives(api):
    with api.client.connect() as sock:
        sock.sendall(b"POST /images/load HTTP/1.1\r\nHost: d\r\nContent-Length: 99\r\n\r\nab")
    assert api.client.request("GET", "/_ping").status == 200


def test_a_body_that_is_too_long_is_refused(api):
    body = b'{"Image":"' + b"x" * (9 << 20) + b'"}'
    answer = api.client.request("POST", "/containers/create", body)
    assert answer.status == 400
    assert "longer than" in answer.message


def test_many_connections_at_once(api):
    failures = []

    def work():
        for _ in range(20):
            if api.client.request("GET", "/containers/json").status != 200:
                failures.append(1)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_chunks_are_decoded_wherever_they_are_cut(step):
    data = b"3\r\nabc\r\nA;name=value\r\n0123456789\r\n0\r\nX: y\r\n\r\nREST"
    decoder = ChunkDecoder()
    payload = rest = b""
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        if decoder.done:
            rest += piece
        else:
            payload += decoder.feed(piece)
    assert payload == b"abc0123456789"
    assert decoder.rest + rest == b"REST"


@pytest.mark.parametrize("data", [b"x\r\n", b"-1\r\n", b"1" * 5000, b"FFFFFFFFFFFFFFFFFF\r\n"])
def test_bad_chunks(data):
    with pytest.raises(ChunkError):
        ChunkDecoder().feed(data)


@pytest.mark.parametrize("path", ["/images/load", "/containers/create"])
@pytest.mark.parametrize("half_close", [False, True])
def test_a_body_of_bad_chunks_is_told_so(api, path, half_close):
    with api.client.connect() as sock:
        sock.sendall(
            f"POST {path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
            "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nnumber\r\n".encode()
        )
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        data = b""
        while b"}\n" not in data:
            part = sock.recv(65536)
            assert part, data
            data += part
    assert data.startswith(b"HTTP/1.1 400 Bad Request")
    assert b"malformed chunked body: a chunk's size is not a number" in data


def test_head_with_both_lengths_is_refused():
    with pytest.raises(HeadError):
        parse_head(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n")
