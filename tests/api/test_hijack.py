"""Attach and exec: the connection stops being HTTP, and not one byte is lost."""

import asyncio
import contextlib
import os
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from boxship.api.http.body import ClientGoneError
from boxship.api.http.connection import Connection
from boxship.api.http.entrance import MAIN
from boxship.api.http.server import Server
from boxship.base.errors import ConflictError
from support.residue import descriptors

UPGRADE = b"Connection: Upgrade\r\nUpgrade: tcp\r\n"
ATTACH = b"POST /v1.56/containers/web/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\n"


def echo_reversed(fd, prefix):
    """Play the shim: read stdin to its end, then answer, then close."""
    with socket.socket(fileno=fd) as sock:
        sock.setblocking(True)
        data = prefix
        while chunk := sock.recv(4096):
            data += chunk
        sock.sendall(data[::-1])


def head_and_rest(data):
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode().split("\r\n"), rest


def test_upgrade_answers_101_and_keeps_bytes_of_the_same_segment(api):
    api.containers.on_stream = echo_reversed
    with api.client.connect() as sock:
        sock.sendall(ATTACH + UPGRADE + b"\r\n" + b"abc")
        head = _head(sock)
        assert head[0] == "HTTP/1.1 101 UPGRADED"
        assert "Content-Type: application/vnd.docker.multiplexed-stream" in head
        assert {"Connection: Upgrade", "Upgrade: tcp", "Api-Version: 1.56"} <= set(head)
        sock.sendall(b"def")
        sock.shutdown(socket.SHUT_WR)
        assert _rest(sock) == b"fedcba"


def test_half_close_with_the_request_still_gets_the_output(api):
    api.containers.on_stream = echo_reversed
    with api.client.connect() as sock:
        sock.sendall(ATTACH + UPGRADE + b"\r\n" + b"xyz")
        sock.shutdown(socket.SHUT_WR)
        head, rest = head_and_rest(_rest(sock))
    assert head[0] == "HTTP/1.1 101 UPGRADED"
    assert rest == b"zyx"


def test_without_upgrade_the_answer_is_200_and_raw(api):
    api.containers.on_stream = echo_reversed
    with api.client.connect() as sock:
        sock.sendall(ATTACH + b"\r\nGET / HTTP/1.1 is my input")
        sock.shutdown(socket.SHUT_WR)
        head, rest = head_and_rest(_rest(sock))
    assert head[0] == "HTTP/1.1 200 OK"
    assert not [line for line in head if line.startswith(("Content-Length", "Transfer", "Upgr"))]
    assert rest == b"GET / HTTP/1.1 is my input"[::-1]


@pytest.mark.parametrize(
    ("version", "name", "kind"),
    [
        ("1.41", "web", "raw-stream"),
        ("1.42", "web", "multiplexed-stream"),
        ("1.56", "term", "raw-stream"),
    ],
)
def test_content_type_by_version_and_terminal(api, version, name, kind):
    api.containers.on_stream = echo_reversed
    request = f"POST /v{version}/containers/{name}/attach?stdout=1 HTTP/1.1\r\nHost: d\r\n"
    with api.client.connect() as sock:
        sock.sendall(request.encode() + UPGRADE + b"\r\n")
        sock.shutdown(socket.SHUT_WR)
        head, _ = head_and_rest(_rest(sock))
    assert f"Content-Type: application/vnd.docker.{kind}" in head


def test_exec_start_reads_its_body_and_nothing_of_the_stream(api):
    api.containers.on_stream = echo_reversed
    body = b'{"Detach":false,"Tty":false}'
    with api.client.connect() as sock:
        sock.sendall(
            b"POST /exec/ab/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
            + f"Content-Length: {len(body)}\r\n".encode()
            + UPGRADE
            + b"\r\n"
            + body
            + b"input"
        )
        sock.shutdown(socket.SHUT_WR)
        head, rest = head_and_rest(_rest(sock))
    assert head[0] == "HTTP/1.1 101 UPGRADED"
    assert rest == b"tupni"
    assert ("exec_start", (False, False, None)) in api.containers.asked


def test_chunked_body_before_the_stream(api):
    api.containers.on_stream = echo_reversed
    with api.client.connect() as sock:
        sock.sendall(
            b"POST /exec/ab/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n" + UPGRADE + b"\r\n2\r\n{}\r\n0\r\n\r\nraw"
        )
        sock.shutdown(socket.SHUT_WR)
        _, rest = head_and_rest(_rest(sock))
    assert rest == b"war"


def test_error_before_the_hand_over_is_an_ordinary_answer(api):
    api.containers.refuse_stream = ConflictError("Container web is paused")
    with api.client.connect() as sock:
        sock.sendall(ATTACH + UPGRADE + b"\r\n")
        data = sock.recv(65536)
        # The connection is still HTTP.
        sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
        assert b"\r\n\r\nOK" in _rest(sock)
    assert data.startswith(b"HTTP/1.1 409 Conflict\r\n")
    assert b'{"message":"Container web is paused"}\n' in data


def test_a_second_request_on_the_connection_may_be_the_attach(api):
    api.containers.on_stream = echo_reversed
    with api.client.connect() as sock:
        sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n" + ATTACH + UPGRADE + b"\r\nhi")
        sock.shutdown(socket.SHUT_WR)
        data = _rest(sock)
    assert data.startswith(b"HTTP/1.1 200 OK")
    assert data.endswith(b"\r\n\r\nih")


