"""Attach over a websocket: frames on the client's side, bytes on the container's."""

import asyncio
import os
import socket
import threading

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.sync.client import unix_connect

from boxship.base.errors import ConflictError

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # of RFC 6455, section 1.3
HANDSHAKE = {
    "Host": "d",
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


class Shim:
    """The container's end: a socket, as soon as somebody has attached."""

    def __init__(self, api):
        self._there = threading.Event()
        api.containers.on_stream = self._take

    def _take(self, fd, prefix):
        assert prefix == b""
        self._sock = socket.socket(fileno=fd)
        self._sock.settimeout(20)
        self._there.set()

    @property
    def sock(self):
        assert self._there.wait(20)
        return self._sock

    def read(self, size):
        data = bytearray()
        while len(data) < size and (part := self.sock.recv(size - len(data))):
            data += part
        return bytes(data)


@pytest.fixture
def shim(api):
    made = Shim(api)
    yield made
    if made._there.is_set():
        made.sock.close()


def attach(api, query="stream=1&stdin=1&stdout=1&stderr=1", version="1.56", name="web", **options):
    uri = f"ws://localhost/v{version}/containers/{name}/attach/ws?{query}"
    return unix_connect(api.client.path, uri, close_timeout=5, compression=None, **options)


def raw(api, headers):
    """Send a handshake by hand."""
    sock = api.client.connect()
    sock.settimeout(20)
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    request = "GET /v1.56/containers/web/attach/ws?stream=1&stdin=1 HTTP/1.1\r\n"
    sock.sendall((request + "".join(lines) + "\r\n").encode())
    return sock


def test_bytes_go_both_ways_and_the_end_of_output_closes(api, shim):
    with attach(api) as client:
        client.send(b"to stdin\xff")
        client.send("text, too: ä")
        assert shim.read(22) == b"to stdin\xfftext, too: \xc3\xa4"
        shim.sock.sendall(b"from it\xff")
        assert client.recv(20) == b"from it\xff"
        shim.sock.close()
        with pytest.raises(ConnectionClosed):
            client.recv(20)
        assert client.close_code == 1000
    (asked,) = [what for name, what in api.containers.asked if name == "attach"]
    assert asked.stdin and asked.stdout and asked.stderr and asked.stream
    assert not asked.framed and not asked.logs


def test_fields_of_the_query_count_from_1_42_on(api, shim):
    for version in ("1.42", "1.41"):
        with attach(api, "logs=1&stdout=1&detachKeys=ctrl-x", version):
            shim.sock.close()
            shim._there.clear()
    new, old = [what for name, what in api.containers.asked if name == "attach"]
    assert (new.stdin, new.stdout, new.stderr, new.logs, new.stream) == (0, 1, 0, 1, 0)
    assert new.detach_keys == "ctrl-x"
    assert (old.stdin, old.stdout, old.stderr, old.logs) == (1, 1, 1, 1)


def test_before_1_28_output_is_text_and_characters_are_never_cut(api, shim):
    with attach(api, version="1.27") as client:
        shim.sock.sendall(b"a\xc3")
        assert client.recv(20) == "a"
        shim.sock.sendall(b"\xa4b\xff")
        assert client.recv(20) == "äb\ufffd"


def test_large_and_fragmented_messages_lose_nothing(api, shim):
    data = os.urandom(3_000_000)
    got = []
    with attach(api, max_size=None) as client:
        reader = threading.Thread(target=lambda: got.append(shim.read(2 * len(data))))
        reader.start()
        client.send(data)
        client.send(data[start : start + 70_001] for start in range(0, len(data), 70_001))
        reader.join(20)
        assert got == [data + data]
        writer = threading.Thread(target=shim.sock.sendall, args=(data,))
        writer.start()
        back = b""
        while len(back) < len(data):
            back += client.recv(20)
        writer.join(20)
        assert back == data


def test_a_ping_is_answered_and_a_close_ends_the_input(api, shim):
    with attach(api) as client:
        assert client.ping(b"there?").wait(20)
        client.close(1001, "enough")
        assert shim.read(1) == b""
        assert client.close_code == 1001


def test_a_client_that_vanishes_is_the_end_of_input(api, shim):
    with attach(api) as client:
        assert shim.sock
        client.socket.shutdown(socket.SHUT_RDWR)
        assert shim.read(1) == b""
        with pytest.raises(ConnectionClosedError):
            client.recv(20)


@pytest.mark.parametrize(
    "frames",
    [
        b"\x82\x05hello",  # not masked: section 5.1
        b"\xf2\x80" + bytes(4),  # reserved bits
        b"\x83\x80" + bytes(4),  # reserved opcode
        b"\x89\xfe\x00\x7e" + bytes(4 + 126),  # a ping that is too long
        b"\x80\x80" + bytes(4),  # continues nothing
    ],
)
def test_what_breaks_the_protocol_is_closed_with_1002(api, shim, frames):
    with raw(api, HANDSHAKE) as sock:
        head = _head(sock)
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
        sock.sendall(frames)
        answer = b""
        while part := sock.recv(4096):
            answer += part
    assert answer[0] == 0x88
    assert answer[2:4] == (1002).to_bytes(2, "big")
    assert shim.read(1) == b""


def test_what_comes_with_the_handshake_is_not_lost(api, shim):
    masked = b"\x82\x83" + bytes(4) + b"abc"
    with api.client.connect() as sock:
        lines = "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items())
        head = f"GET /containers/web/attach/ws?stream=1&stdin=1 HTTP/1.1\r\n{lines}\r\n"
        sock.sendall(head.encode() + masked)
        assert shim.read(3) == b"abc"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Upgrade": "tcp"}, "Upgrade: websocket"),
        ({"Connection": "close"}, "Connection: Upgrade"),
        ({"Sec-WebSocket-Version": "8"}, "'8' is not supported"),
        ({"Sec-WebSocket-Key": "c2hvcnQ="}, "16 bytes"),
        ({"Sec-WebSocket-Key": "?"}, "16 bytes"),
    ],
)
def test_a_wrong_handshake_is_an_ordinary_error(api, change, message):
    with raw(api, HANDSHAKE | change) as sock:
        answer = sock.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert message.encode() in answer


def test_errors_before_the_handshake(api):
    api.containers.refuse_stream = ConflictError("Container web is paused")
    with raw(api, HANDSHAKE) as sock:
        assert sock.recv(65536).startswith(b"HTTP/1.1 409 Conflict\r\n")


def test_descriptors_and_tasks_do_not_stay(api, shim):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        with attach(api):
            shim.sock.close()
            shim._there.clear()
    tasks = asyncio.run_coroutine_threadsafe(_others(), api.loop).result(20)
    assert tasks == 0
    assert len(os.listdir("/proc/self/fd")) <= before + 2


async def _others():
    """Wait until this loop's websockets have ended; return how many have not."""
    names = ["?"]
    for _ in range(200):
        names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]
        names = [name for name in names if "Carrier" in name]
        if not names:
            break
        await asyncio.sleep(0.01)
    return len(names)


def _head(sock):
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        assert byte, data
        data += byte
    return data
