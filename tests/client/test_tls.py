"""TLS with Docker's three files, and half-close over it."""

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.client import containers
from boxship.client.containers import AttachOptions
from boxship.client.endpoint import TcpEndpoint, TlsFiles
from boxship.client.engine import EngineClient
from boxship.client.errors import DaemonUnreachableError

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="certificates are made with openssl"
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that is its own authority, for both sides."""
    directory = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", directory / "key.pem", "-out", directory / "cert.pem"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    shutil.copy(directory / "cert.pem", directory / "ca.pem")
    return directory


def files(directory: Path, *, verify: bool = True) -> TlsFiles:
    names = (str(directory / name) for name in ("ca.pem", "cert.pem", "key.pem"))
    return TlsFiles(*names, verify=verify)


@pytest.fixture
def port(certificates: Path) -> Iterator[int]:
    """A daemon that asks for a client certificate and echoes attached input after its end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def converse(plain: socket.socket) -> None:
        with suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as connection:
            while head := connection.recv(65536):
                if b"/attach" in head:
                    connection.sendall(
                        b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
                    )
                    heard = b""
                    while data := connection.recv(65536):
                        heard += data
                    connection.sendall(heard.upper())
                    return
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 0\r\n\r\n"
                )

    def accept() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=converse, args=(plain,), daemon=True))
            threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in (acceptor, *threads):
        thread.join(10)


def test_requests_share_a_connection(port: int, certificates: Path) -> None:
    client = EngineClient(TcpEndpoint("127.0.0.1", port, files(certificates)))
    assert client.version == "1.41"
    client.do("GET", "/a")
    assert len(client._idle) == 1
    client.close()


def test_half_close_ends_the_input_and_not_the_output(port: int, certificates: Path) -> None:
    client = EngineClient(TcpEndpoint("127.0.0.1", port, files(certificates)))
    stream = containers.attach(client, "c", AttachOptions(stdin=True))
    stream.connection.send(b"typed")
    stream.connection.close_write()
    received = b""
    while data := stream.receive():
        received += data
    stream.close()
    client.close()
    assert received == b"TYPED"


def test_output_that_is_there_when_the_input_ends_is_not_lost(
    port: int, certificates: Path
) -> None:
    for _ in range(20):  # a race: what loses output does not do so every time
        client = EngineClient(TcpEndpoint("127.0.0.1", port, files(certificates)))
        stream = containers.attach(client, "c", AttachOptions(stdin=True))
        data = b"typed" * 50_000
        while data:
            taken = stream.connection.send_some(data)
            data = data[taken:]
        while stream.connection.has_output:
            stream.connection.send_some(b"")
        stream.connection.close_write()
        received = b""
        while piece := stream.receive():
            received += piece
        stream.close()
        client.close()
        assert received == b"TYPED" * 50_000


def test_a_daemon_of_another_authority_is_refused(
    port: int, certificates: Path, tmp_path: Path
) -> None:
    other = tmp_path / "ca.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=other", "-keyout", tmp_path / "k", "-out", other],
        check=True,
        capture_output=True,
    )  # fmt: skip
    wrong = files(certificates)._replace(ca=str(other))
    with pytest.raises(DaemonUnreachableError, match="verify failed"):
        EngineClient(TcpEndpoint("127.0.0.1", port, wrong)).do("GET", "/a")
    unverified = EngineClient(TcpEndpoint("127.0.0.1", port, wrong._replace(verify=False)))
    unverified.do("GET", "/a")
    unverified.close()


def test_missing_files_are_said(port: int, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"no CA certificate at .*ca\.pem"):
        EngineClient(TcpEndpoint("127.0.0.1", port, files(tmp_path))).do("GET", "/a")
