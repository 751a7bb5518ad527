"""A daemon on demand, with a stand-in for boxshipd."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from boxship.base.errors import UnavailableError
from boxship.cli import daemonstart
from boxship.client.endpoint import TcpEndpoint, UnixEndpoint
from boxship.client.errors import DaemonUnreachableError

# Counts its starts, answers pings after a moment, and ends when told to by a file's removal.
STAND_IN = """
import os, socket, sys, threading, time
path, counter = sys.argv[1:]
with open(counter, "a") as file:
    file.write(f"{os.getpid()} {os.getsid(0)}\\n")
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
time.sleep(0.2)  # the socket file is there, and nobody listens yet
listener.listen(16)
listener.settimeout(0.1)
def serve(connection):
    while connection.recv(65536):
        connection.sendall(
            b"HTTP/1.1 200 OK\\r\\nApi-Version: 1.50\\r\\nContent-Length: 2\\r\\n\\r\\n[]")
    connection.close()
while os.path.exists(counter):
    try:
        connection, _ = listener.accept()
    except TimeoutError:
        continue
    connection.settimeout(None)
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
"""

CLIENT = """
import sys
from boxship.cli.daemonstart import connect_or_start
from boxship.client.endpoint import UnixEndpoint
from boxship.client.engine import EngineClient
endpoint = UnixEndpoint(sys.argv[1])
client = EngineClient(endpoint, connect=lambda e: connect_or_start(e, sys.argv[2:]))
print(client.json("GET", "/containers/json"))
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts a daemon")


@pytest.fixture
def counter(tmp_path: Path):
    path = tmp_path / "starts"
    yield path
    pids = [int(line.split()[0]) for line in path.read_text().splitlines()]
    path.unlink()  # ends the stand-in
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{pid}/cmdline") and _alive(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@needs_root
def test_several_clients_at_once_start_one_daemon(tmp_path: Path, counter: Path) -> None:
    socket_path = tmp_path / "run" / "d.sock"
    stand_in = [sys.executable, "-c", STAND_IN, str(socket_path), str(counter)]
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(socket_path), *stand_in],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    outcomes = [client.communicate(timeout=30) for client in clients]
    assert [out for out, _ in outcomes] == ["[]\n"] * 3
    announced = [err for _, err in outcomes if err]
    assert len(announced) == 1
    assert announced[0].count("\n") == 1
    assert "starting boxshipd" in announced[0]
    started = counter.read_text().split()
    assert len(started) == 2  # one start
    assert started[0] == started[1]  # in a session of its own


@needs_root
def test_a_daemon_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no disk left')"]
    with pytest.raises(UnavailableError, match=r"ended with code 1 at once:\nno disk left"):
        daemonstart.connect_or_start(UnixEndpoint(str(tmp_path / "d.sock")), command)


def test_nothing_is_started_for_a_tcp_endpoint() -> None:
    with pytest.raises(DaemonUnreachableError):
        daemonstart.connect_or_start(TcpEndpoint("127.0.0.1", 1), ["/bin/false"])


@pytest.mark.privileged
def test_who_is_not_root_is_told_what_to_do() -> None:
    # Everything is imported before the user changes, who may not read the source tree.
    script = """
import os
import boxship.client.transport
from boxship.cli.daemonstart import connect_or_start
from boxship.client.endpoint import UnixEndpoint
from boxship.client.errors import DaemonUnreachableError
os.setuid(65534)
try:
    connect_or_start(UnixEndpoint("/nonexistent/d.sock"), ["/bin/false"])
except DaemonUnreachableError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "only root can start one" in done.stdout
    assert "-H or BOXSHIP_HOST" in done.stdout
