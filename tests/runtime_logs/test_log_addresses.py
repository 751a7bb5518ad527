"""Addresses and other words of options, and requests over a connection that is kept."""

import socket
import threading
from contextlib import closing

import pytest

from boxship.runtime.logs.httpcalls import HttpServer
from boxship.runtime.logs.words import Address, read_address, read_seconds, reason
from support.loglisteners import accepted, read_until, stream


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("udp://host", Address("udp", "host", 514)),
        ("host", Address("tcp", "host", 514)),
        ("host:24224", Address("tcp", "host", 24224)),
        ("tcp+tls://[::1]:6514", Address("tcp+tls", "::1", 6514)),
        ("unix:///run/x.sock", Address("unix", path="/run/x.sock")),
        ("unixgram:///dev/log", Address("unixgram", path="/dev/log")),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert read_address(text, scheme="tcp", port=514) == address


def test_addresses_are_written_as_they_are_read() -> None:
    for text in ("[::1]:1", "host:2", "/run/x"):
        scheme = "unix://" if text.startswith("/") else "tcp://"
        assert str(read_address(scheme + text, scheme="", port=0)) == text


def test_durations_and_reasons() -> None:
    assert [read_seconds(text, 9.0) for text in (None, "", "1.5s", "2m")] == [9.0, 9.0, 1.5, 120.0]
    assert reason(OSError(2, "No such file")) == "No such file"
    assert reason(ValueError("why")) == "why"
    assert reason(TimeoutError()) == "TimeoutError"


def _serve(listener: socket.socket, answers: int) -> None:
    """Answer one request on each connection, then close it without a word."""
    for _ in range(answers):
        with closing(accepted(listener)) as connection:
            read_until(connection, lambda data: data.endswith(b"\r\n\r\n"))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def test_a_request_is_sent_again_if_the_kept_connection_was_closed() -> None:
    with stream() as listener:
        thread = threading.Thread(target=_serve, args=(listener, 3))
        thread.start()
        server = HttpServer(f"http://127.0.0.1:{listener.getsockname()[1]}")
        try:
            for _ in range(3):
                assert server.request("GET", "/x", {}).body == b"ok"
        finally:
            server.close()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", ": Remote end closed connection without response"),
        (b"nonsense\r\n", ": BadStatusLine nonsense"),
    ],
)
def test_a_server_that_talks_nonsense_is_an_os_error(answer: bytes, message: str) -> None:
    with stream() as listener:

        def serve() -> None:
            with closing(accepted(listener)) as connection:
                read_until(connection, lambda data: data.endswith(b"\r\n\r\n"))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        server = HttpServer(f"http://127.0.0.1:{listener.getsockname()[1]}")
        try:
            with pytest.raises(OSError, match=rf"^GET http://127.0.0.1:\d+/x{message}$"):
                server.request("GET", "/x", {})
        finally:
            server.close()
            thread.join()
