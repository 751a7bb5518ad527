"""What a client offers a builder besides its files."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from boxship.base.errors import NotFoundError
from boxship.client.buildkit import services
from boxship.client.buildkit.link import Call, Link, Serve
from boxship.client.engine import HijackedStream
from boxship.client.http import ResponseHead
from boxship.client.transport import PlainConnection
from boxship.wire.buildkit import methods
from boxship.wire.buildkit import session as shapes
from boxship.wire.buildkit.wellknown import BytesMessage
from boxship.wire.grpc.status import GrpcError
from boxship.wire.protobuf import decode, encode


@contextmanager
def served(offered: dict[str, Serve]) -> Iterator[Link]:
    ours, theirs = socket.socketpair()
    head = ResponseHead(101, ())
    server = HijackedStream(PlainConnection(theirs), head, b"")
    client = HijackedStream(PlainConnection(ours), head, b"")
    with Link(server, serve=lambda call: offered[call.path](call)), Link(client) as link:
        yield link


def test_a_secret_is_given_to_who_knows_its_name() -> None:
    def find(name: str) -> bytes:
        if name != "token":
            raise NotFoundError(f"secret {name} not found")
        return b"s3cret"

    with served(services.secrets(find)) as link:
        asked = encode(shapes.GetSecretRequest(id="token"))
        answer = link.call(methods.GET_SECRET.path, asked).result()
        assert decode(answer, shapes.GetSecretResponse).data == b"s3cret"
        with pytest.raises(GrpcError, match="secret other not found"):
            link.call(methods.GET_SECRET.path, encode(shapes.GetSecretRequest(id="other"))).result()


def test_a_login_is_given_for_its_host() -> None:
    with served(services.auth(lambda host: (f"user of {host}", "password"))) as link:
        asked = encode(shapes.CredentialsRequest(host="r.example"))
        answer = decode(
            link.call(methods.CREDENTIALS.path, asked).result(), shapes.CredentialsResponse
        )
        assert (answer.username, answer.secret) == ("user of r.example", "password")


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """An agent that says everything back, in capitals, until one end is closed."""
    path = str(tmp_path / "agent")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def talk(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(1000):
                connection.sendall(data.upper())

    def accept() -> None:
        with listener:
            for _ in range(2):
                connection, _ = listener.accept()
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield path
    while thread.is_alive():
        with socket.socket(socket.AF_UNIX) as last, suppress(ConnectionRefusedError):
            last.connect(path)  # refused: it has just ended
        thread.join(0.1)


def test_an_agent_is_spoken_to_both_ways(agent: str) -> None:
    with served(services.agents({"default": agent})) as link:
        link.call(methods.CHECK_AGENT.path, encode(shapes.CheckAgentRequest())).result()
        call = link.call(methods.FORWARD_AGENT.path, metadata={shapes.SSH_ID: ("default",)})
        for word in (b"one", b"two"):
            call.send(encode(BytesMessage(word)))
            assert decode(call.receive() or b"", BytesMessage).data == word.upper()
        call.end_input()
        assert call.receive() is None
        with pytest.raises(GrpcError, match="unset ssh forward key other"):
            link.call(
                methods.CHECK_AGENT.path, encode(shapes.CheckAgentRequest(id="other"))
            ).result()


def test_an_upload_is_given_once() -> None:
    with served(services.upload({"/context": [b"a" * 1_200_000, b"b"]})) as link:
        metadata = {shapes.UPLOAD_PATH: ("/context",)}
        call = link.call(methods.UPLOAD.path, metadata=metadata)
        received = b""
        while (message := call.receive()) is not None:
            received += decode(message, BytesMessage).data
        assert received == b"a" * 1_200_000 + b"b"
        with pytest.raises(GrpcError, match="no upload"):
            link.call(methods.UPLOAD.path, metadata=metadata).receive()


def test_closing_waits_for_what_calls_have_to_tidy_up() -> None:
    begun, tidied = threading.Event(), threading.Event()

    def serve(call: Call) -> None:
        begun.set()
        try:
            call.receive()
        finally:
            time.sleep(0.05)  # taking away is work
            tidied.set()

    with served({methods.GET_SECRET.path: serve}) as link:
        link.call(methods.GET_SECRET.path)
        begun.wait()
    assert tidied.is_set()
