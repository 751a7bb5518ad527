"""One step's program in its shim, from the start to the end of its output.

::

    launcher ── fork ──► shim ──► program          socket pair: what it prints, in frames
       start{plan} ─────►
       ◄───── started                              ◄── frames … end of stream
       ◄───── exited{code}
       release ─────────►

Whoever stops waiting has all of the step's processes killed: with the first process of a pid
namespace the kernel ends the others, however fast they fork.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass

from boxship.base.errors import BoxshipError, InternalError, StartRefusedError, UnavailableError
from boxship.engine.containers import ending
from boxship.engine.containers.context import Context
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.shimlink import ShimGoneError, ShimLink, ShimSilentError
from boxship.runtime.messages import (
    Attachment,
    Exit,
    Exited,
    Failed,
    Json,
    Message,
    Release,
    Signal,
    Start,
    Started,
    Stdio,
)

Tell = Callable[[int, bytes], None]
"""Takes the stream (1: standard output, 2: standard error) and what was printed."""

_log = logging.getLogger(__name__)
_PATIENCE = 10.0
"""Seconds for a killed step's shim to say that it has ended."""
_CHUNK = 1 << 16
_MORE_ATTEMPTS = 2
_HEADER = 8


@dataclass(slots=True)
class _Course:
    """What the shim has told so far."""

    exited: asyncio.Future[Exit]

    def listen(self, message: Message) -> None:
        if isinstance(message, Exited) and not self.exited.done():
            self.exited.set_result(message.exit)

    def hung_up(self, _: object) -> None:
        if not self.exited.done():
            self.exited.set_exception(UnavailableError("the step's shim was killed"))
            self.exited.exception()  # seen, if nobody waits


class ReadyShim:
    """A shim that is being forked while its step is prepared. Use it as a context: one that nobody
    takes leaves again."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection: socket.socket | None = connection

    def take(self) -> socket.socket:
        """Return its control connection, which is the caller's now."""
        connection, self._connection = self._connection, None
        assert connection is not None
        return connection

    def __enter__(self) -> "ReadyShim":
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()


async def ready_shim(context: Context) -> ReadyShim:
    """Ask for a shim. UnavailableError: there is none."""
    try:
        return ReadyShim(await context.shims.new_shim())
    except OSError as error:
        raise UnavailableError(f"cannot reach the launcher: {error}") from error


@dataclass(frozen=True, slots=True)
class Program:
    """What is to be run, and who hears of what it prints."""

    record: ContainerRecord
    plan: Json
    stdin: bytes | None
    tell: Tell


async def run(context: Context, shim: ReadyShim, program: Program) -> Exit:
    """Run the program to its end, and return how it ended.

    StartRefusedError: it cannot be executed; InternalError: what is around it cannot be made.
    Cancelled, it ends all of it first. A launcher may die with our request unread; nothing has
    begun then, and another shim is asked.
    """
    directory = context.paths.shim(program.record.id)
    for _ in range(_MORE_ATTEMPTS):
        try:
            return await _run(context, shim, program)
        except ShimGoneError:
            if await asyncio.to_thread(os.path.exists, directory):
                raise
            shim = await ready_shim(context)
    return await _run(context, shim, program)


async def _run(context: Context, shim: ReadyShim, program: Program) -> Exit:
    loop = asyncio.get_running_loop()
    record, stdin = program.record, program.stdin
    course = _Course(loop.create_future())
    link = ShimLink(shim.take(), course.listen)
    link.closed.add_done_callback(course.hung_up)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    try:
        with theirs:
            await _start(context, program, link, theirs)
        reading = loop.create_task(_read(ours, program.tell))
        feeding = loop.create_task(_feed(ours, stdin)) if stdin is not None else None
        try:
            exit_ = await course.exited
            await reading
        finally:
            for task in filter(None, (reading, feeding)):
                task.cancel()
    except BaseException:
        await asyncio.shield(loop.create_task(_end(context, record, link, course)))
        raise
    finally:
        ours.close()
    context.background.chore(_let_go(context, record, link))
    return exit_


async def _start(context: Context, program: Program, link: ShimLink, theirs: socket.socket) -> None:
    with_input = program.stdin is not None
    request = Start(
        container_id=program.record.id,
        directory=context.paths.shim(program.record.id),
        plan=program.plan,
        stdio=Stdio(open_stdin=with_input, stdin_once=with_input),
        attachments=(Attachment(stdin=with_input, framed=True),),
    )
    reply = await link.request(request, (theirs.fileno(),))
    if isinstance(reply, Started):
        return
    if not isinstance(reply, Failed):
        raise InternalError(f"the shim answered {type(reply).__name__} to start")
    if reply.exit_code in (126, 127):
        raise StartRefusedError(reply.message, reply.exit_code)
    raise InternalError(reply.message)


async def _read(ours: socket.socket, tell: Tell) -> None:
    """Tell what the program prints until the shim closes the stream."""
    loop = asyncio.get_running_loop()
    rest = b""
    with contextlib.suppress(ConnectionResetError):
        while data := await loop.sock_recv(ours, _CHUNK):
            rest += data
            at = 0
            while len(rest) - at >= _HEADER:
                end = at + _HEADER + int.from_bytes(rest[at + 4 : at + _HEADER], "big")
                if len(rest) < end:
                    break
                tell(rest[at], rest[at + _HEADER : end])
                at = end
            rest = rest[at:]


async def _feed(ours: socket.socket, stdin: bytes) -> None:
    with contextlib.suppress(OSError):  # a program need not read to the end
        await asyncio.get_running_loop().sock_sendall(ours, stdin)
        ours.shutdown(socket.SHUT_WR)


async def _end(context: Context, record: ContainerRecord, link: ShimLink, course: _Course) -> None:
    """End whatever there is of it."""
    with contextlib.suppress(BoxshipError, TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            if not course.exited.done() and not link.closed.done():
                await link.request(Signal(signal=signal.SIGKILL))
                await course.exited
    await _let_go(context, record, link)


async def _let_go(context: Context, record: ContainerRecord, link: ShimLink) -> None:
    """Have the shim leave with its directory; one that does not is killed with all it has."""
    try:
        if not link.closed.done():
            reply = await link.request(Release())
            if not isinstance(reply, Failed):
                return
    except (ShimGoneError, ShimSilentError):
        pass
    finally:
        link.close()
    try:
        await asyncio.to_thread(_clean_up, context, record)
    except (BoxshipError, OSError):
        _log.exception("what is left of a build's step cannot be removed")


def _clean_up(context: Context, record: ContainerRecord) -> None:
    if os.path.exists(context.paths.shim(record.id)):
        ending.clean_up(context, record)
