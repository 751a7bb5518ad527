"""One daemon for one root; the pid file; what systemd is told; the daemon's log lines."""

import json
import logging
import os
import socket
import subprocess
import sys

import pytest

from boxship.base.errors import UnavailableError
from boxship.daemon.hostfacts import look, os_release
from boxship.daemon.logs import DaemonFormatter
from boxship.daemon.notify import notify
from boxship.daemon.ownership import owned, pid_file
from boxship.daemon.system import engine_id


def test_a_root_is_owned_once_and_freed(tmp_path):
    root = str(tmp_path / "root")
    with owned(root):
        taken = rf"another boxshipd \(pid {os.getpid()}\) uses"
        with pytest.raises(UnavailableError, match=taken), owned(root):
            pass
        assert os.listdir(root) == ["boxshipd.lock"]
    with owned(root):
        pass


def test_a_killed_owner_owns_nothing(tmp_path):
    code = (
        "import os, signal, sys; from boxship.daemon.ownership import owned\n"
        "with owned(sys.argv[1]): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    with owned(str(tmp_path)):
        pass


def test_pid_file(tmp_path):
    path = tmp_path / "run" / "pid"
    with pid_file(str(path)):
        assert int(path.read_text()) == os.getpid()
    assert not path.exists()


HOLDER = """
import sys; from boxship.daemon.ownership import pid_file
with pid_file(sys.argv[1]): print("held", flush=True); sys.stdin.read()
"""


def holder(path):
    """Another process that keeps a pid file until its stdin ends."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    return process


def test_pid_file_of_a_living_daemon_is_respected(tmp_path):
    path = tmp_path / "pid"
    with holder(path) as other:
        alive = f"PID {other.pid} is still running"
        with pytest.raises(UnavailableError, match=alive), pid_file(str(path)):
            pass
        assert path.read_text() == str(other.pid)
        other.stdin.close()
    assert not path.exists()
    with pid_file(str(path)):
        assert int(path.read_text()) == os.getpid()


def test_pid_file_of_a_killed_daemon_is_replaced_before_it_is_reaped(tmp_path):
    path = tmp_path / "pid"
    with holder(path) as other:
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        assert path.read_text() == str(other.pid)
        with pid_file(str(path)):
            assert int(path.read_text()) == os.getpid()


def test_pid_file_with_the_number_of_some_other_process_is_replaced(tmp_path):
    path = tmp_path / "pid"
    path.write_text(str(os.getppid()))
    with pid_file(str(path)):
        assert int(path.read_text()) == os.getpid()


@pytest.mark.parametrize("text", ["", "rubbish", "-5", "4194999"])
def test_pid_file_of_nobody_is_replaced(tmp_path, text):
    path = tmp_path / "pid"
    path.write_text(text)
    with pid_file(str(path)):
        assert int(path.read_text()) == os.getpid()


def test_no_pid_file():
    with pid_file(""):
        pass


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(tmp_path, monkeypatch, abstract):
    name = f"@boxship-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name[1:] if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        notify("READY=1")
        sock.settimeout(5)
        assert sock.recv(100) == b"READY=1"
    notify("STOPPING=1")  # nobody listens any more


def record(message, level=logging.INFO):
    made = logging.LogRecord("x", level, "f", 1, message, (), None)
    made.created = 1_800_000_000.5
    return made


def test_log_lines():
    text = DaemonFormatter(as_json=False)
    assert text.format(record("ok")) == 'time="2027-01-15T08:00:00.500000000Z" level=info msg=ok'
    line = text.format(record('two "words"', logging.WARNING))
    assert line.endswith(r'level=warning msg="two \"words\""')
    line = DaemonFormatter(as_json=True).format(record("a\nb", logging.ERROR))
    assert line == '{"level": "error", "msg": "a\\nb", "time": "2027-01-15T08:00:00.500000000Z"}'


def test_log_lines_have_fields_of_what_they_are_about():
    made = record("the shim of container %s in %s took %d: %s")
    made.args = ("abc", "/run/x y", 3, "gone")
    made.port = "80/tcp"
    text = DaemonFormatter(as_json=False).format(made)
    assert text.endswith('msg="the shim of container abc in /run/x y took 3: gone" '
                         'container=abc port=80/tcp')  # fmt: skip
    line = json.loads(DaemonFormatter(as_json=True).format(made))
    assert (line["container"], line["port"], line["level"]) == ("abc", "80/tcp", "info")


def test_the_engine_keeps_its_id(tmp_path):
    first = engine_id(str(tmp_path))
    assert len(first) == 36
    assert engine_id(str(tmp_path)) == first


def test_host_facts_of_this_machine():
    facts = look()
    assert facts.kernel == os.uname().release
    assert facts.cpus >= 1
    assert facts.memory > 1 << 20
    assert facts.cgroup_version in (1, 2)


def test_os_release():
    text = 'NAME="Debian GNU/Linux"\nVERSION_ID=12\n# x\nPRETTY_NAME=\'Debian "12"\'\n'
    assert os_release(text) == {
        "NAME": "Debian GNU/Linux",
        "VERSION_ID": "12",
        "PRETTY_NAME": 'Debian "12"',
    }
