"""exec, update, events and console-socket, beside a running container."""

import array
import json
import os
import socket
import termios
from pathlib import Path

import pytest

pytestmark = pytest.mark.privileged


@pytest.fixture
def running(runtime):
    runtime.configure("sleep", "1000", change=lambda c: c["root"].update(readonly=False))
    runtime.create("one")
    runtime.works("start", "one")
    return runtime


def test_exec_gives_output_and_exit_status(running) -> None:
    done = running("exec", "one", "sh", "-c", "echo $A; exit 4", "--env", "not-a-flag")
    assert (done.stdout, done.returncode) == ("\n", 4)
    done = running("exec", "-e", "A=b", "-e", "A=c", "--cwd", "/tmp", "--user", "5:6", "one",
                   "sh", "-c", "echo $A $PWD; id -u; id -g")  # fmt: skip
    assert done.stdout.split() == ["c", "/tmp", "5", "6"]


def test_exec_takes_a_process_from_a_file(running, tmp_path: Path) -> None:
    process = {"cwd": "/tmp", "args": ["/bin/sh", "-c", "echo $PWD"], "env": ["PATH=/bin"]}
    path = tmp_path / "process.json"
    path.write_text(json.dumps(process))
    assert running.works("exec", "--process", str(path), "one") == "/tmp\n"


def test_exec_of_what_is_not_there(running) -> None:
    done = running("exec", "one", "nosuch")
    assert (done.returncode, done.stderr) == (
        255,
        "exec failed: unable to start container process: "
        'exec: "nosuch": executable file not found in $PATH\n',
    )


def test_capabilities_are_added_for_one_process(running) -> None:
    def effective(*flags: str) -> int:
        text = running.works("exec", *flags, "one", "cat", "/proc/self/status")
        (line,) = (line for line in text.splitlines() if line.startswith("CapEff"))
        return int(line.split()[1], 16)

    assert effective("--cap", "CAP_NET_ADMIN") ^ effective() == 1 << 12


def test_the_terminal_goes_to_the_console_socket(runtime) -> None:
    runtime.configure("sh", "-c", "tty; exec sleep 1000",
                      change=lambda c: c["process"].update(terminal=True))  # fmt: skip
    refused = runtime("create", "one")
    assert "process.terminal: --console-socket is needed to detach" in refused.stderr
    path = runtime.place / "console.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        runtime.detached("create", "--console-socket", str(path), "one")
        connection, _ = listener.accept()
    with connection:
        name, fds, _, _ = socket.recv_fds(connection, 64, 1)
    assert name == b"/dev/ptmx"
    with open(fds[0], "r+b", buffering=0) as master:
        runtime.works("start", "one")
        assert master.read(64).strip() == b"/dev/pts/0"
        assert os.isatty(master.fileno())
        assert array.array("i", [termios.tcgetattr(master)[1]])[0] & termios.ONLCR


def test_limits_change_while_it_runs(running) -> None:
    group = Path("/sys/fs/cgroup")
    pids = next(p for p in (group / "pids", group) if (p / running.cgroup).exists())
    running.works("update", "--pids-limit", "77", "one")
    assert (pids / running.cgroup / "pids.max").read_text() == "77\n"
    running.works("update", "--resources", "-", "one", input='{"pids": {"limit": 55}}')
    assert (pids / running.cgroup / "pids.max").read_text() == "55\n"
    wrong = running("update", "-r", "-", "one", input='{"pids": {"limit": "many"}}')
    assert "resources.pids.limit" in wrong.stderr


def test_events_count_what_it_uses(running) -> None:
    event = json.loads(running.works("events", "--stats", "one"))
    assert (event["type"], event["id"]) == ("stats", "one")
    assert event["data"]["pids"]["current"] == 1
    assert event["data"]["cpu"]["usage"]["total"] > 0
