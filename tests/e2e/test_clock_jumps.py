"""A wall clock that jumps, for the daemon and the shims: everything that lasts goes on.

Debian's libfaketime gives them another clock, by a file that says how far it is off; what measures
how long something takes (CLOCK_MONOTONIC) is left as it is, as when somebody sets the clock.
"""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

DAY = 86_400
JUMPS = (30 * DAY, -60 * DAY)


class Jumping:
    """An engine and its clock."""

    def __init__(self, engine: Engine, file: Path) -> None:
        self.engine = engine
        self._file = file
        self.jump(0)

    def jump(self, seconds: int) -> None:
        """Be that much off from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.rename(self._file)
        self.offset = seconds

    def start(self) -> None:
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        self.engine.start(
            "env", f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={self._file}",
            "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1",
        )  # fmt: skip


@pytest.fixture(scope="module")
def jumping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jumping]:
    engine = Engine()
    made = Jumping(engine, tmp_path_factory.mktemp("clock") / "offset")
    made.start()
    try:
        engine.load("busybox")
        yield made
    finally:
        made.jump(0)
        engine.close()


def daemon_time(engine: Engine) -> float:
    """What the daemon takes for now, to the second."""
    text = engine.api.get("/info").json()["SystemTime"]
    return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone


def results(engine: Engine, box: str) -> list[object]:
    return list(engine.api.inspect(box)["State"]["Health"]["Log"])


def only_new(engine: Engine, box: str, seen: list[object]) -> bool:
    now = results(engine, box)
    return bool(now) and not any(one in now for one in seen)


def restarts(engine: Engine, box: str) -> int:
    return int(engine.api.inspect(box)["RestartCount"])


def test_the_clock_is_another(jumping: Jumping) -> None:
    jumping.jump(30 * DAY)
    assert abs(daemon_time(jumping.engine) - time.time() - 30 * DAY) < DAY
    jumping.jump(0)
    assert abs(daemon_time(jumping.engine) - time.time()) < DAY


def test_health_goes_on_being_checked(jumping: Jumping) -> None:
    api = jumping.engine.api
    check = {"Test": ["CMD", "true"], "Interval": 50_000_000}
    box = api.create("well", Cmd=["sleep", "1000000"], Healthcheck=check, StopTimeout=0)
    api.start(box)
    for seconds in JUMPS:
        jumping.jump(seconds)
        seen = results(jumping.engine, box)
        eventually(partial(only_new, jumping.engine, box, seen), "five new results")
        assert api.inspect(box)["State"]["Health"]["Status"] == "healthy"
    api.remove(box)


def test_containers_live_and_end_and_are_shown(jumping: Jumping) -> None:
    api = jumping.engine.api
    box = api.create("lasting", Cmd=["sleep", "1000000"], StopTimeout=0)
    api.start(box)
    for number, seconds in enumerate(JUMPS):
        jumping.jump(seconds)
        (row,) = api.get("/containers/json", filters=json.dumps({"name": ["lasting"]})).json()
        assert row["Status"].startswith("Up ")
        short = api.create(f"short{number}", Cmd=["sh", "-c", "echo out; exit 7"])
        api.start(short)
        assert api.wait(short) == 7
        assert api.logs(short) == b"out\n"
        api.remove(short)
    assert api.post(f"/containers/{box}/restart", t=0).status == 204
    jumping.jump(-DAY)
    assert api.post(f"/containers/{box}/stop", t=0).status == 204
    assert not api.inspect(box)["State"]["Running"]
    jumping.jump(0)
    api.remove(box)


def restarted(engine: Engine, box: str, before: int) -> bool:
    return restarts(engine, box) > before


def test_one_that_fails_is_started_again_and_again(jumping: Jumping) -> None:
    api = jumping.engine.api
    policy = {"RestartPolicy": {"Name": "always"}}
    box = api.create("failing", Cmd=["false"], HostConfig=policy)
    api.start(box)
    for seconds in JUMPS:
        jumping.jump(seconds)
        before = restarts(jumping.engine, box)
        eventually(partial(restarted, jumping.engine, box, before), "a restart")
    api.remove(box)


def test_events_come_whatever_their_time(jumping: Jumping) -> None:
    """Who follows sees all in order of their happening; the past is what its times say."""
    api = jumping.engine.api
    with api.stream("GET", "/events", query={"filters": '{"event":["create"]}'}) as stream:
        for number, seconds in enumerate(JUMPS):
            jumping.jump(seconds)
            box = api.create(f"event{number}")
            event = json.loads(stream.readline())
            assert event["Actor"]["ID"] == box
            assert abs(event["time"] - time.time() - seconds) < DAY
            api.remove(box)
    jumping.jump(0)
    now = int(time.time())
    names = created_within(jumping, now - 61 * DAY, now - 59 * DAY)
    assert "event1" in names
    assert "event0" not in names


def created_within(jumping: Jumping, since: int, until: int) -> set[str]:
    """Names of containers that were created between two times in the past."""
    reply = jumping.engine.api.get(
        "/events", since=since, until=until, filters='{"event":["create"]}'
    )
    return {json.loads(line)["Actor"]["Attributes"]["name"] for line in reply.body.splitlines()}


def test_a_daemon_that_starts_in_the_past_finds_its_containers(
    make_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    engine = make_engine()
    jumping = Jumping(engine, tmp_path / "offset")
    jumping.start()
    engine.load("busybox")
    box = engine.api.create("kept", Cmd=["sleep", "1000000"], StopTimeout=0)
    engine.api.start(box)
    engine.kill()
    jumping.jump(-60 * DAY)
    jumping.start()
    assert engine.api.inspect(box)["State"]["Running"]
    assert engine.api.post(f"/containers/{box}/stop", t=0).status == 204
    jumping.jump(0)
    engine.api.remove(box)
