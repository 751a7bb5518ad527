"""Streams: of messages with their failure as the last one; and those to be told of their end."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Self

from boxship.api.errors import status_of
from boxship.base.errors import BoxshipError
from boxship.wire.jsonstream import Progress, encode_progress, failure


class Guarded(AsyncIterator[bytes]):
    """A generator of chunks and what to release with it.

    A generator that was never started runs no ``finally`` when it is closed, so whatever was
    registered before the stream began is released here.
    """

    def __init__(self, chunks: AsyncGenerator[bytes, None], release: Callable[[], object]) -> None:
        self._chunks = chunks
        self._release = release

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._chunks)

    async def aclose(self) -> None:
        """Close the generator and release."""
        try:
            await self._chunks.aclose()
        finally:
            self._release()


async def told(
    messages: AsyncGenerator[Progress, None], *, with_code: bool = True
) -> AsyncGenerator[bytes, None]:
    """Encode a stream's messages; once it has begun, a failure becomes its last one.

    Docker gives the status along with it (``with_code``) for some streams and not for others.
    """
    begun = False
    try:
        async for message in messages:
            yield encode_progress(message)
            begun = True
    except BoxshipError as error:
        if not begun:
            raise
        yield encode_progress(failure(str(error), status_of(error) if with_code else 0))
    finally:
        await messages.aclose()
