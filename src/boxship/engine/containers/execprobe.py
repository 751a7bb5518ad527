"""Probe by a command in the container: an exec like any other, with its output kept.

Docker's events come with it: exec_create, exec_start, exec_die.
"""

import asyncio
import contextlib
import socket
from signal import SIGKILL

from boxship.base.errors import BoxshipError
from boxship.engine.containers import execs
from boxship.engine.containers.context import Context
from boxship.engine.containers.health.state import MOST_OUTPUT
from boxship.engine.containers.live import Container, Exec
from boxship.engine.containers.requests import DetachedStream, ExecConfig
from boxship.runtime.messages import Signal

_CHUNK = 1 << 14
_LEAVING_PATIENCE = 0.5
"""Seconds for a probe that was killed; one whose children hold its output takes longer."""


async def run(context: Context, container: Container, words: tuple[str, ...]) -> tuple[int, bytes]:
    """Run a command; return its exit code and the beginning of its output, one byte too many.

    If cancelled, the command is killed. BoxshipError: it could not be run.
    """
    wanted = ExecConfig(words, attach_stdout=True, attach_stderr=True)
    exec_id = await execs.create(context, container, wanted)
    found = container.execs[exec_id]
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    try:
        with theirs:
            await execs.start_probe(context, container, found, DetachedStream(theirs.fileno()))
        output = await _read(ours)
        await found.done.wait()
    except asyncio.CancelledError:
        await _kill(container, found)
        raise
    else:
        return found.exit_code or 0, output
    finally:
        ours.close()
        execs.forget_ended(context, container, found)


async def _read(connection: socket.socket) -> bytes:
    """Read to the end, and keep what there is room for."""
    loop = asyncio.get_running_loop()
    kept = bytearray()
    while data := await loop.sock_recv(connection, _CHUNK):
        kept += data[: MOST_OUTPUT + 1 - len(kept)]
    return bytes(kept)


async def _kill(container: Container, found: Exec) -> None:
    link = container.shim
    if link is None or found.exit_code is not None:
        return
    with contextlib.suppress(BoxshipError, TimeoutError):
        await link.request(Signal(signal=SIGKILL, process=found.id))
        await asyncio.wait_for(found.done.wait(), _LEAVING_PATIENCE)
