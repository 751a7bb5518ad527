"""The body of a request on its way from the socket to whoever reads it, with back-pressure."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from boxship.api.http.chunked import ChunkDecoder, ChunkError
from boxship.base.errors import InvalidArgumentError

_PAUSE_ABOVE = 1 << 20
_RESUME_BELOW = 1 << 18


class ClientGoneError(ConnectionError):
    """The client left before its request was complete."""


class Body:
    """Bytes that arrive, until ``finish``; the connection is told to pause when too many wait."""

    def __init__(self, *, hold: Callable[[bool], None], wanted: Callable[[], None]) -> None:
        self.complete = False
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._held = False
        self._hold = hold
        self._wanted = wanted
        self._error: Exception | None = None
        self._wakeup: asyncio.Event | None = None
        self._asked_for = False

    # ── the connection's side ────────────────────────────────────────────────────────────────

    def feed(self, data: bytes) -> None:
        if data:
            self._chunks.append(data)
            self._waiting += len(data)
            if not self._held and self._waiting > _PAUSE_ABOVE:
                self._held = True
                self._hold(True)
            self._wake()

    def finish(self) -> None:
        self.complete = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """Tell the reader, after what has arrived, that nothing more will."""
        if not self.complete and self._error is None:
            self._error = error
            self._wake()

    def discard(self) -> None:
        """Throw away what has arrived and what will."""
        self._chunks.clear()
        self._waiting = 0
        self._release()

    # ── the reader's side ────────────────────────────────────────────────────────────────────

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._ask()
        while True:
            while self._chunks:
                chunk = self._chunks.popleft()
                self._waiting -= len(chunk)
                if self._waiting < _RESUME_BELOW:
                    self._release()
                yield chunk
            if self.complete:
                return
            if self._error is not None:
                raise self._error
            await self._more()

    async def read(self, limit: int) -> bytes:
        """Return the whole body. InvalidArgumentError: it is longer than ``limit``."""
        if self.complete and len(self._chunks) <= 1:
            whole = self._chunks.popleft() if self._chunks else b""
            self._waiting = 0
        else:
            whole = await self._gather(limit)
        if len(whole) > limit:
            raise InvalidArgumentError(f"the request's body is longer than {limit} bytes")
        return whole

    async def peek(self, limit: int) -> bytes | None:
        """Return the whole body and leave it there; None: it is longer than ``limit``.

        ``limit`` is at most what is read ahead, 1 MiB: more than that would never arrive.
        """
        assert limit <= _PAUSE_ABOVE
        self._ask()
        while not self.complete and self._waiting <= limit:
            if self._error is not None:
                raise self._error
            await self._more()
        return b"".join(self._chunks) if self._waiting <= limit else None

    async def _gather(self, limit: int) -> bytes:
        parts = bytearray()
        async for chunk in self:
            parts += chunk
            if len(parts) > limit:
                break
        return bytes(parts)

    def _ask(self) -> None:
        """Have the client told, once, that its body is waited for."""
        if not self._asked_for:
            self._asked_for = True
            self._wanted()

    async def _more(self) -> None:
        self._wakeup = asyncio.Event()
        await self._wakeup.wait()

    def _wake(self) -> None:
        if self._wakeup is not None:
            self._wakeup.set()

    def _release(self) -> None:
        if self._held:
            self._held = False
            self._hold(False)


class Incoming:
    """Measures a body out of the bytes of a connection, by its length or by its chunks."""

    def __init__(self, body: Body, length: int | None) -> None:
        self.body = body
        self._left = length or 0
        self._decoder = ChunkDecoder() if length is None else None
        self._lost_count = False
        if length == 0:
            body.finish()

    def feed(self, data: bytes) -> bytes:
        """Take what belongs to the body; return what comes after it."""
        if self.body.complete:
            return data
        if self._decoder is not None:
            return self._feed_chunks(self._decoder, data)
        self.body.feed(data[: self._left])
        rest = data[self._left :]
        self._left = max(0, self._left - len(data))
        if self._left == 0:
            self.body.finish()
        return rest

    def _feed_chunks(self, decoder: ChunkDecoder, data: bytes) -> bytes:
        if self._lost_count:
            return b""
        try:
            self.body.feed(decoder.feed(data))
        except ChunkError as error:
            self._lost_count = True  # nobody can tell any more what is body and what isn't
            self.body.fail(InvalidArgumentError(f"malformed chunked body: {error}"))
            return b""
        if decoder.done:
            self.body.finish()
        return decoder.rest
