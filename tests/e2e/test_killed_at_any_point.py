"""The daemon killed at the system calls by which it changes the world, one after the other.

strace counts them while an operation runs, and in later rounds kills the daemon on the n-th. After
each kill a new daemon must find the container whole or gone, and be able to remove all of it.
"""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

CHANGES = (
    "mkdir,mkdirat,rmdir,unlink,unlinkat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,"
    "pwrite64,ftruncate,fsync,fdatasync,mount,umount2,sendmsg,sendto,setxattr,fchmod,chmod"
)
POINTS = int(os.environ.get("BOXSHIP_KILL_POINTS", "10"))  # more: a longer, finer sweep


@pytest.fixture
def own(make_engine: Callable[..., Engine]) -> Engine:
    engine = make_engine()
    engine.start()
    engine.load("busybox")
    return engine


@contextmanager
def traced(engine: Engine, output: Path, *options: str) -> Iterator[None]:
    """strace on every thread of the daemon."""
    command = [
        "strace",
        "-qq",
        "-f",
        "-o",
        str(output),
        "-p",
        str(engine.pid),
        "-e",
        f"trace={CHANGES}",
    ]
    tracer = subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)
    try:
        tasks = Path(f"/proc/{engine.pid}/task")
        eventually(lambda: all(is_traced(task) for task in tasks.iterdir()), "strace")
        yield
    finally:
        tracer.terminate()
        try:
            tracer.wait(2)
        except subprocess.TimeoutExpired:  # it can't let go of what is being killed
            tracer.kill()
            tracer.wait()


def is_traced(task: Path) -> bool:
    return "TracerPid:\t0\n" not in (task / "status").read_text()


def create(engine: Engine) -> None:
    engine.api.create("victim", Cmd=["sleep", "1000"])


def start(engine: Engine) -> None:
    engine.api.start("victim")


def remove(engine: Engine) -> None:
    engine.api.remove("victim")


Operation = Callable[[Engine], None]

BEFORE: Mapping[Operation, list[Operation]] = {create: [], start: [create], remove: [create, start]}


@pytest.mark.parametrize("operation", BEFORE, ids=lambda operation: operation.__name__)
@pytest.mark.timeout(600)
def test_whole_or_gone(own: Engine, tmp_path: Path, operation: Operation) -> None:
    calls = count_calls(own, operation, tmp_path / "trace")
    print(f"{calls} calls")
    clear(own)
    assert calls > 0
    for point in sorted(
        {1 + round(step * (calls - 1) / max(1, POINTS - 1)) for step in range(POINTS)}
    ):
        for earlier in BEFORE[operation]:
            earlier(own)
        kill_at(own, operation, point, tmp_path / "trace")
        own.start()
        check_whole_or_gone(own)
        clear(own)


def count_calls(engine: Engine, operation: Operation, trace: Path) -> int:
    """The most that any one thread makes: strace counts for each of them."""
    for earlier in BEFORE[operation]:
        earlier(engine)
    with traced(engine, trace):
        operation(engine)
    threads = [line.split()[0] for line in trace.read_text().splitlines()]
    return max(threads.count(thread) for thread in set(threads))


def kill_at(engine: Engine, operation: Operation, point: int, trace: Path) -> None:
    """Run the operation with the daemon dying on its `point`-th call, at the latest after it."""

    def attempt() -> None:
        with suppress(OSError, HTTPException, AssertionError):  # no answer, or half of one
            operation(engine)

    with traced(engine, trace, "-e", f"inject={CHANGES}:signal=KILL:when={point}"):
        client = threading.Thread(target=attempt)
        client.start()
        client.join(30)
        assert not client.is_alive(), "the request was neither answered nor broken off"
    engine.kill()


def check_whole_or_gone(engine: Engine) -> None:
    listed = engine.api.get("/containers/json", all=1).json()
    assert len(listed) <= 1
    for one in listed:
        state = engine.api.inspect(one["Id"])["State"]
        assert state["Status"] in {"created", "running", "exited"}
        if state["Running"]:
            assert engine.docker("exec", one["Id"], "echo", "hi") == "hi"
        else:
            engine.api.start(one["Id"])
            assert engine.api.inspect(one["Id"])["State"]["Running"]


def clear(engine: Engine) -> None:
    """Remove what is there; nothing may remain of what is not."""
    for one in engine.api.get("/containers/json", all=1).json():
        engine.api.remove(one["Id"])
    eventually(lambda: len(engine.processes()) == 2, "daemon and launcher to be alone again")
    eventually(lambda: not engine.remains(), "the removal of all it had")
