"""One gRPC connection without I/O: bytes in, events out.

::

    bytes from the peer ──► receive() ──► [Event, …]
    open, send, half_close, finish, cancel, consumed ──► outgoing() ──► bytes for the peer

A call is a stream of HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md)::

    client                                     server
    HEADERS :path /package.Service/Method  ──►
    DATA  prefix+message …                 ──►
    END_STREAM                             ──►
                                           ◄──  HEADERS :status 200
                                           ◄──  DATA  prefix+message …
                                           ◄──  HEADERS grpc-status grpc-message, END_STREAM

Messages are queued until ``outgoing`` is asked, and share frames then. What the peer has no room
for stays queued, and a ``Drained`` tells when it has left: who sends much looks at ``room`` or
``queued`` after ``outgoing``, and waits for that.
"""

from collections.abc import Iterable, Mapping

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RemoteSettingsChanged,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.events import Event as H2Event
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

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
from boxship.wire.grpc.framing import framed
from boxship.wire.grpc.joining import Joiner
from boxship.wire.grpc.metadata import Metadata, from_headers, seconds, to_headers
from boxship.wire.grpc.status import OK, Code, GrpcError, Status, code_of_http
from boxship.wire.grpc.streams import Stream
from boxship.wire.grpc.trailers import from_trailers, to_trailers

STREAM_WINDOW = 1024 * 1024
"""What a peer may send of one call before it is consumed."""
CONNECTION_WINDOW = 64 * 1024 * 1024
"""For all calls; so large that one call that isn't read doesn't stop the others."""
_LONGEST_HEADERS = 1024 * 1024
_CONTENT_TYPE = b"application/grpc"
_SETTINGS = {
    SettingCodes.ENABLE_PUSH: 0,
    SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
    SettingCodes.MAX_CONCURRENT_STREAMS: 1000,
    SettingCodes.MAX_HEADER_LIST_SIZE: _LONGEST_HEADERS,
}
_CALL = [(b":method", b"POST"), (b":scheme", b"http")]
_CALL_TYPE = [(b"te", b"trailers"), (b"content-type", _CONTENT_TYPE)]
_ANSWER = [(b":status", b"200"), (b"content-type", _CONTENT_TYPE)]
_NO_METADATA = Metadata()


