"""One client's connection: requests in, answers out, one after the other.

::

    bytes ─► head ─► Request ─► serve ─┬─► Response ─────────────────────────► next request
              │        │               └─► task ─┬─► Response ───────────────► next request
              │        └─ Body ◄─ bytes          ├─► Stream, chunk by chunk ─► next request
              │                                  └─► HandedOver: the descriptor has gone elsewhere
              └─ what follows the request stays in the buffer

While a request is served, what comes after it is kept and not looked at. It may be the next
request; after an answer that hands the connection over, it is the start of a raw stream. That is
why bodies are measured here and not by the parser: nothing beyond a request is ever consumed.

A client that goes away ends a stream it was reading and fails an upload it was sending. Anything
else is carried to its end: half a ``create`` helps nobody.
"""

import asyncio
import logging
import os
import select
import socket
from collections.abc import Awaitable
from typing import TYPE_CHECKING, cast

from boxship.api.http.body import Body, ClientGoneError, Incoming
from boxship.api.http.entrance import Entrance
from boxship.api.http.head import LONGEST, Head, HeadError, answer_head, parse_head
from boxship.api.http.messages import Answer, Chunk, HandedOver, Request, Response, Stream
from boxship.api.http.outgoing import Outgoing, let_go
from boxship.api.http.pump import Pump

if TYPE_CHECKING:
    from boxship.api.http.server import Server

log = logging.getLogger(__name__)

_HEAD_WITHIN = 60.0
_LINGER = 5.0
_WRITE_HIGH = 256 * 1024
_AHEAD = 64 * 1024
"""What is read of the next requests while one is served."""
_ANSWERS = (Response, Stream, HandedOver)

# Why the connection isn't being read.
_BODY_FULL, _BUFFER_FULL, _DETACHED = 1, 2, 4


