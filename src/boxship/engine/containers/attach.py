"""Attach a client to a container's standard streams.

The client's connection itself goes to the shim, so that the daemon is not in the way of the data
and may even die. Three situations::

    not running        wait for the start (pending.py), which hands the connection over
    running            hand it over at once
    running, history   the shim begins to queue for the client and says how long the log is just
                       then; we copy the log up to there; the shim sends its queue and goes on live
"""

import asyncio
import contextlib
import os
import socket
from dataclasses import dataclass, replace

from boxship.base.errors import ConflictError
from boxship.engine.containers.attachments import attachment
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container, locked
from boxship.engine.containers.logconfig import log_place
from boxship.engine.containers.logreader import LogPlace
from boxship.engine.containers.logs import history
from boxship.engine.containers.pending import PendingAttachment
from boxship.engine.containers.record import Status
from boxship.engine.containers.requests import AttachRequest, HijackedStream, LogQuery
from boxship.engine.containers.shimlink import ShimGoneError, ShimLink, ShimSilentError
from boxship.runtime.messages import Attach, Attached, Attachment, LogPosition, Resume
from boxship.wire.stdcopy import LineEncoder


async def attach(
    context: Context, container: Container, request: AttachRequest, stream: HijackedStream
) -> None:
    """Join a client with the container. See :meth:`ContainerService.attach`."""
    _check_attachable(container)
    record = container.record
    config = record.config
    wanted = attachment(
        stdin=request.stdin and config.open_stdin,
        stdout=request.stdout,
        stderr=request.stderr,
        tty=config.tty or not request.framed,
        detach_keys=request.detach_keys,
    )
    detached = await stream.detach()
    wanted = replace(wanted, prefix=detached.prefix if wanted.stdin else b"")
    context.announcer.say(record, "attach")
    client = socket.socket(fileno=detached.fd)
    try:
        await _join(context, container, request, wanted, client)
    finally:
        client.close()


def _check_attachable(container: Container) -> None:
    name, status = container.record.name, container.record.status
    if status is Status.PAUSED:
        raise ConflictError(f"container {name} is paused, unpause the container before attach")
    if status is Status.RESTARTING:
        raise ConflictError(f"container {name} is restarting, wait until the container is running")
    if status in (Status.REMOVING, Status.DEAD):
        raise ConflictError(f"container {name} is marked for removal and cannot be attached to")


async def _join(
    context: Context,
    container: Container,
    request: AttachRequest,
    wanted: Attachment,
    client: socket.socket,
) -> None:
    """Hand the connection over, and leave what is not to go on to the caller's closing."""
    encoder = LineEncoder(framed=request.framed and not container.record.config.tty)
    replay = _Replay(log_place(container.record, context.paths), request, encoder, client)
    if not request.stream:
        if request.logs:
            await replay.copy()
        return
    sent = None
    while True:
        # The lock keeps the start from slipping in between looking and waiting for it. Nobody may
        # hold it while a client reads: that takes as long as the client likes.
        async with locked(container):
            link = container.shim
            if link is not None:
                break
            end = replay.end() if request.logs else None
            if end == sent:
                _await_start(context, container, wanted, client)
                return
        await replay.copy(after=sent, until=end)
        sent = end
    with container.hand_overs:
        try:
            await _hand_over(link, wanted, client, replay if request.logs else None, sent)
        except ShimSilentError:
            # It may still take the client, and hold it for a resume that never comes.
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            raise


def _await_start(
    context: Context, container: Container, wanted: Attachment, client: socket.socket
) -> None:
    def forget(attachment: PendingAttachment) -> None:
        if attachment in container.pending:
            container.pending.remove(attachment)

    container.pending.append(PendingAttachment(client.detach(), wanted, context.pending, forget))


async def _hand_over(
    link: ShimLink,
    wanted: Attachment,
    client: socket.socket,
    replay: "_Replay | None",
    sent: LogPosition | None,
) -> None:
    try:
        hold = replay is not None
        reply = await link.request(Attach(attachment=wanted, hold=hold), [client.fileno()])
    except ShimGoneError:
        reply = None
    if replay is None:
        return
    # No place in the log: the container has just ended, its log is closed and whole.
    position = reply.log if isinstance(reply, Attached) and reply.log.inode else None
    with contextlib.suppress(OSError):  # the client went away; the shim will see it
        await replay.copy(after=sent, until=position)
    if isinstance(reply, Attached):
        with contextlib.suppress(ShimGoneError):
            await link.request(Resume(attachment=reply.attachment))


@dataclass(frozen=True)
class _Replay:
    """Copies a log to a client, in parts. ``place`` None: nothing is kept."""

    place: LogPlace | None
    request: AttachRequest
    encoder: LineEncoder
    client: socket.socket

    def end(self) -> LogPosition | None:
        """Return where the log of a container that doesn't run ends; None if there is none."""
        if self.place is None:
            return None
        try:
            status = os.stat(self.place.path)
        except OSError:
            return None
        return LogPosition(inode=status.st_ino, offset=status.st_size)

    async def copy(
        self, *, after: LogPosition | None = None, until: LogPosition | None = None
    ) -> None:
        """Copy from where the client has it up to where the live stream begins."""
        if self.place is None:
            return
        query = LogQuery(stdout=self.request.stdout, stderr=self.request.stderr)
        loop = asyncio.get_running_loop()
        self.client.setblocking(False)
        async for batch in history(self.place, query, until, after=after):
            await loop.sock_sendall(self.client, self.encoder.encode(batch))
