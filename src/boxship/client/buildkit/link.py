"""One gRPC connection over a hijacked stream, for blocking callers in several threads.

::

    caller threads ── Call.send / receive ──►┐ lock  ┌──► wire.grpc.Connection (state machine)
                                             └───────┘             ▲ │
    the link's own thread: poll ─ receive ─ send ──────────────────┘ ▼ bytes

The link's thread never waits for a caller: what comes is queued with its call, and the peer's
window stays shut until the caller takes it. Who sends more than the peer takes waits in ``send``.
"""

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from boxship.base.closing import Closing
from boxship.client.engine import HijackedStream
from boxship.wire.grpc.connection import Connection
from boxship.wire.grpc.events import (
    CallCancelled,
    CallEnded,
    CallStarted,
    Event,
    HeadersReceived,
    InputEnded,
    MessagesReceived,
)
from boxship.wire.grpc.metadata import Metadata
from boxship.wire.grpc.status import Code, GrpcError, Status

_MOST_QUEUED = 512 * 1024
_PIECE = 256 * 1024
_PATIENCE = 5.0  # seconds, for the link's thread to say goodbye, and for answers to tidy up

Serve = Callable[["Call"], None]


class Call:
    """One call, either end of it. ``path`` and ``metadata`` are those of its beginning."""

    def __init__(self, link: "Link", stream: int, path: str, metadata: Metadata) -> None:
        self.path = path
        self.metadata = metadata
        self.headers = Metadata()
        """Of the answer, once it has begun (calls of ours)."""
        self.trailers = Metadata()
        self._link = link
        self._stream = stream
        self._inbox: deque[tuple[list[bytes], int]] = deque()
        self._batch: deque[bytes] = deque()
        self._status: Status | None = None
        self._input_ended = False

    def send(self, message: bytes) -> None:
        """Send, waiting while the peer takes no more. GrpcError if the call is over."""
        self._link.send(self, (message,))

    def send_all(self, messages: Iterable[bytes]) -> None:
        """Send several, which is quicker than one by one if they are short."""
        self._link.send(self, messages)

    def end_input(self) -> None:
        """Say that nothing more will be sent (calls of ours)."""
        self._link.half_close(self)

    def receive(self, timeout: float | None = None) -> bytes | None:
        """Return the next message; None at the end of a call that went well.

        GrpcError: the call ended otherwise. TimeoutError: nothing came within ``timeout`` seconds.
        """
        if self._batch:
            return self._batch.popleft()
        messages = self._link.take(self, timeout)
        if messages is None:
            return None
        self._batch.extend(messages)
        return self._batch.popleft()

    def result(self) -> bytes:
        """Return the only message of the answer, after its good end."""
        message = self.receive()
        if message is None:
            raise GrpcError(Code.INTERNAL, f"{self.path} was answered without a message")
        while self.receive() is not None:
            pass
        return message

    def cancel(self) -> None:
        self._link.cancel(self)

    def finish(self, status: Status) -> None:
        """End a call of the peer's."""
        self._link.finish(self, status)

    # What the link does with it, holding its lock.

    def arrived(self, event: Event) -> None:
        if isinstance(event, MessagesReceived):
            self._inbox.append((event.messages, event.size))
        elif isinstance(event, HeadersReceived):
            self.headers = event.metadata
        elif isinstance(event, InputEnded):
            self._input_ended = True
        elif isinstance(event, CallEnded):
            self._status, self.trailers = event.status, event.trailers
        elif isinstance(event, CallCancelled):
            self._status = Status(Code.CANCELLED, "the builder has called it off")

    def next_batch(self) -> tuple[list[bytes], int] | None:
        """Return messages and their weight, or None if there are none now."""
        return self._inbox.popleft() if self._inbox else None

    @property
    def stream(self) -> int:
        return self._stream

    @property
    def status(self) -> Status | None:
        return self._status

    @property
    def is_over(self) -> bool:
        return self._status is not None

    @property
    def has_news(self) -> bool:
        """Whether there are messages, or none will come any more, well or not."""
        return bool(self._inbox) or self._input_ended or self._status is not None


