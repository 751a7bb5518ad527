"""The daemon killed at the system calls by which it changes the world, one after the other.

strace counts them while an operation runs, and in later rounds kills the daemon on the n-th. After
each kill a new daemon must find the container whole or gone, and be able to remove all of it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from support.engine import Engine
from support.tracing import Operation, count_calls, how_many, kill_at, points
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

POINTS = how_many(10)


@pytest.fixture
def own(make_engine: Callable[..., Engine]) -> Engine:
    engine = make_engine()
    engine.start()
    engine.load("busybox")
    return engine


def create(engine: Engine) -> None:
    engine.api.create("victim", Cmd=["sleep", "1000"])


def start(engine: Engine) -> None:
    engine.api.start("victim")


def remove(engine: Engine) -> None:
    engine.api.remove("victim")


BEFORE: Mapping[Operation, list[Operation]] = {create: [], start: [create], remove: [create, start]}


@pytest.mark.parametrize("operation", BEFORE, ids=lambda operation: operation.__name__)
@pytest.mark.timeout(600)
def test_whole_or_gone(own: Engine, tmp_path: Path, operation: Operation) -> None:
    for earlier in BEFORE[operation]:
        earlier(own)
    calls = count_calls(own, operation, tmp_path / "trace")
    print(f"{calls} calls")
    clear(own)
    assert calls > 0
    for point in points(calls, POINTS):
        for earlier in BEFORE[operation]:
            earlier(own)
        kill_at(own, operation, point, tmp_path / "trace")
        own.start()
        check_whole_or_gone(own)
        clear(own)


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