class Connection(asyncio.Protocol):
    """The protocol object of one connection."""

    def __init__(self, server: "Server", entrance: Entrance) -> None:
        self._server = server
        self.entrance = entrance
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._buffer = b""
        self._incoming: Incoming | None = None
        self._task: asyncio.Task[None] | None = None
        self._stream: Stream | None = None
        self._holds = 0
        self._outgoing: Outgoing
        self._half_closed = False
        self._lost = False
        self._lingering = False
        self._refused = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._pump: Pump | None = None

    # ── what the transport calls ─────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH)
        self._outgoing = Outgoing(self._transport, self._server.common_headers)
        self._server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._pump is not None:
            self._pump.from_client(data)
        elif self._incoming is not None and not self._incoming.body.complete:
            self._feed_body(self._incoming, data)
        else:
            self._buffer += data
            if self._task is None:
                self._next_request()
            elif len(self._buffer) > _AHEAD:
                self._hold(_BUFFER_FULL, True)

    def eof_received(self) -> bool:
        """Keep the way back open as long as there is something to answer."""
        self._half_closed = True
        if self._pump is not None:
            self._pump.client_eof()
            return True
        if self._task is None:  # idle, or refused
            return False
        self._cut_body("the client closed before its request was complete")
        if self._stream is not None and (self._stream.endless or _hung_up(self._transport)):
            self._task.cancel()
            return False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._server.connections.discard(self)
        self._stop_head_timer()
        if self._pump is not None:
            self._pump.client_gone()
        self._cut_body("the client has gone")
        self._outgoing.lose()
        if self._stream is not None and self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._outgoing.pause()
        if self._pump is not None:
            self._pump.client_slow(True)

    def resume_writing(self) -> None:
        self._outgoing.resume()
        if self._pump is not None:
            self._pump.client_slow(False)

    # ── what the server calls ────────────────────────────────────────────────────────────────

    @property
    def idle(self) -> bool:
        return self._task is None

    @property
    def task(self) -> "asyncio.Task[None] | None":
        """The request being served."""
        return self._task

    def stop(self) -> None:
        """End it now if it is idle or streams without end, else after the current answer."""
        if self._task is None:
            self._transport.close()
        elif self._stream is not None and self._stream.endless:
            self._task.cancel()

    def abort(self) -> None:
        """End it at once."""
        if self._task is not None:
            self._task.cancel()
        self._transport.abort()

    @property
    def client_socket(self) -> "socket.socket | None":
        """What the client is connected by; None once that is closed."""
        return cast("socket.socket | None", self._transport.get_extra_info("socket"))

    @property
    def certified_name(self) -> str:
        """The common name of the client's certificate, which TLS has verified; or empty."""
        certificate = self._transport.get_extra_info("peercert")
        subject = certificate.get("subject", ()) if certificate else ()
        return next((value for ((key, value), *_) in subject if key == "commonName"), "")

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """The chain that the client has sent, PEM, its own certificate first."""
        chain: tuple[bytes, ...] = self._transport.get_extra_info("peerchain", ())
        return chain

    # ── requests ─────────────────────────────────────────────────────────────────────────────

    def _next_request(self) -> None:
        self._hold(_BUFFER_FULL, False)
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            self._await_head()
            return
        self._stop_head_timer()
        data, self._buffer = self._buffer[: end + 4], self._buffer[end + 4 :]
        try:
            head = parse_head(data.lstrip(b"\r\n"))
        except HeadError as error:
            self._refuse(400, str(error))
            return
        self._begin(head)

    def _await_head(self) -> None:
        if len(self._buffer) > LONGEST:
            self._refuse(431, "the request's head is too long")
        elif self._buffer and self._head_timer is None:
            self._head_timer = self._loop.call_later(_HEAD_WITHIN, self._transport.close)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: int, reason: str) -> None:
        """Answer what isn't HTTP, as Go's server does: in plain text, and close."""
        log.debug("refused a request: %s", reason)
        text = f"{status} {reason}".encode()
        head = answer_head(
            status, {}, content_type="text/plain; charset=utf-8", length=len(text), close=True
        )
        self._buffer = b""
        self._refused = True
        self._transport.write(head + text)
        # As with an unread body: who closes with bytes unread resets, and the answer is lost.
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._loop.call_later(_LINGER, self._transport.close)

    def _begin(self, head: Head) -> None:
        continues = head.headers.get("expect", "").lower() == "100-continue"
        body = Body(
            hold=lambda on: self._hold(_BODY_FULL, on),
            wanted=self._send_continue if continues else _nothing,
        )
        self._incoming = Incoming(body, head.length)
        self._feed_body(self._incoming, self._buffer)
        path, _, query = head.target.partition("?")
        request = Request(
            method=head.method,
            path=path,
            query_string=query,
            headers=head.headers,
            minor=head.minor,
            keep_alive=head.keep_alive,
            body=body,
            connection=self,
        )
        answer = self._server.serve(request)
        if isinstance(answer, Response) and not self._buffer:
            self._answer_at_once(request, answer)
        else:  # a task also for who sends many requests at once: others get a turn between them
            self._task = self._loop.create_task(self._serve(request, answer))

    def _feed_body(self, incoming: Incoming, data: bytes) -> None:
        self._buffer = incoming.feed(data)
        if self._lingering:
            self._linger_on(incoming.body)

    def _cut_body(self, why: str) -> None:
        if self._incoming is not None:
            self._incoming.body.fail(ClientGoneError(why))

    def _send_continue(self) -> None:
        incoming = self._incoming
        if incoming is not None and not incoming.body.complete and not self._lost:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    # ── answers ──────────────────────────────────────────────────────────────────────────────

    def _answer_at_once(self, request: Request, answer: Response) -> None:
        keep = self._keeps(request)
        self._outgoing.answer(request, answer, keep=keep)
        if self._outgoing.paused:
            self._task = self._loop.create_task(self._end_once_read(keep))
        else:
            self._end_request(keep)

    async def _end_once_read(self, keep: bool) -> None:
        try:
            await self._outgoing.flow()
        except ClientGoneError:
            log.debug("a client has gone before it had all of its answer")
        finally:
            self._task = None
            if not self._lost:
                self._end_request(keep)

    async def _serve(self, request: Request, coming: Answer | Awaitable[Answer]) -> None:
        keep = False
        try:
            answer = coming if isinstance(coming, _ANSWERS) else await coming
            if isinstance(answer, HandedOver):
                return
            if isinstance(answer, Stream):
                try:
                    keep = await self._send_stream(request, answer)
                finally:
                    await let_go(answer.chunks)
            else:
                keep = await self._send(request, answer)
        except ClientGoneError:
            log.debug("the client of %s %s has gone", request.method, request.path)
        except Exception:
            # The answer has begun, so that the only way left to say it is to cut it short.
            log.exception("%s %s failed in the middle of its answer", request.method, request.path)
            self._transport.abort()
        finally:
            self._task = self._stream = None
            if not self._holds & _DETACHED and self._pump is None and not self._lost:
                self._end_request(keep)

    def _end_request(self, keep: bool) -> None:
        body = self._incoming.body if self._incoming is not None else None
        if body is not None and not body.complete and not self._half_closed:
            # Closing now, with bytes unread, would reset the connection and lose the answer.
            self._lingering = True
            self._loop.call_later(_LINGER, self._transport.close)
            self._linger_on(body)
        elif not keep:
            self._transport.close()
        else:
            self._incoming = None
            self._next_request()

    def _linger_on(self, body: Body) -> None:
        body.discard()
        if body.complete:
            self._transport.close()

    def _keeps(self, request: Request) -> bool:
        return (
            request.keep_alive
            and request.body.complete
            and not self._half_closed
            and not self._server.closing
        )

    async def _send(self, request: Request, answer: Response) -> bool:
        if self._lost:
            raise ClientGoneError
        keep = self._keeps(request)
        self._outgoing.answer(request, answer, keep=keep)
        await self._outgoing.flow()
        return keep

    async def _send_stream(self, request: Request, answer: Stream) -> bool:
        self._stream = answer
        if self._lost or (self._half_closed and answer.endless):
            raise ClientGoneError
        first: Chunk = b""
        if answer.awaits_first:
            try:
                first = await anext(answer.chunks, b"")
            except Exception as error:  # noqa: BLE001 - every error has an answer of its own
                self._stream = None
                return await self._send(request, self._server.on_error(request, error))
        keep = self._keeps(request) and request.minor == 1
        await self._outgoing.stream(request, answer, first, keep=keep)
        return keep

    def _hold(self, reason: int, on: bool) -> None:
        """Stop or resume reading; it goes on when no reason is left."""
        before = self._holds
        self._holds = before | reason if on else before & ~reason
        if bool(before) == bool(self._holds) or self._lost or self._transport.is_closing():
            return
        if self._holds:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    # ── giving the connection away ───────────────────────────────────────────────────────────

    async def detach(self, header: bytes) -> tuple[int, bytes]:
        """Send ``header``, stop being HTTP, and return a descriptor of the connection.

        With it comes what the client has sent after its request. The connection itself stays
        open: only this process's own descriptor of it is closed. Under TLS, and where a scope can
        be removed under it, the descriptor is one end of a socket pair, and the bytes are carried
        over as long as this process lives.
        """
        if self._lost:
            raise ClientGoneError("the client has gone")
        if self.entrance.scope or self._transport.get_extra_info("sslcontext") is not None:
            return await self._carry_over(header)
        self._hold(_DETACHED, True)
        self._transport.set_write_buffer_limits(high=0)
        await self._outgoing.flow()
        raw = self._transport.get_extra_info("socket")
        with socket.socket(fileno=os.dup(raw.fileno())) as copy:
            copy.setblocking(False)
            await self._loop.sock_sendall(copy, header)
            fd = copy.detach()
        prefix, self._buffer = self._buffer, b""
        # Neither loop shuts a connection down when it aborts a transport; both close their fd.
        self._transport.abort()
        return fd, prefix

    async def _carry_over(self, header: bytes) -> tuple[int, bytes]:
        self._transport.write(header)
        ours, theirs = socket.socketpair()
        with theirs:
            self._pump = await Pump.start(self._transport, ours)
            if self._lost:  # meanwhile, when there was no pump to be told
                self._pump.client_gone()
                raise ClientGoneError("the client has gone")
            self._pump.from_client(self._buffer)
            self._buffer = b""
            if self._half_closed:
                self._pump.client_eof()
            self._hold(_BUFFER_FULL, False)
            return theirs.detach(), b""


def _nothing() -> None:
    pass


def _hung_up(transport: asyncio.Transport) -> bool:
    """Whether the client has closed both ways; a unix socket tells that from the end of one.

    Nothing is written while a registry is slow, so no failing write would show it either.
    """
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family != socket.AF_UNIX:
        return False
    poll = select.poll()
    poll.register(sock.fileno(), 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))