class Link(Closing):
    """The connection. ``serve`` is called in a thread of its own for each call of the peer."""

    def __init__(self, stream: HijackedStream, *, serve: Serve | None = None) -> None:
        self._transport = stream
        self._serve = serve
        self._grpc = Connection(client=serve is None)
        self._lock = threading.Condition()
        self._calls: dict[int, Call] = {}
        self._answering: set[threading.Thread] = set()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._closing = False
        self._closed = False
        self._out = memoryview(b"")
        self._grpc.start()
        self._thread = threading.Thread(target=self._run, name="buildkit link", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End every call and the connection."""
        with self._lock:
            already, self._closed, self._closing = self._closed, True, True
            self._grpc.close()
            self._rouse()
        if not already:
            self._thread.join(_PATIENCE)
            self._transport.close()
            self._wait_for_answers()

    def _wait_for_answers(self) -> None:
        # Their calls are over; what they have half done is theirs to take away again.
        until = time.monotonic() + _PATIENCE
        with self._lock:
            answering = self._answering - {threading.current_thread()}
        for thread in answering:
            thread.join(max(0.0, until - time.monotonic()))

    def call(
        self, path: str, message: bytes | None = None, metadata: Mapping[str, Iterable[str]] = {}
    ) -> Call:
        """Begin a call; with a message it is the only one that is sent."""
        with self._lock:
            stream = self._grpc.open(path, metadata)
            call = self._calls[stream] = Call(self, stream, path, Metadata(metadata))
            if message is not None:
                self._grpc.send(stream, message)
                self._grpc.half_close(stream)
            self._rouse()
        return call

    def send(self, call: Call, messages: Iterable[bytes]) -> None:
        with self._lock:
            self._check(call)
            before = self._grpc.queued(call.stream)
            for message in messages:
                self._grpc.send(call.stream, message)
            if not before:
                self._rouse()
            while self._grpc.queued(call.stream) > _MOST_QUEUED and not call.is_over:
                self._rouse()
                self._lock.wait()
            self._check(call)

    def take(self, call: Call, timeout: float | None) -> list[bytes] | None:
        with self._lock:
            if not self._lock.wait_for(lambda: call.has_news, timeout):
                raise TimeoutError
            batch = call.next_batch()
            if batch is None:
                self._check(call)
                return None
            messages, size = batch
            self._grpc.consumed(call.stream, size)
            self._rouse()
            return messages

    def half_close(self, call: Call) -> None:
        with self._lock:
            self._grpc.half_close(call.stream)
            self._rouse()

    def cancel(self, call: Call) -> None:
        with self._lock:
            self._grpc.cancel(call.stream)
            self._forget(call, Status(Code.CANCELLED, "called off"))
            self._rouse()

    def finish(self, call: Call, status: Status) -> None:
        with self._lock:
            self._grpc.finish(call.stream, status)
            self._forget(call, status)
            self._rouse()

    @staticmethod
    def _check(call: Call) -> None:
        status = call.status
        if status is not None and status.code is not Code.OK:
            raise GrpcError(status.code, status.message, status.details)

    def _forget(self, call: Call, status: Status) -> None:
        self._calls.pop(call.stream, None)
        if not call.is_over:
            call.arrived(CallEnded(call.stream, status, Metadata()))
        self._lock.notify_all()

    def _rouse(self) -> None:
        if self._wake >= 0:
            with suppress(BlockingIOError):
                os.eventfd_write(self._wake, 1)

    # The link's own thread.

    def _run(self) -> None:
        reason = "the connection to the builder was closed"
        try:
            while self._turn():
                pass
        except OSError as error:
            reason = f"lost the connection to the builder: {error.strerror or error}"
        with self._lock:
            self._closing = True
            self._dispatch(self._grpc.lost(reason))
            wake, self._wake = self._wake, -1
            os.close(wake)

    def _turn(self) -> bool:
        """Send what can be sent, and take what has come; False at the end."""
        with self._lock:
            if not self._out:
                self._out = memoryview(self._grpc.outgoing())
                if not self._grpc.closed:
                    self._lock.notify_all()  # whoever waits to send may have room now
            closing = self._closing or self._grpc.closed
        connection = self._transport.connection
        if self._out or connection.has_output:
            piece = bytes(self._out[:_PIECE])
            self._out = self._out[connection.send_some(piece) :]
            if not self._out and not connection.has_output:
                return True  # more may have been queued meanwhile
        if closing and not self._out:
            return False
        if not self._transport.has_input and not self._poll():
            return True
        data = self._transport.receive()
        with self._lock:
            if not data:
                return False
            self._dispatch(self._grpc.receive(data))
        return True

    def _poll(self) -> bool:
        """Wait; return whether the peer has sent something."""
        transport = self._transport.connection
        poll = select.poll()
        output = bool(self._out) or transport.has_output
        poll.register(transport.fileno(), select.POLLIN | (select.POLLOUT if output else 0))
        poll.register(self._wake, select.POLLIN)
        ready = dict(poll.poll())
        if self._wake in ready:
            with suppress(BlockingIOError):
                os.eventfd_read(self._wake)
        return bool(ready.get(transport.fileno(), 0) & ~select.POLLOUT)

    def _dispatch(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, CallStarted):
                self._begin(event)
                continue
            call = self._calls.get(getattr(event, "stream", 0))
            if call is not None:
                call.arrived(event)
                if call.is_over:
                    del self._calls[call.stream]
        self._lock.notify_all()

    def _begin(self, event: CallStarted) -> None:
        call = self._calls[event.stream] = Call(self, event.stream, event.path, event.metadata)
        thread = threading.Thread(target=self._answer, args=(call,), name=event.path, daemon=True)
        self._answering.add(thread)
        thread.start()

    def _answer(self, call: Call) -> None:
        status = Status()
        try:
            if self._serve is not None:
                self._serve(call)
        except GrpcError as error:
            status = error.status
        except Exception as error:  # noqa: BLE001 - whatever it is, the builder is told
            status = Status(Code.UNKNOWN, str(error))
        call.finish(status)
        with self._lock:
            self._answering.discard(threading.current_thread())
