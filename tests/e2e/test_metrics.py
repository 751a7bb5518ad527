"""Metrics of a daemon with containers, as Prometheus' own parser reads them; and debugging."""

import os
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

M = 1 << 20


@pytest.fixture(scope="module")
def measured() -> Iterator[Engine]:
    with Engine("--metrics-addr=127.0.0.1:0", "--debug", "--log-format=json") as engine:
        engine.load("busybox")
        yield engine


def address(engine: Engine) -> str:
    (found,) = re.findall(r"metrics listen on ([\d.:]+)", engine.log())
    return str(found)


def samples(engine: Engine) -> dict[str, list[tuple[dict[str, str], float]]]:
    with urllib.request.urlopen(f"http://{address(engine)}/metrics") as answer:
        text = answer.read().decode()
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def value(engine: Engine, name: str, **labels: str) -> float:
    (number,) = (n for have, n in samples(engine).get(name, []) if labels.items() <= have.items())
    return number


def test_containers_are_measured_while_they_run(measured: Engine) -> None:
    idle = measured.api.create("idle", Cmd=["true"])
    name = measured.api.create(
        "worker", Cmd=["sh", "-c", "head -c 20000000 /dev/zero | md5sum; sleep 1000"],
        HostConfig={"Memory": 64 * M},
    )  # fmt: skip
    measured.api.start(name)
    eventually(lambda: measured.api.get("/containers/worker/logs", stdout=1).body, "its sum")
    labels = {"id": name, "name": "worker", "image": "busybox"}
    found = samples(measured)
    assert [have for have, _ in found["container_cpu_usage_seconds_total"]] == [labels]
    assert found["container_cpu_usage_seconds_total"][0][1] > 0
    assert found["container_spec_memory_limit_bytes"] == [(labels, 64 * M)]
    assert 0 < found["container_memory_usage_bytes"][0][1] < 64 * M
    assert found["container_start_time_seconds"][0][1] > 1.7e9
    states = {have["state"]: n for have, n in found["engine_daemon_container_states_containers"]}
    assert states == {"running": 1, "paused": 0, "stopped": 1}
    measured.api.remove(name, force=True)
    measured.api.remove(idle)
    assert "container_cpu_usage_seconds_total" not in samples(measured)


def test_starts_are_measured_step_by_step(measured: Engine) -> None:
    def step_counts() -> dict[str, float]:
        found = samples(measured).get("boxship_start_step_seconds_count", [])
        return {labels["step"]: number for labels, number in found}

    actions = "engine_daemon_container_actions_seconds_count"
    before = step_counts()
    name = measured.api.create("once", Cmd=["true"])
    measured.api.start(name)
    measured.api.post(f"/containers/{name}/wait")
    after = step_counts()
    grown = {step for step, number in after.items() if number > before.get(step, 0)}
    assert len(grown) >= 5  # the shim's steps; their names are those of `run --trace`
    measured.api.remove(name)
    for action in ("create", "start", "delete"):
        assert value(measured, actions, action=action) >= 1


def test_nothing_else_is_served_there(measured: Engine) -> None:
    for path in ("/_ping", "/containers/json", "/v1.44/metrics", "/metrics/"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://{address(measured)}{path}")
    assert b"process_resident_memory_bytes" in measured.api.get("/metrics").body


def test_a_look_into_the_daemon(measured: Engine) -> None:
    assert b"/debug/stacks" in measured.api.get("/debug").body
    found = measured.api.get("/debug/vars").json()
    assert found["Pid"] == measured.pid
    assert found["ResidentBytes"] > 10 * M
    assert "MainThread" in found["Threads"]
    assert b"thread MainThread:" in measured.api.get("/debug/stacks").body
    profile = measured.api.get("/debug/profile", seconds=1).body.decode()
    stacks = [line.rpartition(" ") for line in profile.splitlines()]
    assert all(count.isdecimal() for _, _, count in stacks)
    assert any(stack.startswith("MainThread;") for stack, _, _ in stacks)
    assert measured.api.get("/debug/profile", seconds=0).status == 400


def test_a_signal_has_the_stacks_written(measured: Engine) -> None:
    os.kill(measured.pid, signal.SIGUSR1)
    written = re.compile(r"stacks written to ([^\s\"]+)")
    (path,) = eventually(lambda: written.findall(measured.log()), "a file")
    with open(path) as file:
        assert "thread MainThread:" in file.read()


def test_an_address_that_is_none_is_refused(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine("--metrics-addr=nowhere")
    engine.launch()
    assert engine.wait() == 1
    assert "invalid metrics-addr: nowhere" in engine.log()
