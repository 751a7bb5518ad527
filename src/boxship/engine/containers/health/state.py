"""What the results of a container's probes make of its health; pure.

::

                    success                     success
       STARTING ───────────────► HEALTHY ◄─────────────── UNHEALTHY
          │                         │                        ▲
          └── `retries` failures ───┴── in a row ────────────┘

Failures within the start period count only once it has been healthy. A container that isn't probed
any more, because it has ended or was paused, counts as unhealthy, as with Docker.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

KEPT_RESULTS = 5
MOST_OUTPUT = 4096
"""Bytes kept of what a probe says."""
TIMED_OUT = -1
"""The exit code of a probe that took too long, or could not be run at all."""


class HealthStatus(StrEnum):
    """Docker's words; a container without health check has none of them."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class ProbeResult(Struct, frozen=True):
    """One probe; 0 is success. Times are nanoseconds since the epoch."""

    start_ns: int
    end_ns: int
    exit_code: int
    output: str = ""


class Health(Struct, frozen=True):
    """Where a container stands, with its last results, the oldest first."""

    status: HealthStatus = HealthStatus.STARTING
    failing_streak: int = 0
    log: tuple[ProbeResult, ...] = ()
    condemned: bool = False
    """It is being ended because it is unhealthy, and its restart policy starts it again."""


def begun(before: Health | None) -> Health:
    """A run begins; the results of earlier runs can still be looked at."""
    return Health(log=before.log if before is not None else ())


def not_probed(health: Health | None) -> Health | None:
    """It has ended, or was paused."""
    if health is None:
        return None
    return replace(health, status=HealthStatus.UNHEALTHY, condemned=False)


def after(health: Health, result: ProbeResult, *, retries: int, forgiven: bool) -> Health:
    """Take in a result. ``forgiven``: the probe began within the start period."""
    log = (*health.log, result)[-KEPT_RESULTS:]
    if result.exit_code == 0:
        return replace(health, status=HealthStatus.HEALTHY, failing_streak=0, log=log)
    if forgiven and health.status is HealthStatus.STARTING:
        return replace(health, log=log)
    streak = health.failing_streak + 1
    status = HealthStatus.UNHEALTHY if streak >= retries else health.status
    return replace(health, status=status, failing_streak=streak, log=log)


def limited(output: bytes) -> str:
    """Return the beginning of an output, marked if it is not all of it."""
    text = output[:MOST_OUTPUT].decode("utf-8", "replace")
    return f"{text}..." if len(output) > MOST_OUTPUT else text
