"""``boxshipd`` as a process: what its signals, sockets and certificates do for real."""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

STUBBORN = ["sh", "-c", "trap '' TERM; echo ready; while true; do sleep 1; done"]


def running(engine: Engine, name: str) -> bool:
    return bool(engine.api.inspect(name)["State"]["Running"])


def start_stubborn(engine: Engine) -> int:
    """Start a container that ignores SIGTERM; return its pid once it does."""
    engine.start()
    engine.load("busybox")
    engine.api.create("stubborn", Cmd=STUBBORN)
    engine.api.start("stubborn")
    eventually(lambda: b"ready" in engine.api.logs("stubborn"), "the trap")
    return int(engine.api.inspect("stubborn")["State"]["Pid"])


def test_an_orderly_stop_ends_the_containers(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine("--shutdown-timeout=1")
    pid = start_stubborn(engine)
    assert engine.stop() == 0
    assert not os.path.exists(f"/proc/{pid}")
    engine.start()
    state = engine.api.inspect("stubborn")["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 137)


def test_with_live_restore_containers_go_on(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine("--live-restore")
    pid = start_stubborn(engine)
    assert engine.stop() == 0
    assert os.path.exists(f"/proc/{pid}")
    engine.start()
    assert running(engine, "stubborn")
    assert engine.api.inspect("stubborn")["State"]["Pid"] == pid
    engine.api.remove("stubborn")


def test_a_daemon_that_makes_room_leaves_containers_to_the_next(
    make_engine: Callable[..., Engine],
) -> None:
    engine = make_engine()
    pid = start_stubborn(engine)
    assert engine.signal(signal.SIGUSR2) == 0
    assert os.path.exists(f"/proc/{pid}")
    engine.start()
    assert engine.api.inspect("stubborn")["State"]["Pid"] == pid
    engine.api.remove("stubborn")


def test_a_second_signal_ends_the_daemon_at_once(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine("--shutdown-timeout=100", "--default-stop-timeout=100")
    start_stubborn(engine)
    os.kill(engine.pid, signal.SIGTERM)
    eventually(lambda: "SIGTERM: stopping" in engine.log(), "the first signal")
    assert engine.signal(signal.SIGTERM) == 1
    engine.start()
    assert running(engine, "stubborn")
    engine.api.remove("stubborn")


def test_systemd_is_told_when_it_is_ready_and_when_it_stops(
    make_engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(engine.home / "notify"))
        notified.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(engine.home / "notify"))
        engine.launch()
        assert notified.recv(100) == b"READY=1"
        assert engine.answers()
        engine.stop()
        assert notified.recv(100) == b"STOPPING=1"


def test_clients_that_wait_are_answered_before_the_daemon_goes(
    make_engine: Callable[..., Engine],
) -> None:
    engine = make_engine("--shutdown-timeout=1")
    start_stubborn(engine)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(engine.socket))
        client.sendall(b"POST /containers/stubborn/wait HTTP/1.1\r\nHost: d\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"
        engine.stop()
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := client.recv(65536):
                answer += chunk
    assert b'{"StatusCode":137}' in answer


def make_certificates(place: Path) -> None:
    """Make an authority, and keys for a server on 127.0.0.1 and a client."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    def openssl(*arguments: str | Path) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=place)

    (place / "names").write_text("subjectAltName=IP:127.0.0.1")
    openssl("req", "-x509", *curve, "-keyout", "ca-key.pem", "-out", "ca.pem", "-subj", "/CN=ca")
    for name in ("server", "client"):
        openssl("req", *curve, "-keyout", f"{name}-key.pem", "-out", "csr", "-subj", f"/CN={name}")
        openssl(
            *("x509", "-req", "-in", "csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem"),
            *("-CAcreateserial", "-out", f"{name}.pem", "-extfile", "names"),
        )


def test_docker_over_tcp_with_certificates(make_engine: Callable[..., Engine]) -> None:
    if shutil.which("docker") is None or shutil.which("openssl") is None:
        pytest.skip("no docker client or no openssl on PATH")
    engine = make_engine()
    make_certificates(engine.home)
    home = engine.home
    engine.add_flags(
        *("-H=tcp://127.0.0.1:0", "--tlsverify", f"--tlscacert={home}/ca.pem"),
        *(f"--tlscert={home}/server.pem", f"--tlskey={home}/server-key.pem"),
    )
    engine.start()
    engine.load("busybox")
    port = engine.log().partition("API listen on 127.0.0.1:")[2].split('"')[0]
    client = [
        *("--tlsverify", "--tlscacert", f"{home}/ca.pem", "--tlscert", f"{home}/client.pem"),
        *("--tlskey", f"{home}/client-key.pem", "-H", f"tcp://127.0.0.1:{port}"),
    ]
    run = ("run", "--rm", "--net=none")
    # Without stdin the client ends its side at once, with it when it has sent everything.
    assert engine.docker(*client, *run, "busybox", "echo", "hi") == "hi"
    text = "line\n" * 100_000
    assert engine.docker.run(*client, *run, "-i", "busybox", "cat", stdin=text).out == text
    context = ssl.create_default_context(cafile=home / "ca.pem")
    with (
        pytest.raises(ssl.SSLError),
        socket.create_connection(("127.0.0.1", int(port))) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as nobody,
    ):
        nobody.sendall(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
        nobody.recv(100)
