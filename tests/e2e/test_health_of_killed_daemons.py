"""Health checks of containers whose daemon is killed in the middle of a probe."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support import residue
from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

SECOND = 10**9


def test_a_hanging_probe_ends_with_the_next_daemon(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    engine.start()
    engine.load("busybox")
    test = ["CMD-SHELL", "setsid sleep 1234 & sleep 1234"]
    check = {"Test": test, "Interval": SECOND // 10, "Timeout": 3600 * SECOND}
    container = engine.api.create("ill", Cmd=["sleep", "1000"], Healthcheck=check)
    engine.api.start(container)
    execed = engine.api.post("/containers/ill/exec", {"Cmd": ["sleep", "4321"]}).json()["Id"]
    assert engine.api.post(f"/exec/{execed}/start", {"Detach": True}).status == 200
    first = eventually(lambda: probes(engine), "a probe that hangs")
    engine.kill()
    assert first <= probes(engine)
    engine.start()
    eventually(lambda: not first & probes(engine), "the end of the probe that was left")
    # It goes on: the next probe hangs of its own, and nobody else's exec was taken along.
    eventually(lambda: probes(engine), "the next daemon's probe")
    assert engine.api.get(f"/exec/{execed}/json").json()["Running"]


def probes(engine: Engine) -> set[str]:
    """Each process of a probe, by number and start."""
    return {
        f"{pid} {started(pid)}"
        for pid in engine.inhabitants()
        if residue.title(pid).endswith("sleep 1234") and not residue.title(pid).startswith("sh")
    }


def started(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
