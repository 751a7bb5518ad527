"""Sockets: who may connect, what is refused, and what is left behind."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError, UnavailableError
from boxship.daemon.config import load_config
from boxship.daemon.listeners import open_listeners, open_unix, split_address


def configured(*arguments):
    return load_config(["--config-file", "/dev/null", *arguments])


@pytest.fixture
def opened():
    kept = []

    def open_(*arguments):
        listeners = open_listeners(configured(*arguments))
        kept.extend(listeners)
        return listeners

    yield open_
    for listener in kept:
        listener.sock.close()
        listener.remove()


def test_unix_socket_has_mode_0660_and_goes_away(tmp_path, opened):
    path = str(tmp_path / "dir" / "a.sock")
    (listener,) = opened("-H", f"unix://{path}", "--group", str(os.getgid()))
    status = os.stat(path)
    assert stat.S_IMODE(status.st_mode) == 0o660
    assert status.st_gid == os.getgid()
    listener.remove()
    assert not os.path.exists(path)
    listener.remove()


def test_a_socket_takes_no_mask_away_from_other_threads(tmp_path):
    path, seen = str(tmp_path / "a.sock"), []

    def look(event, arguments):
        if event == "socket.bind" and arguments[1] == path:
            seen.append(Path("/proc/self/status").read_text().split("Umask:")[1].split()[0])

    sys.addaudithook(look)
    before = os.umask(0o022)
    try:
        open_unix(path, None, 0o600).close()
    finally:
        os.umask(before)
    assert seen[0] == "0022"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path, opened):
    path = str(tmp_path / "a.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    (listener,) = opened("-H", path)
    with pytest.raises(UnavailableError, match="another daemon listens on it"):
        opened("-H", path)
    assert os.path.exists(path)
    assert listener.name == path


def test_a_file_in_the_way_is_kept(tmp_path, opened):
    path = tmp_path / "a.sock"
    path.write_text("precious")
    with pytest.raises(UnavailableError, match="a file is in the way"):
        opened("-H", f"unix://{path}")
    assert path.read_text() == "precious"


def test_all_or_none(tmp_path, opened):
    path = str(tmp_path / "a.sock")
    with pytest.raises(InvalidArgumentError):
        opened("-H", path, "-H", "npipe://x")
    assert not os.path.exists(path)


def test_tcp_on_loopback(opened):
    (listener,) = opened("-H", "tcp://127.0.0.1:0")
    assert listener.sock.getsockname()[0] == "127.0.0.1"
    assert not listener.tls


@pytest.mark.parametrize("host", ["tcp://0.0.0.0:0", "0.0.0.0:0", "tcp://[::]:0"])
def test_tcp_beyond_this_machine_needs_certificates_or_consent(host, opened):
    with pytest.raises(InvalidArgumentError, match="--tlsverify, or --allow-insecure-tcp"):
        opened("-H", host)
    with pytest.raises(InvalidArgumentError, match="--tlsverify"):
        opened("-H", host, "--tls")
    for extra in ("--allow-insecure-tcp", "--tlsverify"):
        (listener,) = opened("-H", host, extra)
        assert listener.tls is (extra == "--tlsverify")


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("1.2.3.4:5", ("1.2.3.4", 5)),
        ("", ("127.0.0.1", 99)),
        (":5", ("127.0.0.1", 5)),
        ("[::1]:5", ("::1", 5)),
        ("[::1]", ("::1", 99)),
        ("host", ("host", 99)),
        ("host:5/", ("host", 5)),
    ],
)
def test_addresses(address, parts):
    assert split_address(address, 99) == parts


@pytest.mark.parametrize("address", ["host:port", "host:70000", "host:-1"])
def test_bad_ports(address):
    with pytest.raises(InvalidArgumentError, match="is not a port"):
        split_address(address, 99)


def test_named_group_must_exist(tmp_path, opened):
    with pytest.raises(InvalidArgumentError, match="group no-such-group not found"):
        opened("-H", str(tmp_path / "a.sock"), "-G", "no-such-group")


ACTIVATED = """
import os, socket, sys
os.environ["LISTEN_PID"] = str(os.getpid())
from boxship.daemon.config import load_config
from boxship.daemon.listeners import open_listeners
hosts = [word for host in sys.argv[1:] for word in ("-H", host)]
for listener in open_listeners(load_config(["--config-file", "/dev/null", *hosts])):
    print(listener.sock.getsockname(), os.get_inheritable(listener.sock.fileno()))
"""


@pytest.mark.parametrize(
    ("hosts", "found"),
    [(["fd://"], 2), (["fd://second"], 1), (["fd://4"], 1), ([], 2), (["tcp://:0"], 3)],
)
def test_socket_activation(tmp_path, hosts, found):
    sockets = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    for number, sock in enumerate(sockets):
        sock.bind(str(tmp_path / f"{number}.sock"))
        sock.listen()

    def as_systemd_does():
        # 3 and 4, whatever their numbers were: first out of the way, then into place.
        high = [os.dup2(sock.fileno(), 60 + n) for n, sock in enumerate(sockets)]
        for number, fd in enumerate(high):
            os.dup2(fd, 3 + number)

    result = subprocess.run(
        [sys.executable, "-c", ACTIVATED, *hosts],
        env=os.environ | {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "first:second"},
        preexec_fn=as_systemd_does,
        close_fds=False,
        capture_output=True,
        text=True,
        check=True,
    )
    for sock in sockets:
        sock.close()
    lines = result.stdout.splitlines()
    assert len(lines) == found
    assert f"{tmp_path}/1.sock False" in lines


@pytest.mark.parametrize(
    ("address", "flags", "told"),
    [
        ("0.0.0.0", [], "refusing to listen on 0.0.0.0"),
        ("0.0.0.0", ["--tls"], "refusing to listen on 0.0.0.0"),
        ("0.0.0.0", ["--tlsverify"], "True Tokens.TAKEN"),
        ("0.0.0.0", ["--allow-insecure-tcp"], "False Tokens.IGNORED"),
        ("127.0.0.1", [], "False Tokens.IGNORED"),
    ],
)
def test_what_systemd_hands_over_gets_no_more_than_what_we_open(address, flags, told):
    program = ACTIVATED.replace('"-H", host', "host,").replace(
        "print(", "print(listener.tls, listener.entrance.tokens, "
    )
    with socket.create_server((address, 0)) as sock:
        result = subprocess.run(
            [sys.executable, "-c", program, "--host=fd://", *flags],
            env=os.environ | {"LISTEN_FDS": "1"},
            preexec_fn=lambda: os.dup2(os.dup2(sock.fileno(), 60), 3),
            close_fds=False,
            capture_output=True,
            text=True,
            check=False,
        )
    assert told in result.stdout + result.stderr


def test_no_activation(opened):
    with pytest.raises(InvalidArgumentError, match="no sockets found via socket activation"):
        opened("-H", "fd://")
