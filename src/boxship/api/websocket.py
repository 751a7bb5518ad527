"""Attach over a websocket (RFC 6455): the one stream that passes through the daemon.

A shim writes bytes, not frames, so it gets one end of a socket pair, and two tasks carry between
the other end and the client::

    client ══ frames ══► near ── bytes ──► far: the shim (stdin)
    client ◄═ frames ═══ near ◄─ bytes ─── far: the shim (stdout and stderr, as they come)

The end of output closes the websocket; a client's close, or its going away, is the end of its
input, and no more output is taken for it. Text or binary, whole or in fragments of any size: what
the client's messages hold is passed on at once, never gathered. Back-pressure goes through, as
neither side is read while the other is slow.
"""

import asyncio
import base64
import binascii
import hashlib
import logging
import socket
from codecs import getincrementaldecoder
from collections.abc import Mapping
from typing import TYPE_CHECKING

from boxship.api.call import Call
from boxship.api.headers import COMMON_LINES
from boxship.base.errors import InternalError, InvalidArgumentError
from boxship.engine.containers.requests import DetachedStream

if TYPE_CHECKING:
    from wsproto.events import Event

log = logging.getLogger(__name__)

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_PIECE = 32 * 1024
_CLOSING_WITHIN = 5.0
_running: set[asyncio.Task[None]] = set()  # the loop itself holds tasks weakly


class WebSocketStream:
    """A HijackedStream over the websocket that a request asks for."""

    def __init__(self, call: Call) -> None:
        """Raise InvalidArgumentError if it doesn't ask for one."""
        self.detached = False
        self._connection = call.request.connection
        self._binary = call.version >= 28
        accepted = _accepted(call.request.headers)
        self._header = (
            "HTTP/1.1 101 Switching Protocols\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accepted}\r\n{COMMON_LINES}\r\n"
        ).encode("ascii")

    async def detach(self) -> DetachedStream:
        """See ``HijackedStream``. Can be done once."""
        if self.detached:
            raise InternalError("a connection can be handed over once")
        self.detached = True
        fd, prefix = await self._connection.detach(self._header)
        client = socket.socket(fileno=fd)
        near, far = socket.socketpair()
        for sock in (client, near):
            sock.setblocking(False)
        carrier = _Carrier(client, near, binary=self._binary)
        task = asyncio.get_running_loop().create_task(carrier.run(prefix))
        _running.add(task)
        task.add_done_callback(_running.discard)
        return DetachedStream(far.detach())


def _accepted(headers: Mapping[str, str]) -> str:
    """Check the opening handshake (section 4.2.1), and return what proves that it was read."""
    if headers.get("upgrade", "").lower() != "websocket":
        raise InvalidArgumentError("a websocket must be asked for with 'Upgrade: websocket'")
    if "upgrade" not in headers.get("connection", "").lower():
        raise InvalidArgumentError("a websocket must be asked for with 'Connection: Upgrade'")
    version = headers.get("sec-websocket-version", "")
    if version != "13":
        raise InvalidArgumentError(f"Sec-WebSocket-Version '{version}' is not supported: use 13")
    key = headers.get("sec-websocket-key", "").encode("latin-1")
    try:
        whole = len(base64.b64decode(key, validate=True)) == 16
    except binascii.Error:
        whole = False
    if not whole:
        raise InvalidArgumentError("Sec-WebSocket-Key must be 16 bytes in base64")
    return base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()


class _Carrier:
    """Carries both ways, and closes both sockets at the end."""

    def __init__(self, client: socket.socket, near: socket.socket, *, binary: bool) -> None:
        # Hardly any daemon is ever asked for a websocket, so it is loaded for those that are.
        from wsproto.connection import Connection, ConnectionType  # noqa: PLC0415

        self._loop = asyncio.get_running_loop()
        self._client = client
        self._near = near
        self._protocol: Connection = Connection(ConnectionType.SERVER)
        self._text = None if binary else getincrementaldecoder("utf-8")("replace")
        self._sending = asyncio.Lock()

    async def run(self, prefix: bytes) -> None:
        loop = self._loop
        taking, giving = loop.create_task(self._input(prefix)), loop.create_task(self._output())
        with self._client, self._near:
            try:
                await asyncio.wait({taking, giving}, return_when=asyncio.FIRST_COMPLETED)
                if giving.done() and giving.exception() is None:
                    await asyncio.wait({taking}, timeout=_CLOSING_WITHIN)
            finally:
                taking.cancel()
                giving.cancel()
                ends = await asyncio.gather(taking, giving, return_exceptions=True)
        for end in ends:
            if isinstance(end, OSError):
                log.debug("a websocket's client has gone: %s", end)
            elif isinstance(end, Exception):
                log.warning("a websocket failed", exc_info=end)

    async def _output(self) -> None:
        """Frame what the container writes, until its end; then close."""
        from wsproto.events import BytesMessage, CloseConnection, TextMessage  # noqa: PLC0415

        while data := await self._loop.sock_recv(self._near, _PIECE):
            if self._text is None:
                await self._send(BytesMessage(data=data))
            elif text := self._text.decode(data):
                await self._send(TextMessage(data=text))
        await self._send(CloseConnection(code=1000))

    async def _input(self, data: bytes) -> None:
        """Take frames until the client closes; ``data`` has been read already."""
        while True:
            if data:
                self._protocol.receive_data(data)
                for event in self._protocol.events():
                    if await self._take(event):
                        return
            data = await self._loop.sock_recv(self._client, _PIECE)
            if not data:
                return

    async def _take(self, event: "Event") -> bool:
        """Do what a frame says; True once the websocket is at its end."""
        from wsproto.connection import ConnectionState  # noqa: PLC0415
        from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage  # noqa: PLC0415

        if isinstance(event, BytesMessage):
            await self._feed(bytes(event.data))
        elif isinstance(event, TextMessage):
            await self._feed(event.data.encode())
        elif isinstance(event, Ping):
            await self._send(event.response())
        elif isinstance(event, CloseConnection):
            if self._protocol.state is not ConnectionState.CLOSED:
                await self._send(event.response())
            return True
        return False

    async def _feed(self, data: bytes) -> None:
        """Pass input on; what has no stdin, or has ended, takes none."""
        try:
            await self._loop.sock_sendall(self._near, data)
        except (BrokenPipeError, ConnectionResetError):
            log.debug("input for a stream that has ended was thrown away")

    async def _send(self, event: "Event") -> None:
        async with self._sending:
            if self._protocol.state.name in ("OPEN", "REMOTE_CLOSING"):
                await self._loop.sock_sendall(self._client, self._protocol.send(event))
