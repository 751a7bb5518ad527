"""Sizes of terminals: the container's and its execs'."""

import asyncio
import contextlib
import errno

from boxship.base.errors import ConflictError, InternalError
from boxship.engine.containers.context import Context
from boxship.engine.containers.execs import find
from boxship.engine.containers.live import Container
from boxship.engine.containers.shimlink import ShimGoneError
from boxship.runtime.messages import INIT, Failed, Resize

_PATIENCE_S = 10.0
"""How long a size waits for the process that it is for."""


async def resize(context: Context, container: Container, height: int, width: int) -> None:
    """Set the size of the container's terminal; without a terminal nothing happens."""
    await _resize(container, INIT, height, width)
    size = {"height": str(height), "width": str(width)}
    context.announcer.say(container.record, "resize", size)


async def resize_exec(context: Context, exec_id: str, height: int, width: int) -> None:
    """Set the size of an exec's terminal; soon after its start also before it has one."""
    container, found = find(context, exec_id)
    # The answer to its start goes out ahead of its process: clients then ask at once.
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(found.settled.wait(), _PATIENCE_S)
    if not found.running:
        raise ConflictError(f"exec {exec_id} is not running")
    await _resize(container, found.id, height, width)


async def _resize(container: Container, process: str, height: int, width: int) -> None:
    link = container.shim
    not_running = ConflictError(f"container {container.id} is not running")
    if link is None or not container.record.state.alive:
        raise not_running
    try:
        reply = await link.request(Resize(process=process, height=height, width=width))
    except ShimGoneError:
        raise not_running from None
    # Without a terminal nothing happens, as with Docker: clients tell each process of their size.
    if isinstance(reply, Failed) and reply.errno != errno.ENOTTY:
        raise InternalError(f"cannot set the terminal's size: {reply.message}")
