"""Restart policies: whether a container that ended is started again, and when; pure.

The pause before the next start doubles from 100 ms up to a minute, and begins anew once a run has
lasted ten seconds, so that a container that fails at once costs little.
"""

from enum import StrEnum

from boxship.engine.containers.record import ContainerRecord, Status

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 60.0
LONG_RUN_NS = 10 * 10**9


class Verdict(StrEnum):
    """What becomes of a container that has ended, and why."""

    AGAIN = "again"
    NO_POLICY = "no-policy"
    STOPPED = "stopped"
    """A person wanted it to end."""
    HELD = "held"
    """Whoever ended it says what comes next: a restart, a removal, the daemon that goes."""
    SUCCEEDED = "succeeded"
    USED_UP = "used-up"


def decide(record: ContainerRecord, exit_code: int, *, held: bool = False) -> Verdict:
    """Say whether the policy starts it again after this end."""
    policy, state = record.host.restart_policy, record.state
    if held:
        return Verdict.HELD
    if state.stopped_by_user:
        return Verdict.STOPPED
    if policy.name in ("always", "unless-stopped"):
        return Verdict.AGAIN
    if policy.name not in ("on-failure", "on-unhealthy"):
        return Verdict.NO_POLICY
    if exit_code == 0 and not (state.health is not None and state.health.condemned):
        return Verdict.SUCCEEDED
    most = policy.maximum_retry_count
    return Verdict.AGAIN if most == 0 or state.restart_count < most else Verdict.USED_UP


def ends_unhealthy(record: ContainerRecord) -> bool:
    """Tell whether it is to be ended when it becomes unhealthy, to be started again.

    After as many starts as ``on-unhealthy:n`` allows it goes on as it is.
    """
    policy, state = record.host.restart_policy, record.state
    most = policy.maximum_retry_count
    return policy.name == "on-unhealthy" and (most == 0 or state.restart_count < most)


def wanted_at_startup(record: ContainerRecord) -> bool:
    """Tell whether a daemon that comes up starts a container that doesn't run.

    ``always`` means even one that a person stopped; the others only what the machine took down.
    """
    policy, state = record.host.restart_policy, record.state
    if state.status is Status.CREATED:
        return False
    if policy.name == "always":
        return True
    if policy.name == "unless-stopped":
        return not state.stopped_by_user
    return policy.name in ("on-failure", "on-unhealthy") and state.status is Status.RESTARTING


def time_left(record: ContainerRecord, now_ns: int) -> float:
    """Return the seconds until its next start: all of the pause, if the clock has been set."""
    state = record.state
    gone = (now_ns - state.finished_ns) / 10**9
    return state.pause - gone if 0 <= gone <= state.pause else 0.0 if gone > 0 else state.pause


def pause_after(previous: float, run_ns: int) -> float:
    """Return the seconds to wait before the next start."""
    if previous == 0 or run_ns >= LONG_RUN_NS:
        return FIRST_PAUSE
    return min(previous * 2, LONGEST_PAUSE)
