import socket
import threading
from collections.abc import Iterator

import pytest

from boxship.base.errors import (
    BoxshipError,
    ConflictError,
    ForbiddenError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    NotImplementedYetError,
    UnauthorizedError,
    UnavailableError,
)
from boxship.client import containers, images
from boxship.client.containers import AttachOptions, LogOptions
from boxship.client.endpoint import TcpEndpoint, UnixEndpoint
from boxship.client.engine import EngineClient
from boxship.client.errors import ConnectionBrokenError, DaemonUnreachableError


@pytest.fixture
def client(server) -> Iterator[EngineClient]:
    client = EngineClient(UnixEndpoint(server.path))
    yield client
    client.close()


@pytest.mark.parametrize(
    ("offered", "used"),
    [("1.41", "1.41"), ("1.56", "1.56"), ("1.99", "1.56"), ("1.24", "1.24"), ("", "1.24")],
)
def test_the_newest_version_that_both_speak_is_used(server, client, offered, used) -> None:
    server.version = offered
    assert client.version == used


def test_the_version_is_asked_for_once(server, client) -> None:
    client.do("GET", "/a")
    client.do("GET", "/b")
    assert server.lines == [
        "HEAD /_ping HTTP/1.1",
        "GET /v1.41/a HTTP/1.1",
        "GET /v1.41/b HTTP/1.1",
    ]


def test_a_daemon_without_head_ping_is_asked_with_get(server, client) -> None:
    server.version = None

    def script(exchange) -> None:
        if exchange.line.startswith("HEAD"):
            exchange.send(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n")
        else:
            exchange.reply(200, b"OK", Api_Version="1.30")

    server.script = script
    assert client.version == "1.30"


def test_a_given_version_is_not_negotiated(server) -> None:
    client = EngineClient(UnixEndpoint(server.path), version="1.44")
    client.do("GET", "/a")
    client.close()
    assert server.lines == ["GET /v1.44/a HTTP/1.1"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidArgumentError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (418, InvalidArgumentError),
        (500, InternalError),
        (501, NotImplementedYetError),
        (502, InternalError),
        (503, UnavailableError),
    ],
)
def test_the_status_decides_the_class_of_the_error(server, client, status, kind) -> None:
    server.script = lambda exchange: exchange.reply(status, b'{"message":"no such thing"}\n')
    with pytest.raises(BoxshipError) as caught:
        client.do("GET", "/x")
    assert type(caught.value) is kind
    assert str(caught.value) == "Error response from daemon: no such thing"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"plain words\n", "Error response from daemon: plain words"),
        (b'{"error":"x"}', 'Error response from daemon: {"error":"x"}'),
        (b"", "request returned status 500 for /x; is this a Docker Engine API?"),
    ],
)
def test_an_error_without_a_message_still_says_something(server, client, body, text) -> None:
    server.script = lambda exchange: exchange.reply(500, body)
    with pytest.raises(InternalError) as caught:
        client.do("GET", "/x")
    assert str(caught.value) == text


def test_one_connection_serves_many_requests(server, client) -> None:
    for _ in range(5):
        client.do("POST", "/x")
    assert server.connections == 1


def test_a_connection_that_the_daemon_closed_while_idle_is_replaced(server, client) -> None:
    closed = threading.Event()

    def script(exchange) -> None:
        exchange.reply(200)
        exchange.connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    server.script = script
    client.do("GET", "/a")
    assert closed.wait(10)
    client.do("GET", "/b")
    assert server.lines[-1] == "GET /v1.41/b HTTP/1.1"
    assert server.connections == 2


def test_connection_close_is_honoured(server, client) -> None:
    server.script = lambda exchange: exchange.reply(200, Connection="close")
    client.do("GET", "/a")
    client.do("GET", "/b")
    assert server.connections == 2


def test_names_and_parameters_are_quoted(server, client) -> None:
    client.do("GET", "/containers/a b/json", {"x": "1&2", "many": ["a", "b"], "none": None})
    assert server.lines[-1] == "GET /v1.41/containers/a%20b/json?x=1%262&many=a&many=b HTTP/1.1"


