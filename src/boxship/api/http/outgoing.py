"""What goes out on a connection: answers and streams, as fast as the client reads."""

import asyncio
from collections.abc import AsyncIterator

from boxship.api.http.body import ClientGoneError
from boxship.api.http.head import answer_head
from boxship.api.http.messages import Chunk, Request, Response, Stream

_NO_BODY = frozenset({204, 304})


class Outgoing:
    """The way to one client. ``common`` are headers of every answer."""

    def __init__(self, transport: asyncio.Transport, common: str) -> None:
        self._transport = transport
        self._common = common
        self._drained: asyncio.Future[None] | None = None
        self._lost = False
        self.paused = False
        """The client reads more slowly than we write."""

    def pause(self) -> None:
        """Write no more for now."""
        self.paused = True

    def resume(self) -> None:
        """Go on writing."""
        self.paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def lose(self) -> None:
        """The client has gone."""
        self._lost = True
        if self._drained is not None and not self._drained.done():
            self._drained.set_exception(ClientGoneError("the client has gone"))

    async def flow(self) -> None:
        """Wait while the client reads more slowly than we write. ClientGoneError."""
        if self._lost:
            raise ClientGoneError
        if self.paused:
            self._drained = asyncio.get_running_loop().create_future()
            try:
                await self._drained
            finally:
                self._drained = None

    def answer(self, request: Request, answer: Response, *, keep: bool) -> None:
        """Write a whole answer; ``keep``: the connection stays."""
        bare = answer.status in _NO_BODY
        head = answer_head(
            answer.status,
            answer.headers,
            common=self._common,
            content_type=None if bare else answer.content_type,
            length=None if bare else len(answer.body),
            close=not keep,
        )
        self._transport.write(head if request.method == "HEAD" else head + answer.body)

    async def stream(self, request: Request, answer: Stream, first: Chunk, *, keep: bool) -> None:
        """Write an answer chunk by chunk, of which ``first`` has been read already."""
        chunked = request.minor == 1
        head = answer_head(
            200,
            answer.headers,
            common=self._common,
            content_type=answer.content_type,
            chunked=chunked,
            close=not keep,
        )
        self._transport.write(head)
        if request.method == "HEAD":
            return
        write = self._write_chunk if chunked else self._transport.write
        if first:
            write(first)
            await self.flow()
        async for chunk in answer.chunks:
            if chunk:
                write(chunk)
                await self.flow()
        if chunked:
            self._transport.write(b"0\r\n\r\n")

    def _write_chunk(self, chunk: Chunk) -> None:
        self._transport.writelines((b"%x\r\n" % len(chunk), chunk, b"\r\n"))


async def let_go(chunks: AsyncIterator[Chunk]) -> None:
    """Close an asynchronous generator, so that it lets go of what it holds."""
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()
