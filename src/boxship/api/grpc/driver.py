"""A gRPC connection on the event loop: bytes to and from a transport, events to calls."""

import asyncio
from collections import deque
from typing import TypeVar, cast

from boxship.wire.grpc.connection import Connection
from boxship.wire.grpc.events import (
    CallCancelled,
    CallEnded,
    CallStarted,
    ConnectionClosed,
    Drained,
    Event,
    HeadersReceived,
    InputEnded,
    MessagesReceived,
)
from boxship.wire.grpc.status import OK, Code, GrpcError, Status
from boxship.wire.protobuf import DecodeError, Message, decode

MOST_QUEUED = 256 * 1024
"""Bytes of one call that may wait to leave before its sender has to."""
MOST_UNSENT = 1024 * 1024
"""Bytes for a peer that doesn't read, before it isn't read, either."""
_GONE = Status(Code.CANCELLED, "the call is over")
M = TypeVar("M", bound=Message)


class Call:
    """One call, seen from either end."""

    def __init__(self, driver: "Driver", stream: int) -> None:
        self.driver = driver
        self.stream = stream
        self._messages: deque[bytes] = deque()
        self._unconsumed = 0
        self._input: Status | None = None
        """How the peer's messages ended."""
        self.over = False
        """Whether nothing can be sent any more."""
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None

    async def batch(self, gathering: float = 0) -> list[bytes]:
        """Wait for messages and return all that are here; none at the end.

        When there are some, as many seconds are waited for more: who takes many short ones in a
        thread has less to do then. GrpcError: the call ended badly.
        """
        while not self._messages and self._input is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if gathering and self._input is None:
            await asyncio.sleep(gathering)
        messages = list(self._messages)
        self._messages.clear()
        self._consume()
        if not messages:
            self._check()
        return messages

    async def receive(self) -> bytes | None:
        """Wait for the next message; None at the end. GrpcError: the call ended badly."""
        if len(self._messages) < 2:  # the last one that is here, or one to wait for
            batch = await self.batch()
            self._messages.extendleft(reversed(batch))
        return self._messages.popleft() if self._messages else None

    async def receive_as(self, shape: type[M]) -> M:
        """Return the next message, which must be there. GrpcError if it isn't, or is none."""
        data = await self.receive()
        if data is None:
            raise GrpcError(Code.INTERNAL, f"there is no {shape.__name__}")
        return read(data, shape)

    async def send(self, message: bytes) -> None:
        """Send a message, waiting while the peer reads slowly. GrpcError: the call is over."""
        if self.over:
            self._check()
            raise GrpcError(Code.CANCELLED, "the call is over")
        connection = self.driver.connection
        connection.send(self.stream, message)
        if connection.queued(self.stream) < MOST_QUEUED and not self.driver.slow:
            self.driver.flush_soon()
            return
        self.driver.flush()
        while connection.queued(self.stream) > MOST_QUEUED and not self.over:
            self._drained = asyncio.get_running_loop().create_future()
            try:
                await self._drained
            finally:
                self._drained = None
        await self.driver.writable()

    def _check(self) -> None:
        status = self._input
        if status is not None and status.code != Code.OK:
            raise GrpcError(status.code, status.message, status.details)

    # ── what the driver calls ────────────────────────────────────────────────────────────────

    def arrived(self, messages: list[bytes], size: int) -> None:
        self._messages.extend(messages)
        self._unconsumed += size
        _wake(self._waiter)

    def ended(self, status: Status, *, over: bool) -> None:
        """Know that no message follows, and with ``over`` that none can be sent."""
        self.over = self.over or over
        if self._input is None or over:
            self._input = status
        _wake(self._waiter)
        if over:
            _wake(self._drained)

    def drained(self) -> None:
        _wake(self._drained)

    def _consume(self) -> None:
        if self._unconsumed:
            self.driver.connection.consumed(self.stream, self._unconsumed)
            self._unconsumed = 0
            self.driver.flush_soon()


class Driver(asyncio.Protocol):
    """The protocol of a transport. ``started`` and ``lost`` are for subclasses."""

    def __init__(self, *, client: bool) -> None:
        self.connection = Connection(client=client)
        self.calls: dict[int, Call] = {}
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._flushing = False
        self._slow: asyncio.Future[None] | None = None

    # ── what the transport calls ─────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=MOST_UNSENT)
        self.connection.start()
        self.flush()

    def data_received(self, data: bytes) -> None:
        for event in self.connection.receive(data):
            self._handle(event)
        self.flush()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        _wake(self._slow)
        for event in self.connection.lost("the client has gone"):
            self._handle(event)

    def pause_writing(self) -> None:
        """Read nothing, either, of a peer that doesn't read: each frame may want an answer."""
        self._slow = self._loop.create_future()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        slow, self._slow = self._slow, None
        _wake(slow)

    # ── what calls use ───────────────────────────────────────────────────────────────────────

    @property
    def slow(self) -> bool:
        """Whether the transport has more than enough to send."""
        return self._slow is not None

    async def writable(self) -> None:
        """Wait until the transport has sent most of what it has."""
        while self._slow is not None and self._transport is not None:
            await asyncio.shield(self._slow)

    def flush_soon(self) -> None:
        """Send what is queued once this turn of the loop is over: many messages go at once."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        self._flushing = False
        if self._transport is not None and (data := self.connection.outgoing()):
            self._transport.write(data)

    def close(self) -> None:
        """Say goodbye and close; calls that go on end with an error."""
        self.connection.close()
        if self._transport is not None:
            self.flush()
            self._transport.close()

    # ── events ───────────────────────────────────────────────────────────────────────────────

    def started(self, event: CallStarted) -> None:
        """Take a call of the peer."""

    def cancelled(self, call: Call) -> None:
        """Stop what serves a call of the peer."""

    def closed(self) -> None:
        """Know that there will be no more events."""

    def _handle(self, event: Event) -> None:
        if isinstance(event, CallStarted):
            self.started(event)
        elif isinstance(event, ConnectionClosed):
            self._closed()
        elif (call := self.calls.get(event.stream)) is None:
            if isinstance(event, MessagesReceived):
                self.connection.consumed(event.stream, event.size)
        elif isinstance(event, MessagesReceived):
            call.arrived(event.messages, event.size)
        elif isinstance(event, Drained):
            call.drained()
        elif isinstance(event, InputEnded):
            call.ended(OK, over=False)
        elif not isinstance(event, HeadersReceived):
            self._ended(call, event)

    def _ended(self, call: Call, event: CallEnded | CallCancelled) -> None:
        del self.calls[event.stream]
        if isinstance(event, CallEnded):
            call.ended(event.status, over=True)
        else:
            call.ended(_GONE, over=True)
            self.cancelled(call)

    def _closed(self) -> None:
        if self._transport is not None:
            self.flush()
            self._transport.close()
        self.closed()


def _wake(waiter: "asyncio.Future[None] | None") -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def read(data: bytes, shape: type[M]) -> M:
    """Decode a message of the peer. GrpcError INTERNAL if it isn't one."""
    try:
        return decode(data, shape)
    except DecodeError as error:
        raise GrpcError(Code.INTERNAL, f"this is no {shape.__name__}: {error}") from error