def test_json_objects_of_a_stream_are_split_at_lines_whatever_the_chunks(server, client) -> None:
    text = b'{"a":1}\r\n{"a":2}\n\n{"a":"\\n3"}'

    def script(exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for position in range(0, len(text), 5):
            piece = text[position : position + 5]
            exchange.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        exchange.send(b"0\r\n\r\n")

    server.script = script
    documents = list(client.call("GET", "/events").documents())
    assert documents == [{"a": 1}, {"a": 2}, {"a": "\n3"}]


def test_a_stream_cut_off_is_an_error_not_an_end(server, client) -> None:
    def script(exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
        exchange.connection.shutdown(socket.SHUT_RDWR)

    server.script = script
    with pytest.raises(ConnectionBrokenError, match="within an answer"):
        client.call("GET", "/logs").read()


def test_a_daemon_that_dies_before_answering_is_said_so(server, client) -> None:
    server.script = lambda exchange: exchange.connection.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ConnectionBrokenError, match="without an answer"):
        client.do("GET", "/x")


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
        b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n",
    ],
)
def test_a_hijacked_stream_keeps_bytes_that_came_with_the_head(server, client, head) -> None:
    def script(exchange) -> None:
        assert exchange.header("upgrade") == "tcp"
        exchange.send(head + b"early")
        data = b""
        while piece := exchange.connection.recv(100):
            data += piece
        exchange.send(b" got " + data)
        exchange.connection.close()

    server.script = script
    stream = containers.attach(client, "c", AttachOptions(stdin=True))
    assert stream.has_input
    assert stream.receive() == b"early"
    stream.connection.send(b"typed")
    stream.connection.close_write()  # the end of input; output still flows
    received = b""
    while data := stream.receive():
        received += data
    stream.close()
    assert received == b" got typed"


def test_a_refused_hijack_is_a_typed_error_and_the_connection_goes_on(server, client) -> None:
    server.script = lambda exchange: exchange.reply(404, b'{"message":"No such container: c"}')
    with pytest.raises(NotFoundError, match="No such container"):
        containers.attach(client, "c", AttachOptions())
    client.version  # noqa: B018
    with pytest.raises(NotFoundError):
        containers.inspect(client, "c")
    assert server.connections == 1


def test_a_long_upload_that_is_refused_early_gives_the_daemons_reason(server, client) -> None:
    def script(exchange) -> None:
        exchange.reply(400, b'{"message":"not a tar archive"}', Connection="close")
        exchange.connection.shutdown(socket.SHUT_RDWR)

    server.script = script
    pieces = (b"x" * 65536 for _ in range(200))
    with pytest.raises(InvalidArgumentError, match="not a tar archive"):
        images.load(client, pieces, quiet=True)


def test_an_upload_is_chunked(server, client) -> None:
    def script(exchange) -> None:
        assert exchange.header("transfer-encoding") == "chunked"
        while not exchange.rest.endswith(b"0\r\n\r\n"):
            exchange.rest += exchange.connection.recv(1000)
        assert exchange.rest == b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        exchange.reply(200, b"done", Connection="close")
        exchange.connection.close()

    server.script = script
    assert images.load(client, [b"abc", b"", b"de"], quiet=False).read() == b"done"


def test_logs_ask_for_what_the_options_say(server, client) -> None:
    containers.logs(client, "c", LogOptions(stderr=False, follow=True, tail="5")).close()
    assert server.lines[-1] == "GET /v1.41/containers/c/logs?stdout=1&follow=1&tail=5 HTTP/1.1"


def test_nobody_at_the_socket_is_unavailable_with_the_next_step(tmp_path) -> None:
    client = EngineClient(UnixEndpoint(str(tmp_path / "none.sock")))
    with pytest.raises(DaemonUnreachableError, match="Is the daemon running"):
        client.do("GET", "/x")


def test_nobody_at_the_port_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = EngineClient(TcpEndpoint("127.0.0.1", unused.getsockname()[1]))
        with pytest.raises(DaemonUnreachableError, match="tcp://127"):
            client.do("GET", "/x")
