"""The daemon is killed with containers running; they go on, and a new daemon takes them over."""

import json
import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support.api import unframe
from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

COUNT = "i=0; while :; do echo $i; i=$((i+1)); done"
WAIT_FOR_FLAG = "while [ ! -e /flags/go ]; do sleep 0.05; done; exit 9"
UNLIMITED = {"Type": "json-file", "Config": {"max-size": "-1"}}


@pytest.fixture
def own(make_engine: Callable[..., Engine]) -> Engine:
    engine = make_engine()
    engine.start()
    engine.load("busybox")
    return engine


def host_pid(engine: Engine, name: str) -> int:
    return int(engine.api.inspect(name)["State"]["Pid"])


def alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def log_size(engine: Engine, container: str) -> int:
    return (engine.data / "containers" / container / f"{container}-json.log").stat().st_size


def moment(state: Any) -> datetime:
    return datetime.fromisoformat(state["FinishedAt"][:26] + "+00:00")


def test_twenty_containers_outlive_the_daemon(own: Engine, tmp_path: Path) -> None:
    api = own.api
    idle = [f"idle-{number}" for number in range(17)]
    for name in idle:
        api.start(api.create(name, Cmd=["sleep", "1000"]))
    attached = api.create("attached", Cmd=["cat"], OpenStdin=True)
    connection, _ = api.hijack(f"/containers/{attached}/attach", stream=1, stdin=1, stdout=1)
    api.start(attached)
    counter = api.create("counter", Cmd=["sh", "-c", COUNT], HostConfig={"LogConfig": UNLIMITED})
    api.start(counter)
    ending = api.create(
        "ending",
        Cmd=["sh", "-c", WAIT_FOR_FLAG],
        HostConfig={"Binds": [f"{tmp_path}:/flags"]},
    )
    api.start(ending)
    names = [*idle, "attached", "counter"]
    pids = {name: host_pid(own, name) for name in names}
    ending_pid = host_pid(own, "ending")

    own.kill()
    killed = datetime.now(UTC)

    with connection:
        connection.sendall(b"anybody there?\n")
        assert unframe(connection.recv(100)) == {1: b"anybody there?\n"}
        before = log_size(own, counter)
        eventually(lambda: log_size(own, counter) > before, "the log to grow without a daemon")
        (tmp_path / "go").touch()
        eventually(lambda: not alive(ending_pid), "one to end without a daemon")
        told = own.exec / "c" / ending / "exit.json"
        eventually(told.exists, "its shim to write down the end")
        ended = datetime.now(UTC)
        assert all(alive(pid) for pid in pids.values())

        own.start()

        assert {name: host_pid(own, name) for name in names} == pids
        state = api.inspect("ending")["State"]
        assert (state["Status"], state["ExitCode"]) == ("exited", 9)
        assert killed <= moment(state) <= ended
        assert api.wait("ending") == 9
        connection.sendall(b"still?\n")
        assert unframe(connection.recv(100)) == {1: b"still?\n"}

    check_everything_works(own, counter)
    for name in idle[1:]:
        assert api.inspect(name)["State"]["Running"]


def check_everything_works(engine: Engine, counter: str) -> None:
    """Attach, follow, exec, stop and wait on containers of a daemon that is gone."""
    api, docker = engine.api, engine.docker
    with docker.start("attach", "attached") as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(b"to the new daemon\n")
        client.stdin.flush()
        assert client.stdout.readline() == b"to the new daemon\n"
        client.kill()
    with docker.start("logs", "-f", "--tail", "1", "counter") as follower:
        assert follower.stdout is not None
        first = int(follower.stdout.readline())
        assert int(follower.stdout.readline()) == first + 1
        follower.kill()
    assert docker("exec", "idle-0", "echo", "hi") == "hi"
    docker("stop", "-t", "0", "idle-0")
    assert docker("wait", "idle-0") == "137"
    docker("stop", "-t", "0", "counter")
    printed = api.logs(counter).split(b"\n")
    whole = [int(line) for line in printed[:-1]]
    assert whole == list(range(len(whole))), "every line once, in order"


def test_a_waiting_stop_is_not_forgotten(own: Engine) -> None:
    """Killed within `stop`, the next daemon still knows the container and can stop it."""
    deaf = own.api.create("deaf", Cmd=["sleep", "1000"])
    own.api.start(deaf)
    with own.docker.start("stop", "-t", "60", "deaf") as client:
        time.sleep(0.2)  # within the minute; any moment will do
        own.kill()
        client.wait(20)
    own.start()
    assert own.docker("stop", "-t", "0", "deaf") == "deaf"
    assert own.api.inspect(deaf)["State"]["ExitCode"] == 137


def test_execs_and_terminals_go_on(own: Engine) -> None:
    """Typed into before, between and after two daemons."""
    shell = own.api.create("shell", Cmd=["sh"], Tty=True, OpenStdin=True)
    main, _ = own.api.hijack(f"/containers/{shell}/attach", stream=1, stdin=1, stdout=1)
    own.api.start(shell)
    config = {"Cmd": ["sh"], "AttachStdin": True, "AttachStdout": True, "Tty": True}
    execution = own.api.post(f"/containers/{shell}/exec", config).json()["Id"]
    second, _ = own.api.hijack(f"/exec/{execution}/start", {"Tty": True})
    with main, second:
        for shell_input in (main, second):
            assert calculates(shell_input, 6 * 7)
        own.kill()
        for shell_input in (main, second):
            assert calculates(shell_input, 6 * 8)
        own.start()
        for shell_input in (main, second):
            assert calculates(shell_input, 6 * 9)
        main.sendall(b"exit 3\n")
    assert own.api.wait(shell) == 3


def calculates(terminal: socket.socket, product: int) -> bool:
    """Whether a shell answers there."""
    terminal.sendall(b"echo $((6 * %d))\n" % (product // 6))
    seen = b""
    while b"%d\r\n" % product not in seen:
        chunk = terminal.recv(4096)
        if not chunk:
            return False
        seen += chunk
    return True


def test_killed_again_and_again(own: Engine) -> None:
    container = own.api.create("steady", Cmd=["sleep", "1000"])
    own.api.start(container)
    pid = host_pid(own, "steady")
    for _ in range(3):
        own.kill()
        own.start()
        assert host_pid(own, "steady") == pid
    assert own.docker("exec", "steady", "echo", "hi") == "hi"


def test_a_removed_on_exit_container_goes_while_nobody_looks(own: Engine, tmp_path: Path) -> None:
    config = {"AutoRemove": True, "Binds": [f"{tmp_path}:/flags"]}
    brief = own.api.create("brief", Cmd=["sh", "-c", WAIT_FOR_FLAG], HostConfig=config)
    own.api.start(brief)
    pid = host_pid(own, "brief")
    own.kill()
    (tmp_path / "go").touch()
    eventually(lambda: not alive(pid), "its end")
    own.start()
    eventually(lambda: own.api.get("/containers/json", all=1).json() == [], "its removal")
    eventually(lambda: not own.remains(), "the removal of all it had")


def test_log_lines_are_whole_after_a_kill(own: Engine) -> None:
    """The shim writes the log; the daemon's death tears no line of the file."""
    counter = own.api.create(
        "counter", Cmd=["sh", "-c", COUNT], HostConfig={"LogConfig": UNLIMITED}
    )
    own.api.start(counter)
    own.kill()
    own.start()
    own.docker("kill", "counter")
    own.api.wait(counter)
    log = own.data / "containers" / counter / f"{counter}-json.log"
    numbers = [int(json.loads(line)["log"]) for line in log.read_text().splitlines()]
    assert numbers == list(range(len(numbers)))
