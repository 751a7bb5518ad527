"""Probe by a command in the container: an exec like any other, with its output kept.

Docker's events come with it: exec_create, exec_start, exec_die. A probe that takes too long is
killed with all it has started, and so is one that a killed daemon has left: its id tells.
"""

import asyncio
import contextlib
import hashlib
import logging
import socket
from signal import SIGKILL

from boxship.base.errors import BoxshipError
from boxship.base.ids import new_id
from boxship.engine.containers import execs
from boxship.engine.containers.context import Context
from boxship.engine.containers.family import kill_family
from boxship.engine.containers.health.state import MOST_OUTPUT
from boxship.engine.containers.live import Container, Exec
from boxship.engine.containers.requests import DetachedStream, ExecConfig
from boxship.runtime.messages import Signal

_log = logging.getLogger(__name__)
_CHUNK = 1 << 14
_LEAVING_PATIENCE = 0.5
"""Seconds for the shim to say that a killed probe has ended."""
_MARK = 16


async def run(context: Context, container: Container, words: tuple[str, ...]) -> tuple[int, bytes]:
    """Run a command; return its exit code and the beginning of its output, one byte too many.

    If cancelled, the command is killed, and what it has started. BoxshipError: it could not be run.
    """
    wanted = ExecConfig(words, attach_stdout=True, attach_stderr=True)
    exec_id = await execs.create(context, container, wanted, exec_id=_new_id(container.id))
    found = container.execs[exec_id]
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    try:
        starting = context.background.spawn(_start(context, container, found, theirs))
        starting.add_done_callback(lambda _: theirs.close())
        try:
            if (refusal := await asyncio.shield(starting)) is not None:
                raise refusal
            output = await _read(ours)
            await found.done.wait()
        except asyncio.CancelledError:
            if starting.done():
                await _kill(context, container, found)
            else:  # something stops it on its way, and its number is not known yet
                context.background.spawn(_kill_when_started(context, container, found, starting))
            raise
    finally:
        ours.close()
        execs.forget_ended(context, container, found)
    return found.exit_code or 0, output


async def end_left(context: Context, container: Container) -> None:
    """Kill the probes that a daemon has left which was killed while they ran."""
    mark = _mark(container.id)
    for found in tuple(container.execs.values()):
        if found.id.endswith(mark) and found.running:
            _log.info("ending a health probe of container %s that its daemon left", container.id)
            await _kill(context, container, found)
            execs.forget_ended(context, container, found)


def _new_id(container_id: str) -> str:
    """Return an id by which every daemon knows that the exec is a probe of this container.

    Nothing else need be remembered, above all not on the disk: probes are many.
    """
    return new_id()[:-_MARK] + _mark(container_id)


def _mark(container_id: str) -> str:
    return hashlib.sha256(f"probe of {container_id}".encode()).hexdigest()[:_MARK]


async def _start(
    context: Context, container: Container, found: Exec, output: socket.socket
) -> BoxshipError | None:
    """Start it; return what stands in the way, which nobody may be left to hear."""
    try:
        await execs.start_probe(context, container, found, DetachedStream(output.fileno()))
    except BoxshipError as error:
        return error
    return None


async def _read(connection: socket.socket) -> bytes:
    """Read to the end, and keep what there is room for."""
    loop = asyncio.get_running_loop()
    kept = bytearray()
    while data := await loop.sock_recv(connection, _CHUNK):
        kept += data[: MOST_OUTPUT + 1 - len(kept)]
    return bytes(kept)


async def _kill_when_started(
    context: Context, container: Container, found: Exec, starting: asyncio.Task[BoxshipError | None]
) -> None:
    await asyncio.wait([starting])
    if found.running:
        await _kill(context, container, found)
    execs.forget_ended(context, container, found)


async def _kill(context: Context, container: Container, found: Exec) -> None:
    link, record = container.shim, container.record
    if link is None or found.exit_code is not None:
        return
    if found.pid:
        await asyncio.to_thread(kill_family, lambda: context.planner.pids(record), found.pid)
    with contextlib.suppress(BoxshipError, TimeoutError):
        await link.request(Signal(signal=SIGKILL, process=found.id))
        await asyncio.wait_for(found.done.wait(), _LEAVING_PATIENCE)