class Connection:
    """One end of a connection. Not thread-safe."""

    def __init__(self, *, client: bool) -> None:
        self._client = client
        self._h2 = H2Connection(H2Configuration(client_side=client, header_encoding=None))
        self._joiner = Joiner(client=client)
        self._streams: dict[int, Stream] = {}
        self._dirty: dict[int, Stream] = {}
        self._events: list[Event] = []
        self.closed = False

    def start(self) -> None:
        """Say hello. Before anything else; ``outgoing`` has the bytes."""
        # As initial values: what is set later is sent only after the peer's first settings.
        self._h2.local_settings = Settings(client=self._client, initial_values=_SETTINGS)
        self._h2.decoder.max_header_list_size = _LONGEST_HEADERS
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_WINDOW)

    # ── bytes ────────────────────────────────────────────────────────────────────────────────

    def outgoing(self) -> bytes:
        """Return, once, what has to be sent to the peer now."""
        dirty, self._dirty = self._dirty, {}
        for stream, state in dirty.items():
            self._flush(stream, state)
        return self._h2.data_to_send()

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes of the peer. Never raises: a broken peer ends the connection."""
        if self.closed:
            return []
        try:
            for event in self._h2.receive_data(self._joiner.feed(data)):
                self._handle(event)
        except H2Error as error:
            self._close(f"the peer does not speak HTTP/2: {error}")
        return self._told()

    def lost(self, reason: str) -> list[Event]:
        """Say that the transport is gone; every call ends with that."""
        if not self.closed:
            self._close(reason)
        return self._told()

    def _told(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    # ── calls ────────────────────────────────────────────────────────────────────────────────

    def open(
        self,
        path: str,
        metadata: Mapping[str, Iterable[str]] = _NO_METADATA,
        *,
        authority: str = "localhost",
    ) -> int:
        """Begin a call and return its stream. GrpcError UNAVAILABLE if none can be made."""
        if self.closed:
            raise GrpcError(Code.UNAVAILABLE, "the connection is closed")
        target = [(b":path", path.encode()), (b":authority", authority.encode())]
        headers = [*_CALL, *target, *_CALL_TYPE, *to_headers(metadata)]
        try:
            stream = self._h2.get_next_available_stream_id()
            self._h2.send_headers(stream, headers)
        except H2Error as error:
            raise GrpcError(Code.UNAVAILABLE, f"no further call can be made: {error}") from error
        self._streams[stream] = Stream()
        return stream

    def send(self, stream: int, message: bytes) -> None:
        """Queue a message. Dropped if the call is over: an event tells that, or has told it."""
        state = self._streams.get(stream)
        if state is None or state.ends:
            return
        state.queue += framed(message)
        self._dirty[stream] = state

    def queued(self, stream: int) -> int:
        """Return how many bytes wait to leave."""
        return len(self._streams[stream].queue) if stream in self._streams else 0

    def room(self, stream: int) -> int:
        """Return how many bytes more the peer would take at once; none if less than is queued."""
        state = self._streams.get(stream)
        if state is None:
            return 0
        return max(0, self._h2.local_flow_control_window(stream) - len(state.queue))

    def half_close(self, stream: int) -> None:
        """Say that no further message follows. Of clients."""
        state = self._streams.get(stream)
        if state is not None and not state.ends:
            state.ends = True
            self._dirty[stream] = state

    def finish(
        self,
        stream: int,
        status: Status = OK,
        metadata: Mapping[str, Iterable[str]] = _NO_METADATA,
    ) -> None:
        """End a call with a status and more trailers, after all that is queued. Of servers."""
        state = self._streams.get(stream)
        if state is None or state.ends:
            return
        state.ends, state.trailers = True, [*to_trailers(status), *to_headers(metadata)]
        self._dirty[stream] = state

    def cancel(self, stream: int) -> None:
        """Give a call up; nothing more is heard of it."""
        if self._drop(stream):
            self._reset(stream)

    def consumed(self, stream: int, size: int) -> None:
        """Let the peer send as many bytes more."""
        if size and not self.closed:
            try:
                self._h2.acknowledge_received_data(size, stream)
            except H2Error:  # the stream is gone, and its window with it
                return

    def close(self) -> None:
        """Say goodbye; ``lost`` tells of the calls that end with it."""
        if not self.closed:
            dirty, self._dirty = self._dirty, {}
            for stream, state in dirty.items():
                self._flush(stream, state)  # an answer that was given is an answer
            self._h2.close_connection()
            self._close("the connection was closed")

    # ── sending ──────────────────────────────────────────────────────────────────────────────

    def _flush(self, stream: int, state: Stream) -> None:
        """Send of the queue what the peer has room for, and the end if that is all."""
        try:
            if not self._client and not state.answered:
                state.answered = True
                self._h2.send_headers(stream, _ANSWER)
            self._flush_queue(stream, state)
            state.waiting = bool(state.queue)
            if state.ends and not state.queue and not state.ended:
                state.ended = True
                self._end(stream, state)
        except H2Error:  # the peer has reset it meanwhile; the event is on its way
            self._drop(stream)

    def _flush_queue(self, stream: int, state: Stream) -> None:
        h2, queue = self._h2, state.queue
        size = min(len(queue), h2.local_flow_control_window(stream))
        if size <= 0:
            return
        largest = h2.max_outbound_frame_size
        for at in range(0, size, largest):
            h2.send_data(stream, bytes(queue[at : min(at + largest, size)]))
        del queue[:size]

    def _end(self, stream: int, state: Stream) -> None:
        if self._client:
            self._h2.end_stream(stream)
            return
        self._h2.send_headers(stream, state.trailers or [], end_stream=True)
        if not state.input_ended:  # what else it sends isn't wanted
            self._reset(stream, ErrorCodes.NO_ERROR)
        self._drop(stream)

    def _reset(self, stream: int, code: ErrorCodes = ErrorCodes.CANCEL) -> None:
        try:
            self._h2.reset_stream(stream, error_code=code)
        except H2Error:  # already closed by the peer
            return

    def _flush_waiting(self, stream: int, state: Stream) -> None:
        if state.waiting:
            self._flush(stream, state)
            if not state.queue:
                self._events.append(Drained(stream))

    def _drop(self, stream: int) -> bool:
        """Forget a call; return whether it was known."""
        self._dirty.pop(stream, None)
        state = self._streams.pop(stream, None)
        if state is not None:
            self.consumed(stream, state.held)  # the connection's window must not shrink for good
        return state is not None

    # ── receiving ────────────────────────────────────────────────────────────────────────────

    def _handle(self, event: H2Event) -> None:
        if isinstance(event, DataReceived):
            self._data(event)
        elif isinstance(event, RequestReceived):
            self._request(event)
        elif isinstance(event, ResponseReceived):
            self._response(event)
        elif isinstance(event, TrailersReceived):
            self._trailers(event.stream_id or 0, event.headers or [])
        elif isinstance(event, StreamEnded):
            self._stream_ended(event.stream_id or 0)
        elif isinstance(event, StreamReset):
            self._stream_reset(event)
        elif isinstance(event, WindowUpdated | RemoteSettingsChanged):
            self._window_grew(getattr(event, "stream_id", None) or 0)
        elif isinstance(event, ConnectionTerminated):
            self._close("the peer has closed the connection")

    def _data(self, event: DataReceived) -> None:
        stream, size = event.stream_id or 0, event.flow_controlled_length or 0
        state = self._streams.get(stream)
        if state is None:
            self.consumed(stream, size)
            return
        state.held += size
        try:
            messages = state.unframer.feed(event.data or b"")
        except GrpcError as error:
            self._refuse(stream, error.status)
            return
        if not messages:
            # A message longer than the window would never become whole otherwise.
            if state.unframer.waiting > STREAM_WINDOW // 2:
                self.consumed(stream, state.held)
                state.held = 0
            return
        size, state.held = state.held, 0
        last = self._events[-1] if self._events else None
        if isinstance(last, MessagesReceived) and last.stream == stream:
            last.messages.extend(messages)
            self._events[-1] = MessagesReceived(stream, last.messages, last.size + size)
        else:
            self._events.append(MessagesReceived(stream, messages, size))

    def _refuse(self, stream: int, status: Status) -> None:
        """End a call whose messages can't be read."""
        if self._client:
            self._drop(stream)
            self._reset(stream)
            self._events.append(CallEnded(stream, status, _NO_METADATA))
        else:
            self._events.append(CallCancelled(stream))
            self.finish(stream, status)

    def _request(self, event: RequestReceived) -> None:
        stream, headers = event.stream_id or 0, event.headers or []
        self._streams[stream] = Stream()
        pseudo = {name: value for name, value in headers if name.startswith(b":")}
        metadata = from_headers(headers)
        if not metadata.first("content-type").startswith("application/grpc"):
            self._drop(stream)
            self._h2.send_headers(stream, [(b":status", b"415")], end_stream=True)
            return
        path = pseudo.get(b":path", b"").decode("latin-1")
        timeout = seconds(metadata.first("grpc-timeout"))
        self._events.append(CallStarted(stream, path, metadata, timeout))

    def _response(self, event: ResponseReceived) -> None:
        stream, headers = event.stream_id or 0, event.headers or []
        state = self._streams.get(stream)
        if state is None:
            return
        state.answered = True
        status = dict(headers).get(b":status", b"").decode("latin-1")
        metadata = from_headers(headers)
        if "grpc-status" in metadata:  # an answer that is nothing but trailers
            self._trailers(stream, headers)
        elif status != "200":
            self._refuse(stream, Status(code_of_http(status), f"HTTP status {status}"))
        else:
            self._events.append(HeadersReceived(stream, metadata))

    def _trailers(self, stream: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        state = self._streams.get(stream)
        if state is None or not self._client:
            return
        self._drop(stream)
        trailers = from_headers(headers)
        if not state.ends or state.queue:
            self._reset(stream)
        self._events.append(CallEnded(stream, from_trailers(trailers), trailers))

    def _stream_ended(self, stream: int) -> None:
        state = self._streams.get(stream)
        if state is None:
            return
        if self._client:
            self._refuse(stream, Status(Code.INTERNAL, "the answer ended without a status"))
        elif state.unframer.waiting:
            self._refuse(stream, Status(Code.INTERNAL, "the last message is cut short"))
        else:
            state.input_ended = True
            self._events.append(InputEnded(stream))

    def _stream_reset(self, event: StreamReset) -> None:
        stream = event.stream_id or 0
        if not self._drop(stream):
            return
        if not self._client:
            self._events.append(CallCancelled(stream))
            return
        refused = event.error_code == ErrorCodes.REFUSED_STREAM
        code = Code.UNAVAILABLE if refused else Code.CANCELLED
        status = Status(code, f"the peer has reset the call: {event.error_code}")
        self._events.append(CallEnded(stream, status, _NO_METADATA))

    def _window_grew(self, stream: int) -> None:
        if not stream:
            for number, waiting in list(self._streams.items()):
                self._flush_waiting(number, waiting)
        elif (state := self._streams.get(stream)) is not None:
            self._flush_waiting(stream, state)

    def _close(self, reason: str) -> None:
        self.closed = True
        for stream in self._streams:
            if self._client:
                status = Status(Code.UNAVAILABLE, reason)
                self._events.append(CallEnded(stream, status, _NO_METADATA))
            else:
                self._events.append(CallCancelled(stream))
        self._streams.clear()
        self._dirty.clear()
        self._events.append(ConnectionClosed(reason))
