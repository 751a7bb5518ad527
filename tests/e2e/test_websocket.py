"""Attach over a websocket with a real client, on a real container."""

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, unix_connect

from support.engine import Engine

pytestmark = pytest.mark.privileged


def attach(engine: Engine, container: str, query: str, version: str = "v1.41") -> ClientConnection:
    uri = f"ws://localhost/{version}/containers/{container}/attach/ws?{query}"
    return unix_connect(str(engine.socket), uri, compression=None, close_timeout=5)


def rest(client: ClientConnection) -> bytes:
    """Everything until the close."""
    data = b""
    try:
        while True:
            part = client.recv(20)
            data += part if isinstance(part, bytes) else part.encode()
    except ConnectionClosed:
        return data


def until(client: ClientConnection, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        part = client.recv(20)
        assert isinstance(part, bytes)
        data += part
    return data


def test_input_output_history_and_detach_keys(engine: Engine) -> None:
    script = "read a; echo got $a; read b; echo then $b >&2; exit 3"
    container = engine.api.create("ws", Cmd=["sh", "-c", script], OpenStdin=True)
    with attach(engine, container, "stream=1&stdin=1&stdout=1&stderr=1") as client:
        engine.api.start(container)
        client.send(b"one\n")
        assert until(client, b"\n") == b"got one\n"
        with attach(engine, container, "logs=1&stream=1&stdout=1") as second:
            assert until(second, b"\n") == b"got one\n"
            client.send("two\n")
            assert until(client, b"\n") == b"then two\n"
        rest(client)
    assert engine.api.wait(container) == 3
    with attach(engine, container, "logs=1&stdout=1&stderr=1") as late:
        assert rest(late) == b"got one\nthen two\n"


def test_a_terminal_and_a_close_that_leaves_it_running(engine: Engine) -> None:
    container = engine.api.create("tty", Cmd=["cat"], OpenStdin=True, Tty=True)
    engine.api.start(container)
    with attach(engine, container, "stream=1&stdin=1&stdout=1&detachKeys=ctrl-x") as client:
        client.send(b"hi\n")
        assert until(client, b"hi\r\nhi\r\n")
        client.send(b"\x18")
        rest(client)
    with attach(engine, container, "stream=1&stdin=1&stdout=1") as client:
        client.send(b"ho\n")
        assert until(client, b"ho\r\nho\r\n")
    assert engine.api.inspect(container)["State"]["Running"]
