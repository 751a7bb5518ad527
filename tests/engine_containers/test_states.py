"""Which steps a container may take, and what the restart policies decide."""

import itertools

import msgspec
import pytest

from boxship.base.errors import InternalError
from boxship.engine.containers import policy, states
from boxship.engine.containers.health.state import Health, HealthStatus, not_probed
from boxship.engine.containers.policy import Verdict
from boxship.engine.containers.record import (
    ContainerRecord,
    ContainerState,
    Status,
    decode_record,
    encode_record,
)
from boxship.model.container import ContainerConfig, HostConfig, RestartPolicy

SECOND = 10**9


def record(**state: object) -> ContainerRecord:
    return ContainerRecord(
        id="a" * 64,
        name="web",
        created_ns=1,
        image_id="sha256:" + "b" * 64,
        path="true",
        args=(),
        config=ContainerConfig(),
        host=HostConfig(),
        state=msgspec.convert(state, ContainerState),
    )


def with_policy(name: str, most: int = 0, **state: object) -> ContainerRecord:
    host = HostConfig(restart_policy=RestartPolicy(name, most))
    return msgspec.structs.replace(record(**state), host=host)


def test_a_life_goes_through_the_table() -> None:
    at = record()
    at = states.step(at, states.started(at.state, 42, 5))
    assert (at.status, at.state.pid, at.state.running) == (Status.RUNNING, 42, True)
    at = states.step(at, states.with_status(at.state, Status.PAUSED))
    assert at.state.running and at.state.paused
    at = states.step(at, states.ended(at.state, exit_code=137, finished_ns=9))
    assert (at.status, at.state.pid, at.state.exit_code) == (Status.EXITED, 0, 137)
    at = states.step(at, states.with_status(at.state, Status.REMOVING))
    assert not at.state.running


def test_steps_outside_the_table_are_defects() -> None:
    for before, after in itertools.product(Status, Status):
        at, then = record(status=before), ContainerState(status=after)
        if after in states.ALLOWED[before]:
            assert states.step(at, then).status is after
        else:
            with pytest.raises(InternalError, match="no step leads"):
                states.step(at, then)


def test_nothing_leads_back_from_removing_to_life() -> None:
    reachable, frontier = set(), {Status.REMOVING}
    while frontier:
        reachable |= frontier
        frontier = set().union(*(states.ALLOWED[s] for s in frontier)) - reachable
    assert reachable == {Status.REMOVING, Status.DEAD}


def test_a_refused_start_leaves_a_new_container_created() -> None:
    state = states.refused(ContainerState(), 127, "no such command")
    assert (state.status, state.exit_code, state.error) == (Status.CREATED, 127, "no such command")
    again = states.refused(ContainerState(status=Status.EXITED), 126, "x")
    assert again.status is Status.EXITED


def test_starting_forgets_the_run_before() -> None:
    before = ContainerState(
        status=Status.EXITED, exit_code=3, error="x", oom_killed=True, stopped_by_user=True
    )
    after = states.started(before, 7, 8)
    assert (after.exit_code, after.error, after.oom_killed, after.stopped_by_user) == (
        0, "", False, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "most", "count", "exit_code", "verdict"),
    [
        ("no", 0, 0, 1, Verdict.NO_POLICY),
        ("", 0, 0, 1, Verdict.NO_POLICY),
        ("always", 0, 50, 0, Verdict.AGAIN),
        ("unless-stopped", 0, 0, 0, Verdict.AGAIN),
        ("on-failure", 0, 99, 1, Verdict.AGAIN),
        ("on-failure", 0, 0, 0, Verdict.SUCCEEDED),
        ("on-failure", 3, 2, 1, Verdict.AGAIN),
        ("on-unhealthy", 0, 99, 1, Verdict.AGAIN),
        ("on-unhealthy", 0, 0, 0, Verdict.SUCCEEDED),
        ("on-unhealthy", 3, 3, 1, Verdict.USED_UP),
        ("on-failure", 3, 3, 1, Verdict.USED_UP),
    ],
)
def test_policies(name: str, most: int, count: int, exit_code: int, verdict: Verdict) -> None:
    record = with_policy(name, most, restart_count=count)
    assert policy.decide(record, exit_code) is verdict
    assert policy.decide(record, exit_code, held=True) is Verdict.HELD


def test_who_is_ended_for_being_unhealthy_is_started_again() -> None:
    condemned = Health(status=HealthStatus.UNHEALTHY, condemned=True)
    well = not_probed(condemned)
    assert policy.decide(with_policy("on-unhealthy", health=condemned), 0) is Verdict.AGAIN
    assert policy.decide(with_policy("on-unhealthy", health=well), 0) is Verdict.SUCCEEDED
    assert policy.ends_unhealthy(with_policy("on-unhealthy", 2, restart_count=1))
    assert not policy.ends_unhealthy(with_policy("on-unhealthy", 2, restart_count=2))
    assert not policy.ends_unhealthy(with_policy("always"))


@pytest.mark.parametrize("name", ["always", "unless-stopped", "on-failure", "on-unhealthy"])
def test_what_a_person_stopped_stays_stopped(name: str) -> None:
    assert policy.decide(with_policy(name, stopped_by_user=True), 1) is Verdict.STOPPED


def test_only_always_starts_with_the_daemon_what_a_person_stopped() -> None:
    stopped = {"status": Status.EXITED, "stopped_by_user": True}
    assert policy.wanted_at_startup(with_policy("always", **stopped))
    assert not policy.wanted_at_startup(with_policy("unless-stopped", **stopped))
    assert policy.wanted_at_startup(with_policy("unless-stopped", status=Status.EXITED))
    assert not policy.wanted_at_startup(with_policy("no", status=Status.EXITED))
    assert not policy.wanted_at_startup(with_policy("always", status=Status.CREATED))


def test_pauses_double_up_to_a_minute_and_begin_anew_after_a_long_run() -> None:
    pauses, pause = [], 0.0
    for _ in range(12):
        pause = policy.pause_after(pause, SECOND)
        pauses.append(pause)
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert pauses[-1] == 60.0
    assert policy.pause_after(60.0, 11 * SECOND) == 0.1


def test_records_survive_encoding() -> None:
    original = record(status=Status.EXITED, exit_code=3, error="é")
    assert decode_record(encode_record(original)) == original


def test_records_of_an_older_version_get_defaults() -> None:
    old = (
        b'{"id":"x","name":"n","created_ns":1,"image_id":"","path":"sh","args":[],'
        b'"config":{},"host":{}}'
    )
    assert decode_record(old).state == ContainerState()
