"""Probe a container again and again while it runs.

Between two probes there is one timer of the event loop and nothing else. The next probe is due an
interval after the end of the last, so that there are never two of one container at once; a little
jitter keeps hundreds from being due together. What is paused is not probed.

The results are in memory, in the record that is shown; written down is only a change of status.
"""

import asyncio
import random

import msgspec

from boxship.base.errors import BoxshipError, NotFoundError
from boxship.base.moments import duration_text
from boxship.engine.containers import execprobe, policy
from boxship.engine.containers.context import Context
from boxship.engine.containers.facts import MOST_OUTPUT, Fact
from boxship.engine.containers.health import native
from boxship.engine.containers.health import state as states
from boxship.engine.containers.health.settings import Command, HealthCheck, health_check
from boxship.engine.containers.health.state import Health, HealthStatus, ProbeResult
from boxship.engine.containers.live import Container, locked
from boxship.engine.containers.record import ContainerRecord, Status

_NS = 10**9
_JITTER = 0.05
_MOST_JITTER = 0.5


class Monitor:
    """Probes one run of one container; :meth:`stop` it when the run ends."""

    def __init__(self, context: Context, container: Container, check: HealthCheck) -> None:
        self._context = context
        self._container = container
        self._check = check
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def arm(self, *, spread: bool = False) -> None:
        """Have it probed after the interval; with ``spread`` anywhere in the interval."""
        seconds = self._interval_ns() / _NS
        if spread:
            seconds *= random.random()
        else:
            seconds += min(seconds * _JITTER, _MOST_JITTER) * random.random()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._due)

    def stop(self) -> None:
        """Probe no more; a probe under way counts for nothing."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _interval_ns(self) -> int:
        check, state = self._check, self._container.record.state
        starting = state.health is not None and state.health.status is HealthStatus.STARTING
        age_ns = self._context.clock.now_ns() - state.started_ns
        if starting and age_ns < check.start_period_ns:
            return check.start_interval_ns
        return check.interval_ns

    def _due(self) -> None:
        self._timer = None
        if self._stopped or self._context.background.closed:
            return
        if self._container.record.status is not Status.RUNNING:
            self.arm()
            return
        self._task = self._context.background.spawn(self._probe())

    async def _probe(self) -> None:
        start_ns = self._context.clock.now_ns()
        exit_code, output = await self._measure()
        self._context.measures.health_checks.add()
        if exit_code:
            self._context.measures.health_checks_failed.add()
        result = ProbeResult(start_ns, self._context.clock.now_ns(), exit_code, output)
        try:
            async with locked(self._container):
                if not self._stopped and self._container.record.status is Status.RUNNING:
                    self._take_in(result)
        except NotFoundError:
            return
        self._task = None
        if not self._stopped:
            self.arm()

    async def _measure(self) -> tuple[int, str]:
        check = self._check
        try:
            async with asyncio.timeout(check.timeout_ns / _NS):
                if isinstance(check.probe, Command):
                    words = check.probe.words
                    code, output = await execprobe.run(self._context, self._container, words)
                    return code, states.limited(output)
                pid = self._container.record.state.pid
                return await native.run(pid, check.probe)
        except TimeoutError:
            patience = duration_text(check.timeout_ns)
            return states.TIMED_OUT, f"Health check exceeded timeout ({patience})"
        except (BoxshipError, OSError) as error:
            return states.TIMED_OUT, str(error)

    def _take_in(self, result: ProbeResult) -> None:
        """Make the result known; the lock is held."""
        context, container = self._context, self._container
        record, check = container.record, self._check
        before = record.state.health or Health()
        forgiven = result.start_ns - record.state.started_ns < check.start_period_ns
        health = states.after(before, result, retries=check.retries, forgiven=forgiven)
        if health.status is before.status:
            container.record = _with(record, health)
            return
        condemned = policy.ends_unhealthy(record) and health.status is HealthStatus.UNHEALTHY
        health = msgspec.structs.replace(health, condemned=condemned)
        action = f"health_status: {health.status}"
        fact = Fact(exit_code=result.exit_code, output=result.output[:MOST_OUTPUT])
        context.shelf.save(container, _with(record, health), action, fact)
        context.announcer.say(container.record, action)
        if condemned:
            context.end_unhealthy(context, container)


def begin(context: Context, container: Container, *, recovered: bool = False) -> None:
    """A run has begun, or a new daemon goes on with one; the lock is held."""
    check = health_check(container.record.config)
    if check is None:
        return
    health = container.record.state.health
    if health is None or not recovered:
        container.record = _with(container.record, states.begun(health))
    end(container)
    container.monitor = Monitor(context, container, check)
    container.monitor.arm(spread=recovered)
    if recovered and health is not None and health.condemned:
        context.end_unhealthy(context, container)


def end(container: Container) -> None:
    """The run is over, or the daemon goes."""
    monitor, container.monitor = container.monitor, None
    if monitor is not None:
        monitor.stop()


def _with(record: ContainerRecord, health: Health) -> ContainerRecord:
    return record.with_state(msgspec.structs.replace(record.state, health=health))
