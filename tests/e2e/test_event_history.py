"""``events --since`` and ``--until`` know what happened under daemons before this one."""

import json
import time
from collections.abc import Callable

import pytest

from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


def test_events_of_before_a_restart_and_a_kill(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    engine.start()
    engine.load("busybox")
    before = time.time()
    engine.api.create("one", Cmd=["true"])
    assert engine.stop() == 0
    engine.start()
    middle = time.time()
    engine.api.create("two", Cmd=["true"], Labels={"colour": "red"})
    files = engine.data / "events"
    eventually(lambda: any(b'"two"' in f.read_bytes() for f in files.iterdir()), "it to be kept")
    engine.kill()
    engine.start()
    engine.api.create("three", Cmd=["true"])
    now = f"{time.time():.9f}"

    def names(*arguments: str) -> list[str]:
        said = engine.docker("events", "--format={{json .}}", *arguments)
        events = [json.loads(line) for line in said.splitlines()]
        assert events == sorted(events, key=lambda event: int(event["timeNano"]))
        created = [e for e in events if e["Action"] == "create" and e["Type"] == "container"]
        return [str(event["Actor"]["Attributes"]["name"]) for event in created]

    since = f"--since={before:.9f}"
    assert names(since, f"--until={now}") == ["one", "two", "three"]
    assert names("--since=10m", f"--until={now}") == ["one", "two", "three"]
    assert names(f"--until={middle:.9f}") == ["one"]
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(before)) + "Z"
    assert names(f"--since={stamp}", f"--until={middle:.9f}") == ["one"]
    assert names(f"--since={middle:.9f}", f"--until={now}") == ["two", "three"]
    assert names(since, f"--until={now}", "--filter=label=colour=red", "-fcontainer=tw") == ["two"]
    assert names(since, f"--until={now}", "--filter", "event=destroy") == []
