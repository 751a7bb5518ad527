"""The kernel kills for want of memory: it is said when it happens, once, and kept."""

import json
from typing import Any

import pytest

from support.engine import Engine

pytestmark = pytest.mark.privileged

LIMITED = {"Memory": 16 << 20, "MemorySwap": 16 << 20, "NetworkMode": "none"}
GREEDY = "tail -c 100000000 /dev/zero"


def create(engine: Engine, script: str) -> str:
    return engine.api.create("hungry", Cmd=["sh", "-c", script], HostConfig=LIMITED)


def actions(engine: Engine, container: str) -> list[str]:
    """What has happened to a container that has ended."""
    until = engine.api.get("/info").json()["SystemTime"]
    query = {"since": "0", "until": until, "filters": json.dumps({"container": [container]})}
    said = engine.api.get("/events", **query).body.splitlines()
    wanted = {"start", "oom", "die"}
    return [one["Action"] for one in map(json.loads, said) if one["Action"] in wanted]


def first_event(engine: Engine, container: str, action: str) -> Any:
    filters = json.dumps({"event": [action], "container": [container]})
    with engine.api.stream("GET", "/events", query={"since": "0", "filters": filters}) as stream:
        return json.loads(stream.readline())


def test_a_process_of_one_that_goes_on(engine: Engine) -> None:
    container = create(engine, f"{GREEDY}; trap 'exit 0' TERM; while :; do sleep 0.1; done")
    engine.api.start(container)
    event = first_event(engine, container, "oom")
    assert event["Actor"]["Attributes"]["name"] == "hungry"
    assert engine.api.inspect(container)["State"]["Running"]
    engine.api.post(f"/containers/{container}/stop")
    assert actions(engine, container) == ["start", "oom", "die"]
    assert first_event(engine, container, "oom") == event  # told again to who comes later


def test_the_first_process(engine: Engine) -> None:
    container = create(engine, f"exec {GREEDY}")
    engine.api.start(container)
    assert engine.api.wait(container) == 137
    state = engine.api.inspect(container)["State"]
    assert (state["OOMKilled"], state["ExitCode"]) == (True, 137)
    assert actions(engine, container) == ["start", "oom", "die"]


def test_one_that_had_enough(engine: Engine) -> None:
    container = create(engine, "true")
    engine.api.start(container)
    assert engine.api.wait(container) == 0
    assert engine.api.inspect(container)["State"]["OOMKilled"] is False
    assert actions(engine, container) == ["start", "die"]
