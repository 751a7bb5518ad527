"""Clients that are many, slow, or gone: nobody else notices, and nothing of them stays."""

import json
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.engine import Engine
from support.tars import Member, tar
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

MANY = 1000


@pytest.fixture
def box(engine: Engine) -> str:
    """A container that says again what it is told."""
    name = engine.api.create("echo", Cmd=["cat"], OpenStdin=True, StopTimeout=0)
    engine.api.start(name)
    return name


@pytest.fixture
def quiet(engine: Engine) -> Iterator[None]:
    """Whatever a client has left must be gone again."""
    before = len(engine.descriptors())
    yield
    eventually(lambda: len(engine.descriptors()) <= before, "descriptors to be closed")


def open_connection(engine: Engine) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(60)
    connection.connect(str(engine.socket))
    return connection


def receive(connection: socket.socket, wanted: int) -> bytes:
    data = b""
    while len(data) < wanted and (chunk := connection.recv(wanted - len(data))):
        data += chunk
    return data


@pytest.fixture
def room() -> Iterator[None]:
    """Descriptors for all of them at this end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * MANY)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_attached_clients(engine: Engine, box: str, quiet: None, room: None) -> None:
    """Each sees all; the daemon holds none of them, so it has as many descriptors as before."""
    path = f"/containers/{box}/attach"
    before = len(engine.descriptors())
    with ExitStack() as connections:
        clients = []
        for _ in range(MANY):
            client, rest = engine.api.hijack(path, stream=1, stdout=1)
            connections.enter_context(client)
            assert rest == b""
            clients.append(client)
        eventually(lambda: len(engine.descriptors()) <= before, "the clients to be the shim's")
        with engine.api.hijack(path, stream=1, stdin=1)[0] as speaker:
            speaker.sendall(b"hello\n")
            frame = b"\1\0\0\0\0\0\0\6hello\n"
            assert {receive(client, len(frame)) for client in clients} == {frame}
        assert engine.api.inspect(box)["State"]["Running"]
    # They have gone, and the container does not wait for any of them.
    with engine.api.hijack(path, stream=1, stdin=1, stdout=1)[0] as last:
        last.sendall(b"again\n")
        assert receive(last, len(frame)) == frame.replace(b"hello", b"again")


STREAMS = {
    "events": "GET /events",
    "logs": "GET /containers/{box}/logs?stdout=1&follow=1",
    "stats": "GET /containers/{box}/stats",
    "wait": "POST /containers/{box}/wait",
    "attach": "POST /containers/{box}/attach?stream=1&stdout=1",
    "export": "GET /containers/{box}/export",
    "archive": "GET /containers/{box}/archive?path=/bin",
    "save": "GET /images/busybox/get",
}


@pytest.mark.parametrize("stream", STREAMS)
def test_a_client_that_vanishes_within_a_stream(
    engine: Engine, box: str, quiet: None, stream: str
) -> None:
    request = STREAMS[stream].format(box=box)
    for _ in range(20):
        with open_connection(engine) as connection:
            connection.sendall(f"{request} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
            assert connection.recv(12) in (b"HTTP/1.1 200", b"HTTP/1.1 101")
    assert engine.api.inspect(box)["State"]["Running"]


UPLOADS = {
    "load": "POST /images/load",
    "import": "POST /images/create?fromSrc=-&repo=half",
    "archive": "PUT /containers/{box}/archive?path=/tmp",
}


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("upload", UPLOADS)
def test_a_client_that_vanishes_within_an_upload(
    engine: Engine, box: str, quiet: None, upload: str, chunked: bool
) -> None:
    """Half an archive is no image, and what was unpacked of it does not stay in the store."""
    before = engine.api.get("/images/json").json()
    half = tar(Member("a", b"x" * 100_000))[:60_000]
    framing = "Transfer-Encoding: chunked" if chunked else "Content-Length: 200000"
    piece = b"%x\r\n%s\r\n" % (len(half), half) if chunked else half
    head = f"{UPLOADS[upload].format(box=box)} HTTP/1.1\r\nHost: d\r\n{framing}\r\n\r\n"
    for _ in range(5):
        with open_connection(engine) as connection:
            connection.sendall(head.encode() + piece)
    assert engine.api.get("/images/json").json() == before
    temporary = engine.data / "tmp"
    eventually(lambda: not temporary.exists() or not list(temporary.iterdir()), "an empty tmp")


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


@pytest.fixture
def large(engine: Engine) -> str:
    """A container that runs, with 20 MB in `/large`."""
    fill = f"head -c {20 << 20} /dev/zero >/large; echo full; cat"
    name = engine.api.create("large", Cmd=["sh", "-c", fill], OpenStdin=True, StopTimeout=0)
    engine.api.start(name)
    eventually(lambda: engine.api.logs(name) == b"full\n", "the file")
    return name


def test_a_client_that_does_not_read_costs_no_memory(
    engine: Engine, large: str, quiet: None
) -> None:
    """Forty of them, each of whom 20 MB are for, take what fits in between and no more."""
    request = f"GET /containers/{large}/archive?path=/large HTTP/1.1\r\nHost: d\r\n\r\n".encode()
    before = resident(engine.pid)
    with ExitStack() as connections:
        for _ in range(40):
            connection = connections.enter_context(open_connection(engine))
            connection.sendall(request)
            assert connection.recv(12) == b"HTTP/1.1 200"
        assert engine.api.get("/_ping").body == b"OK"
        assert resident(engine.pid) - before < 200 << 20


def test_a_slow_upload_holds_nobody_up(engine: Engine, quiet: None) -> None:
    archive = tar(Member("f", b"x" * 5000))
    box = engine.api.create("slow")
    with open_connection(engine) as connection:
        head = f"PUT /containers/{box}/archive?path=/ HTTP/1.1\r\nHost: d\r\n"
        connection.sendall(f"{head}Content-Length: {len(archive)}\r\n\r\n".encode())
        for start in range(0, len(archive), 1000):
            connection.sendall(archive[start : start + 1000])
            assert engine.api.get("/_ping").body == b"OK"
        assert connection.recv(12) == b"HTTP/1.1 200"
    stat = engine.api.request("HEAD", f"/containers/{box}/archive", query={"path": "/f"})
    assert stat.status == 200


def test_a_client_that_has_closed_its_side_gets_its_answer(engine: Engine, quiet: None) -> None:
    body = json.dumps({"Image": "busybox", "Cmd": ["true"]}).encode()
    head = (
        "POST /containers/create?name=half HTTP/1.1\r\nHost: d\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with open_connection(engine) as connection:
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(12) == b"HTTP/1.1 201"
