"""What the engine counts about itself, where it happens; ``engine/metrics`` makes text of it.

Names that begin with ``engine_daemon_`` are those of Docker's daemon, so that what reads it reads
this as well.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from boxship.base.metrics import Counter, Family, Histogram


def _actions(of: str) -> Histogram:
    name = f"engine_daemon_{of}_actions_seconds"
    return Histogram(name, f"Seconds that each action on a {of} took", ("action",))


@dataclass(frozen=True)
class Measures:
    """Of one engine, from its opening on."""

    container_actions: Histogram = field(default_factory=lambda: _actions("container"))
    network_actions: Histogram = field(default_factory=lambda: _actions("network"))
    start_steps: Histogram = field(
        default_factory=lambda: Histogram(
            "boxship_start_step_seconds",
            "Seconds that each step of a container's start took",
            ("step",),
        )
    )
    health_checks: Counter = field(
        default_factory=lambda: Counter(
            "engine_daemon_health_checks_total", "Health checks that were run"
        )
    )
    health_checks_failed: Counter = field(
        default_factory=lambda: Counter(
            "engine_daemon_health_checks_failed_total", "Health checks that failed"
        )
    )
    builds: Counter = field(
        default_factory=lambda: Counter("builder_builds_triggered_total", "Builds that were begun")
    )
    builds_failed: Counter = field(
        default_factory=lambda: Counter("builder_builds_failed_total", "Builds that failed")
    )

    def families(self) -> tuple[Family, ...]:
        """Return all of it."""
        return tuple(instrument.family() for instrument in vars(self).values())


@contextmanager
def timed(histogram: Histogram, action: str) -> Iterator[None]:
    """Observe how long the block takes, if it ends well."""
    begun = time.perf_counter()
    yield
    histogram.observe(time.perf_counter() - begun, action)