def test_the_server_keeps_no_descriptor_and_does_not_read_on(api):
    """The taker alone owns the connection: when it closes, the client sees the end."""
    taken = []
    done = threading.Event()

    def keep(fd, prefix):
        taken.append((fd, prefix))
        done.set()

    api.containers.on_stream = keep
    with api.client.connect() as sock:
        sock.sendall(ATTACH + UPGRADE + b"\r\n")
        _head(sock)
        assert done.wait(10)
        fd, prefix = taken[0]
        with socket.socket(fileno=fd) as mine:
            mine.setblocking(True)
            mine.settimeout(10)
            for number in range(200):
                sock.sendall(b"%03d" % number)
                assert mine.recv(3, socket.MSG_WAITALL) == b"%03d" % number
        assert prefix == b""
        assert sock.recv(1) == b""
    assert not api.server.connections


def test_descriptors_do_not_leak(api):
    api.containers.on_stream = echo_reversed
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with api.client.connect() as sock:
            sock.sendall(ATTACH + UPGRADE + b"\r\n")
            sock.shutdown(socket.SHUT_WR)
            _rest(sock)
    assert len(os.listdir("/proc/self/fd")) <= before + 2


@pytest.fixture
def tls(tmp_path: Path, loop, running_api):
    """An API behind TLS; yields it and a function that connects."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=docker"],
        check=True, capture_output=True,
    )  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.create_default_context(cafile=str(certificate))
    client.check_hostname = False
    with running_api(str(tmp_path / "tls.sock"), loop, server) as api:
        yield api, lambda: client.wrap_socket(api.client.connect(), suppress_ragged_eofs=False)


def test_tls_carries_both_ways(tls):
    api, connect = tls

    def echo(fd, prefix):
        with socket.socket(fileno=fd) as sock:
            sock.setblocking(True)
            want = 1 << 20
            data = prefix
            while len(data) < want:
                data += sock.recv(65536)
            sock.sendall(data)

    payload = os.urandom(1 << 20)
    api.containers.on_stream = echo
    with connect() as sock:
        sock.sendall(ATTACH + UPGRADE + b"\r\n" + payload[:100])
        head = _head(sock)
        assert head[0] == "HTTP/1.1 101 UPGRADED"
        sock.sendall(payload[100:])
        got = b""
        while len(got) < len(payload):
            got += sock.recv(65536)
        assert got == payload
        assert sock.recv(1) == b"", "the end is said, not only seen"


def test_tls_clients_may_end_their_input_and_read_on(tls):
    """Docker's client does so at once when there is no stdin."""
    api, _ = tls
    api.containers.on_stream = echo_reversed
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing)
    with api.client.connect() as sock:
        _until(client.do_handshake, sock, incoming, outgoing)
        client.write(ATTACH + UPGRADE + b"\r\n" + b"last words")
        with contextlib.suppress(ssl.SSLWantReadError):
            client.unwrap()  # sends close_notify
        data = b""
        while not data.endswith(b"sdrow tsal"):
            data += _until(lambda: client.read(65536), sock, incoming, outgoing)
    assert data.startswith(b"HTTP/1.1 101 UPGRADED")


def _until(step, sock, incoming, outgoing):
    """Repeat a TLS step, carrying bytes, until it needs no more of them."""
    while True:
        wanted = False
        try:
            result = step()
        except ssl.SSLWantReadError:
            wanted = True
        if outgoing.pending:
            sock.sendall(outgoing.read())
        if not wanted:
            return result
        chunk = sock.recv(65536)
        assert chunk, "the connection ended too early"
        incoming.write(chunk)


def sockets():
    return sum("socket:" in line for line in descriptors(os.getpid()))


class TlsConnection(asyncio.Transport):
    """As much of a TLS client's transport as a hand-over uses."""

    def get_extra_info(self, name, default=None):
        return object() if name == "sslcontext" else default

    def set_write_buffer_limits(self, high=None, low=None):
        pass

    def write(self, data):
        pass

    def is_closing(self):
        return True

    def close(self):
        pass


def test_a_tls_client_that_leaves_during_the_hand_over_leaves_no_descriptor(loop):
    async def scene():
        connection = Connection(Server(None, None, {}), MAIN)
        await asyncio.sleep(0)
        before = sockets()
        connection.connection_made(TlsConnection())
        handing_over = asyncio.ensure_future(connection.detach(b"head"))
        await asyncio.sleep(0)  # it waits for the pump
        assert not handing_over.done()
        connection.connection_lost(None)
        with pytest.raises(ClientGoneError):
            await handing_over
        del handing_over
        async with asyncio.timeout(10):
            while sockets() > before:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    with contextlib.closing(loop):
        loop.run_until_complete(scene())


def test_tls_serves_ordinary_requests_and_refuses_plain_ones(tls):
    api, connect = tls
    with connect() as sock:
        for _ in range(3):
            sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
            assert sock.recv(65536).endswith(b"OK")
        sock.sendall(b"GET /images/busybox/get HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
        assert len(_rest(sock)) > 64 * 65536
    with api.client.connect() as sock:
        sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
        assert b"HTTP" not in _rest(sock)


def _head(sock):
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        assert byte, data
        data += byte
    return data.decode().split("\r\n")


def _rest(sock):
    data = b""
    while chunk := sock.recv(65536):
        data += chunk
    return data
