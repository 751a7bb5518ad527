"""The launcher or a shim is killed: noticed, said, recovered."""

import os
import signal
from collections.abc import Callable

import pytest

from support import residue
from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


@pytest.fixture
def own(make_engine: Callable[..., Engine]) -> Engine:
    engine = make_engine()
    engine.start()
    engine.load("busybox")
    return engine


def launcher(engine: Engine) -> int:
    """The daemon's child that the shims come from."""
    family = residue.descendants(engine.pid)
    (child,) = [pid for pid in family if residue.parent_of(pid) == engine.pid]
    return child


def test_launcher(own: Engine) -> None:
    own.api.start(own.api.create("before", Cmd=["sleep", "1000"]))
    pid = own.api.inspect("before")["State"]["Pid"]
    first = launcher(own)
    os.kill(first, signal.SIGKILL)
    assert own.docker("run", "--rm", "busybox", "echo", "hi") == "hi"
    assert launcher(own) != first
    assert "launcher" in own.log()
    assert own.api.inspect("before")["State"]["Pid"] == pid
    assert own.docker("exec", "before", "echo", "hi") == "hi"
    own.docker("stop", "-t", "0", "before")
    assert own.api.wait("before") == 137


def test_shim(own: Engine) -> None:
    container = own.api.create("orphan", Cmd=["sleep", "1000"])
    own.api.start(container)
    pid = own.api.inspect("orphan")["State"]["Pid"]
    with own.docker.start("wait", "orphan") as waiting:
        os.kill(residue.parent_of(pid), signal.SIGKILL)
        assert waiting.stdout is not None
        assert waiting.stdout.read() == b"137\n"
    state = own.api.inspect("orphan")["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 137)
    assert "shim" in state["Error"]
    assert "shim" in own.log()
    eventually(lambda: not os.path.exists(f"/proc/{pid}"), "the end of its process")
    own.api.start("orphan")
    assert own.docker("exec", "orphan", "echo", "again") == "again"


def test_shim_while_the_daemon_is_away(own: Engine) -> None:
    container = own.api.create("orphan", Cmd=["sleep", "1000"])
    own.api.start(container)
    pid = own.api.inspect("orphan")["State"]["Pid"]
    shim = residue.parent_of(pid)
    own.kill()
    os.kill(shim, signal.SIGKILL)
    own.start()
    state = own.api.inspect("orphan")["State"]
    assert state["Status"] == "exited"
    assert "shim" in state["Error"]
    eventually(lambda: not os.path.exists(f"/proc/{pid}"), "the end of its process")
    own.api.remove("orphan")
    eventually(lambda: not own.remains(), "the removal of all it had")


def test_shim_with_an_attached_client(own: Engine) -> None:
    """The client is not left hanging, and says how the container ended."""
    own.api.start(own.api.create("orphan", Cmd=["cat"], OpenStdin=True))
    pid = own.api.inspect("orphan")["State"]["Pid"]
    with own.docker.start("attach", "orphan") as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(b"hello\n")
        client.stdin.flush()
        assert client.stdout.readline() == b"hello\n"
        os.kill(residue.parent_of(pid), signal.SIGKILL)
        assert client.wait(20) == 137
