"""Wait for a container's end."""

import asyncio

from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.requests import WaitCondition, Waiting, WaitOutcome


def register(context: Context, container: Container, condition: WaitCondition) -> Waiting:
    """Return the outcome to come. ``not-running`` of one that doesn't run is there at once."""
    state = container.record.state
    if condition is WaitCondition.NOT_RUNNING and not state.running:
        outcome: Waiting = asyncio.get_running_loop().create_future()
        outcome.set_result(WaitOutcome(state.exit_code))
        return outcome
    return container.waiters.add(condition)
