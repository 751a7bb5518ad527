"""What keeps logs from harming containers: targets that hang or die, full disks, too much of it."""

import os
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.api import unframe
from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

PATIENCE = 20.0


@pytest.fixture(scope="module")
def _shared() -> Iterator[Engine]:
    with Engine() as engine:
        engine.load("busybox")
        yield engine


@pytest.fixture
def own(_shared: Engine) -> Iterator[Engine]:
    yield _shared
    for row in _shared.api.get("/containers/json", all=1).json():
        _shared.api.remove(row["Id"])


class Listener:
    """A TCP server that reads only when it is told to."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        # Else the kernel takes megabytes on our behalf.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        self._received: dict[socket.socket, bytes] = {}
        self.port = self._socket.getsockname()[1]

    def close(self) -> None:
        for one in (self._socket, *self._received):
            one.close()

    def read_until(self, is_over: Callable[[], bool], what: str) -> None:
        """Read whoever connects."""
        deadline = time.monotonic() + PATIENCE
        while not is_over():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            open_ = [one for one in (self._socket, *self._received) if one.fileno() >= 0]
            for one in select.select(open_, [], [], 0.02)[0]:
                if one is self._socket:
                    self._received[one.accept()[0]] = b""
                elif data := one.recv(1 << 20):
                    self._received[one] += data
                else:
                    one.close()

    def read_line(self, line: str) -> None:
        self.read_until(lambda: line in self.lines(), line)

    def read_to_end(self, shim: int) -> None:
        """Read what the sender of ``shim`` still sends, until both have gone."""

        def over() -> bool:
            return is_gone(shim) and all(one.fileno() < 0 for one in self._received)

        self.read_until(over, "the rest to be sent")

    def lines(self) -> list[str]:
        """What was said in whole lines, in order of the connections."""
        lines = b"".join(self._received.values()).decode().splitlines()
        return [match[1] for line in lines if (match := re.search(r"\]: (.*)$", line))]


@pytest.fixture
def target() -> Iterator[Listener]:
    with closing(Listener()) as made:
        yield made


def to(target: Listener, **options: str) -> dict[str, Any]:
    config = {"syslog-address": f"tcp://127.0.0.1:{target.port}"} | options
    return {"LogConfig": {"Type": "syslog", "Config": config}}


def state(engine: Engine, name: str) -> Any:
    reply = engine.api.get(f"/containers/{name}/logs/state")
    assert reply.status == 200, reply.body
    return reply.json()


def shim_of(engine: Engine, container: str) -> int:
    return int((engine.exec / "c" / container / "shim.pid").read_text().split()[0])


def sender_of(shim: int) -> int:
    """The process that sends a container's output: a child of its shim."""
    children = Path(f"/proc/{shim}/task/{shim}/children").read_text().split()
    names = {int(pid): Path(f"/proc/{pid}/comm").read_text().strip() for pid in children}
    [found] = [pid for pid, name in names.items() if name == "boxship-log"]
    return found


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_a_target_that_hangs_holds_up_output_and_nothing_else(
    own: Engine, target: Listener
) -> None:
    options = to(target)
    # More than the socket's buffers on the way take.
    text = "x" * 8000
    script = f"while :; do echo {text}; done"
    hanging = own.api.create("hanging", Cmd=["sh", "-c", script], HostConfig=options)
    own.api.start(hanging)
    eventually(lambda: state(own, hanging)["Waits"], "the container to wait")
    assert "It waits to write its output" in own.boxship("why", "hanging")
    done = own.api.post("/containers/hanging/exec", {"Cmd": ["true"]})
    assert own.api.post(f"/exec/{done.json()['Id']}/start", {"Detach": True}).status == 200
    shim = shim_of(own, hanging)
    assert own.api.post("/containers/hanging/kill").status == 204
    assert own.api.wait("hanging") == 137
    target.read_to_end(shim)
    logged = own.docker("logs", "hanging").splitlines()
    assert set(logged[:-1]) == {text}
    assert len(logged) < 1500  # 12 MB: what the buffer and the kernel take, and no more
    # All of it, unless this machine is too busy to take it within the time that there is.
    assert len(target.lines()) + state(own, hanging)["Lost"]["Target"] >= len(logged)


def test_without_blocking_the_container_goes_on_and_losses_are_told(
    own: Engine, target: Listener
) -> None:
    options = to(target, mode="non-blocking", **{"max-buffer-size": "64k"})
    name = own.api.create(
        "losing", Cmd=["sh", "-c", "yes 0123456789 | head -c 2000000; echo; read x; echo end"],
        HostConfig=options, OpenStdin=True,
    )  # fmt: skip
    own.api.start(name)
    shim = shim_of(own, name)
    connection, _ = own.api.hijack(f"/containers/{name}/attach", stream=1, stdin=1)
    with closing(connection):
        eventually(lambda: state(own, name)["Lost"]["Buffer"], "losses")
        eventually(
            lambda: own.docker("logs", "-n", "1", name) == "01",
            "all output in the cache",
        )
        assert not state(own, name)["Waits"]
        connection.sendall(b"\n")
    assert own.api.wait(name) == 0
    target.read_to_end(shim)
    lost = state(own, name)["Lost"]
    assert lost["Lines"] >= 1 + 2_000_000 // 11 + 1 - len(target.lines()) > 100_000


