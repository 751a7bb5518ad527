"""Answers that hand the connection over: attach and exec.

With ``Upgrade: tcp`` the answer is 101 UPGRADED, without it 200, and from the empty line on the
connection carries raw bytes. The header has left before the descriptor is given away, so that no
output can overtake it (docker-py loses what comes in one segment with the header).
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from boxship.api.call import Call
from boxship.api.headers import COMMON_LINES
from boxship.api.http.messages import HandedOver
from boxship.base.errors import InternalError, InvalidArgumentError
from boxship.engine.containers.requests import DetachedStream, HijackedStream
from boxship.wire.versions import ApiVersion

log = logging.getLogger(__name__)

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"


def stream_type(version: ApiVersion, *, tty: bool) -> str:
    """Return the content type of a container's output."""
    return RAW if tty or version < 42 else MULTIPLEXED


class ClientStream:
    """A HijackedStream over the connection of a request."""

    def __init__(self, call: Call, *, tty: bool) -> None:
        self.detached = False
        self._connection = call.request.connection
        self._upgrade = "upgrade" in call.request.headers
        self._body = call.request.body
        status = "101 UPGRADED" if self._upgrade else "200 OK"
        upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n" if self._upgrade else ""
        self._header = (
            f"HTTP/1.1 {status}\r\n"
            f"Content-Type: {stream_type(call.version, tty=tty)}\r\n"
            f"{upgrade}{COMMON_LINES}\r\n"
        ).encode("ascii")

    async def detach(self) -> DetachedStream:
        """See ``HijackedStream``. Can be done once."""
        if self.detached:
            raise InternalError("a connection can be handed over once")
        if not self._body.complete:
            raise InvalidArgumentError("the request's body must end before its raw stream begins")
        self.detached = True
        fd, prefix = await self._connection.detach(self._header)
        return DetachedStream(fd, prefix)


class Detaching(HijackedStream, Protocol):
    """A HijackedStream that tells whether it has been taken."""

    detached: bool


async def hand_over(
    stream: Detaching, use: Callable[[HijackedStream], Awaitable[None]]
) -> HandedOver:
    """Let ``use`` take the connection. An error that comes after that can't be answered."""
    try:
        await use(stream)
    except Exception as error:
        if not stream.detached:
            raise
        log.warning("a connection failed after it was handed over: %s", error)
    if not stream.detached:
        raise InternalError("the connection was not taken")
    return HandedOver()