def test_a_killed_sender_and_a_killed_daemon_cost_no_line(
    make_engine: Callable[..., Engine], target: Listener
) -> None:
    own = make_engine()
    own.start()
    own.load("busybox")
    script = "echo first; read x; echo second; read x; echo third"
    name = own.api.create("steady", Cmd=["sh", "-c", script], HostConfig=to(target), OpenStdin=True)
    own.api.start(name)
    target.read_line("first")
    shim = shim_of(own, name)
    sender = sender_of(shim)
    os.kill(sender, signal.SIGKILL)
    eventually(lambda: is_gone(sender), "its end")
    own.kill()
    own.start()
    connection, _ = own.api.hijack(f"/containers/{name}/attach", stream=1, stdin=1)
    with closing(connection):
        connection.sendall(b"\n")
        target.read_line("second")
        connection.sendall(b"\n")
        assert own.api.wait(name) == 0
    target.read_to_end(shim)
    said = target.lines()
    assert sorted(set(said), key=said.index) == ["first", "second", "third"]
    assert own.docker("logs", name).splitlines() == ["first", "second", "third"]
    assert state(own, name)["Lost"]["Lines"] == 0


def test_a_target_that_is_down_keeps_a_container_from_starting(
    own: Engine, target: Listener
) -> None:
    target.close()
    name = own.api.create("refused", Cmd=["true"], HostConfig=to(target))
    reply = own.api.post(f"/containers/{name}/start")
    assert reply.status == 500
    assert reply.message.startswith("failed to initialize logging driver: dial tcp ")
    assert own.api.inspect(name)["State"]["Status"] == "created"
    assert not (own.exec / "c" / name).exists()


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_a_full_disk_costs_lines_that_are_counted(own: Engine, driver: str) -> None:
    line = "y" * 99
    script = f"i=0; while [ $i -lt 6000 ]; do echo {line}; i=$((i+1)); done"
    log = {"LogConfig": {"Type": driver, "Config": {"max-size": "10m"}}}
    name = own.api.create("full", Cmd=["sh", "-c", script], HostConfig=log)
    directory = own.data / "containers" / name
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", directory], check=True)
    try:
        own.api.start(name)
        assert own.api.wait(name) == 0
        kept = own.docker("logs", name).splitlines()
        lost = state(own, name)["Lost"]
        assert set(kept) == {line}
        assert lost["Disk"] == lost["Lines"] == 6000 - len(kept)
        assert 0 < lost["Disk"] < 6000
        assert own.api.inspect(name)["LostLogLines"] == lost["Lines"]
        assert lost["Reason"] == "No space left on device"
        told = f"{lost['Lines']} lines did not get into this log: No space left on device"
        assert own.boxship.run("logs", "-n", "0", name).err.strip() == told
        assert f"{lost['Lines']} lines of its output" in own.boxship("why", name)
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


def test_a_log_is_cleared_while_its_container_runs(own: Engine) -> None:
    options = {"LogConfig": {"Type": "json-file", "Config": {"max-size": "2k", "max-file": "5"}}}
    script = "seq 1 100; while read x; do echo $x; done"
    name = own.api.create("clean", Cmd=["sh", "-c", script], HostConfig=options, OpenStdin=True)
    own.api.start(name)
    eventually(lambda: own.api.logs(name).endswith(b"\n100\n"), "its output")
    assert len(state(own, name)["Files"]) > 1
    connection, _ = own.api.hijack(f"/containers/{name}/attach", stream=1, stdin=1)
    query = {"stdout": 1, "follow": 1, "tail": 1}
    with (
        closing(connection),
        own.api.stream("GET", f"/containers/{name}/logs", query=query) as following,
    ):
        assert following.read(8 + len("100\n")).endswith(b"100\n")
        assert own.boxship("logs", "--clear", "clean") == ""
        assert own.api.logs(name) == b""
        assert "LostLogLines" not in own.api.inspect(name)
        assert state(own, name)["Size"] == 0
        connection.sendall(b"after\n")
        assert unframe(following.read(8 + len("after\n"))) == {1: b"after\n"}
        assert own.api.logs(name) == b"after\n"
    refused = own.boxship.run("logs", "--clear", "--tail", "1", "clean")
    assert (refused.code, "--tail" in refused.err) == (125, True)


def test_what_keeps_no_log_can_not_be_cleared(own: Engine) -> None:
    name = own.api.create("none", Cmd=["true"], HostConfig={"LogConfig": {"Type": "none"}})
    reply = own.api.delete(f"/containers/{name}/logs")
    assert (reply.status, "none keeps no log" in reply.message) == (400, True)


def test_over_the_budget_the_oldest_rotated_files_go(make_engine: Callable[..., Engine]) -> None:
    own = make_engine()
    config = own.home / "daemon.json"
    config.write_text("{}")
    own.add_flags(f"--config-file={config}")
    own.start()
    own.load("busybox")
    options = {"LogConfig": {"Type": "json-file", "Config": {"max-size": "8k", "max-file": "20"}}}
    names = []
    for number in range(2):
        names.append(own.api.create(f"b{number}", Cmd=["seq", "1000"], HostConfig=options))
        own.api.start(names[-1])
        assert own.api.wait(names[-1]) == 0
    before = [len(state(own, name)["Files"]) for name in names]
    config.write_text('{"log-budget": "100k"}')
    os.kill(own.pid, signal.SIGHUP)
    eventually(lambda: sum(state(own, name)["Size"] for name in names) <= 100_000, "the budget")
    files = [len(state(own, name)["Files"]) for name in names]
    assert files[0] < before[0]
    assert files[1] == before[1]  # the later one's are younger
    left = own.api.logs(names[0]).split()
    assert left == [b"%d" % n for n in range(1001 - len(left), 1001)]
    events = ("events", "--since=1h", "--until=0s", "--filter=event=log-trim")
    told = eventually(lambda: own.docker(*events, "--format={{.Actor.ID}}"), "the event")
    assert told.splitlines() == [names[0]]
